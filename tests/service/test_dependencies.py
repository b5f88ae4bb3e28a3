"""The private attributes of libraries that the service uses. These tests fail if an upgrade removes one.

`pyproject.toml` caps each of these libraries at its minor version.
"""

import ast
import re
import tomllib
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tests.support.server import ROOT

# Documented in spite of their underscores.
NAMED_TUPLES = {"_asdict", "_fields", "_make"}


def psycopgs_statements(url: str) -> Any:
    """Return the object in which a psycopg connection keeps its prepared statements."""
    with psycopg.connect(url) as connection:
        return connection._prepared


PRIVATE: dict[str, tuple[str, Callable[[str], bool]]] = {
    "_prepared": ("psycopg", lambda url: psycopgs_statements(url) is not None),
    "_prepared_idx": ("psycopg", lambda url: hasattr(psycopgs_statements(url), "_prepared_idx")),
    "_unset_keepalive_if_required": ("uvicorn", lambda _: hasattr(HttpToolsProtocol, "_unset_keepalive_if_required")),
}
"""By private attribute, its library and a function that returns whether it exists, given the URL of a database."""
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


@pytest.mark.parametrize("name", PRIVATE)
def test_the_library_still_has_the_attribute(name: str, postgres: str) -> None:
    _, is_there = PRIVATE[name]
    assert is_there(postgres)


def test_no_other_private_attribute_is_used() -> None:
    defined, used = private_names()
    assert used - defined == PRIVATE.keys() | NAMED_TUPLES


@pytest.mark.parametrize("library", CAPPED)
def test_a_library_whose_internals_are_used_is_capped_at_its_minor_version(library: str) -> None:
    assert {name for name, _ in PRIVATE.values()} <= set(CAPPED)
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    (requirement,) = [one for one in declared if re.match(rf"{library}(\[|>)", one)]
    bounds = re.search(r">=(\d+)\.(\d+)[.\d]*,<(\d+)\.(\d+)$", requirement)
    assert bounds is not None, requirement
    major, minor, next_major, next_minor = map(int, bounds.groups())
    assert (next_major, next_minor) == (major, minor + 1)
