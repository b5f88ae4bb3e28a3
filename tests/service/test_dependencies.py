"""The service uses no private attribute of a library.

`pyproject.toml` caps each library at its minor version whose internals the service overrides.
"""

import ast
import re
import tomllib
from collections.abc import Iterator

import pytest

from tests.support.server import ROOT

# Documented in spite of their underscores.
NAMED_TUPLES = {"_asdict", "_fields", "_make"}

CAPPED = ["connexion", "jsonschema-rs", "psycopg", "psycopg-pool", "sqlalchemy", "starlette", "uvicorn"]


def trees() -> Iterator[ast.AST]:
    """Yield the syntax tree of each module of the service."""
    for folder in ("handlers", "storage"):
        for file in (ROOT / folder).rglob("*.py"):
            yield ast.parse(file.read_text())


def is_private(name: str) -> bool:
    """Return whether a name has a leading underscore, and is not one of Python's own."""
    return name.startswith("_") and not name.startswith("__")


def private_names() -> tuple[set[str], set[str]]:
    """Return the private names that the service defines, and the private attributes that it uses."""
    defined, used = set(), set()
    for node in (node for tree in trees() for node in ast.walk(tree)):
        match node:
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                defined.add(name)
            case ast.Name(id=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(value=ast.Name(id="self"), attr=name, ctx=ast.Store()):
                defined.add(name)
            case ast.Attribute(attr=name) if is_private(name):
                used.add(name)
    return defined, used


def test_no_private_attribute_is_used() -> None:
    defined, used = private_names()
    assert used - defined == NAMED_TUPLES


@pytest.mark.parametrize("library", CAPPED)
def test_a_library_whose_internals_are_used_is_capped_at_its_minor_version(library: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (requirement,) = [one for one in declared if re.match(rf"{library}(\[|>)", one)]
    bounds = re.search(r">=(\d+)\.(\d+)[.\d]*,<(\d+)\.(\d+)$", requirement)
    assert bounds is not None, requirement
    major, minor, next_major, next_minor = map(int, bounds.groups())
    assert (next_major, next_minor) == (major, minor + 1)
