"""Runs Schemathesis from its command line: it reads the contract from the server, and tests the server against it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from tests.support.client import mint
from tests.support.server import ROOT


class Exchange(NamedTuple):
    """A request that Schemathesis sent, and the status of the response.

    `template` is the path template in the contract; `link` is the link that Schemathesis followed to it, or None.
    """

    phase: str
    method: str
    template: str
    path: str
    status: int
    link: str | None


def examine(
    server: str, directory: Path, *options: str, users: list[str], pinned: dict[str, str], seed: str = "1"
) -> list[Exchange]:
    """Run Schemathesis, and return its exchanges with the server. Fails with its report if it found an error.

    Schemathesis sends the token of the first of `users`, and checks that the others cannot access that user's data.
    `pinned` maps path parameters to fixed values.
    """
    configuration = directory / "schemathesis.toml"
    configuration.write_text(
        (ROOT / "tests/support/fuzz/schemathesis.toml").read_text()
        + "[parameters]\n"
        + "".join(f'"path.{name}" = "{value}"\n' for name, value in pinned.items())
        + (_authentication(directory, users) if users else "")
    )
    report = directory / "report.ndjson"
    command = [sys.executable, "-m", "schemathesis.cli", "--no-color", f"--config-file={configuration}", "run"]
    command += [f"{server}/openapi.json", f"--seed={seed}", f"--report-ndjson-path={report}", *options]
    run = subprocess.run(
        command,
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    if run.returncode != 0:
        pytest.fail(f"{run.stdout}\nTo repeat this run: make fuzz SEED={seed}", pytrace=False)
    return list(_exchanges(report))


def _authentication(directory: Path, users: list[str]) -> str:
    tokens = directory / "tokens.json"
    header = [[{"name": "Authorization", "value": f"Bearer {mint(user)}"}] for user in users]
    tokens.write_text(
        json.dumps({"auth": [{"name": user, "fixedHeaders": token} for user, token in zip(users, header, strict=True)]})
    )
    return f'[auth.wfc]\npath = "{tokens}"\nuser = "{users[0]}"\n' + (
        f"peers = {json.dumps(users)}\n" if users[1:] else ""
    )


def _exchanges(report: Path) -> Iterator[Exchange]:
    with report.open() as lines:
        for line in lines:
            scenario = json.loads(line).get("ScenarioFinished")
            for name, exchange in scenario["recorder"].get("interactions", {}).items() if scenario else ():
                case = scenario["recorder"]["cases"][name]
                yield _exchange(scenario["phase"], case, exchange)


def _exchange(phase: str, case: dict[str, Any], exchange: dict[str, Any]) -> Exchange:
    return Exchange(
        phase=phase,
        method=exchange["request"]["method"],
        template=case["value"]["path"],
        path=urlsplit(exchange["request"]["uri"]).path,
        status=exchange["response"]["status_code"],
        link=case["transition"]["id"] if case["is_transition_applied"] else None,
    )
