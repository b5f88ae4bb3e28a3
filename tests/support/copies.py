"""Copies of the project, for tests that change its code or its contract."""

import shutil
from pathlib import Path

from tests.support.server import ROOT


def copy_project(directory: Path) -> None:
    """Copy the code and the contract into a directory, for a program whose `PYTHONPATH` is that directory."""
    for folder in ("handlers", "storage", "alembic"):
        shutil.copytree(ROOT / folder, directory / folder)
    shutil.copy(ROOT / "openapi.yaml", directory)


def change(file: Path, old: str, new: str) -> None:
    """Replace the first occurrence of a text in a file. Raises AssertionError if the file does not contain it."""
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new, 1))


def add_operation(directory: Path, path_item: str, tag: str, module: str) -> None:
    """Add a path to a copy's contract, in YAML with an indentation of two, and the module of its tag to `handlers/`."""
    change(directory / "openapi.yaml", "\n  /health:\n", f"{path_item}\n  /health:\n")
    (directory / "handlers" / f"{tag}.py").write_text(module)
