"""A TypeScript program calls every operation with the types that openapi-typescript generates from the contract."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.support.better_auth import NODE_MODULES, better_auth, needs_node
from tests.support.called import OPERATIONS, operations_called
from tests.support.node import run
from tests.support.server import ROOT

pytestmark = needs_node


@pytest.fixture(scope="module")
def project(server: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of `tests/clients/typescript` that includes the generated types."""
    directory = tmp_path_factory.mktemp("client") / "typescript"
    shutil.copytree(ROOT / "tests" / "clients" / "typescript", directory)
    (directory / "node_modules").symlink_to(NODE_MODULES)
    generate = ["openapi-typescript", f"{server}/openapi.json", "--default-non-nullable=false", "-o", "api.d.ts"]
    generated = run(directory, *generate)
    assert generated.returncode == 0, generated.stdout
    return directory


@pytest.fixture(scope="module")
def compiled(project: Path) -> subprocess.CompletedProcess[str]:
    """Return the result of the compiler, which writes each program next to its source."""
    return run(project, "tsc")


def test_the_compiler_accepts_what_the_contract_allows_and_rejects_what_it_does_not(
    compiled: subprocess.CompletedProcess[str],
) -> None:
    assert compiled.returncode == 0, compiled.stdout


@pytest.mark.usefixtures("compiled")
def test_every_operation_works_with_the_generated_types_for_a_user_of_better_auth(project: Path, server: str) -> None:
    with better_auth() as frontend:
        done = run(project, "node", "every-operation.js", API=server, FRONTEND=frontend)
    assert done.returncode == 0, done.stdout
    assert operations_called(done.stdout) == OPERATIONS
