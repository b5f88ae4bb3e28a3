"""A Python program calls every operation with the client that openapi-python-client generates from the contract."""

import os
import shutil
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from tests.support.called import OPERATIONS, operations_called
from tests.support.client import mint
from tests.support.server import ROOT

PROGRAMS = ROOT / "tests" / "clients" / "python"


@pytest.fixture(scope="module")
def project(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory that contains the programs and the generated package."""
    directory = tmp_path_factory.mktemp("client") / "python"
    shutil.copytree(PROGRAMS, directory)
    contract, package = f"{server}/openapi.json", str(directory / "todo_api_client")
    options = ["--meta", "none", "--fail-on-warning", "--config", str(PROGRAMS / "generator.yaml")]
    generate = ["-m", "openapi_python_client", "generate", *options, "--url", contract, "--output-path", package]
    generated = run(directory, *generate)
    assert generated.returncode == 0, generated.stdout
    return directory


def run(directory: Path, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a directory and let it import the packages there."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(directory)} | settings
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=directory,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )


def test_the_generated_package_and_the_programs_that_use_it_pass_strict_type_checks(project: Path) -> None:
    checked = run(project, "-m", "mypy", "--strict", ".")
    assert checked.returncode == 0, checked.stdout


def test_every_operation_works_with_the_generated_client(project: Path, server: str) -> None:
    user_id = f"ada-{uuid4().hex}"
    done = run(project, "every_operation.py", API=server, USER_ID=user_id, TOKEN=mint(user_id))
    assert done.returncode == 0, done.stdout
    assert operations_called(done.stdout) == OPERATIONS
