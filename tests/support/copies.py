"""Copies of the project, for tests that change its code or its contract."""

import shutil
from pathlib import Path

from tests.support.server import ROOT


def copy_project(directory: Path) -> None:
    """Copy all that runs into a directory; with `PYTHONPATH` set to it, the copy runs instead of the project."""
    for folder in ("handlers", "storage", "alembic"):
        shutil.copytree(ROOT / folder, directory / folder)
    shutil.copy(ROOT / "openapi.yaml", directory)


def change(file: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text, which must be there."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))
