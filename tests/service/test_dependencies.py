"""The private attributes of libraries that the service uses: an upgrade that drops one fails here.

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
    """Return what a connection of psycopg's keeps of its prepared statements."""
    with psycopg.connect(url) as connection:
        return connection._prepared


PRIVATE: dict[str, tuple[str, Callable[[str], bool]]] = {
    "_prepared": ("psycopg", lambda url: psycopgs_statements(url) is not None),
    "_prepared_idx": ("psycopg", lambda url: hasattr(psycopgs_statements(url), "_prepared_idx")),
    "_unset_keepalive_if_required": ("uvicorn", lambda _: hasattr(HttpToolsProtocol, "_unset_keepalive_if_required")),
}
"""Each private attribute: of which library it is, and whether it is there; the argument is a database's URL."""
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
def test_the_library_still_has_it(name: str, postgres: str) -> None:
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
