"""The files on the page `/sync`, and the programs that test them, compiled."""

import re
import shutil
from pathlib import Path

import httpx
import pytest

from tests.support.article import Page
from tests.support.better_auth import NODE_MODULES
from tests.support.node import run
from tests.support.server import ROOT


@pytest.fixture(scope="session")
def sync_files(server: str) -> dict[str, str]:
    """Return the files on the page, whose first lines are their names."""
    blocks = Page(httpx.get(f"{server}/sync").text).blocks
    return {found[1]: block for block in blocks if (found := re.match(r"// (\S+\.ts)\n", block))}


@pytest.fixture(scope="session")
def sync_project(server: str, sync_files: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a directory with these files, the programs that test them, and the generated types, all compiled."""
    directory = tmp_path_factory.mktemp("client") / "sync"
    shutil.copytree(ROOT / "tests" / "clients" / "sync", directory)
    for name, text in sync_files.items():
        (directory / name).write_text(text)
    (directory / "node_modules").symlink_to(NODE_MODULES)
    options = ["--default-non-nullable=false", "-o", "api.d.ts"]
    for command in (["openapi-typescript", f"{server}/openapi.json", *options], ["tsc"]):
        done = run(directory, *command)
        assert done.returncode == 0, done.stdout
    return directory
