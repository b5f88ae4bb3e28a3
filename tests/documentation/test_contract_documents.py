"""The server serves the same contract that it is built from."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import yaml

from tests.support.server import ROOT

CONTRACT = ROOT / "openapi.yaml"
DOCUMENTS = ["/openapi.yaml", "/openapi.json"]


def keys(document: Any) -> Iterator[str]:
    """Yield every key of a document, at any depth."""
    if isinstance(document, dict):
        for key, value in document.items():
            yield key
            yield from keys(value)
    elif isinstance(document, list):
        for value in document:
            yield from keys(value)


@pytest.fixture(scope="module")
def nobody(server: str) -> Iterator[httpx.Client]:
    """Yield a client without a token."""
    with httpx.Client(base_url=server) as client:
        yield client


def test_the_yaml_is_the_file_byte_for_byte(nobody: httpx.Client) -> None:
    response = nobody.get("/openapi.yaml")
    assert response.status_code == 200
    assert response.headers["Content-Type"].split(";")[0] == "application/yaml"
    assert response.content == CONTRACT.read_bytes()


def test_the_json_is_the_same_document_with_its_references_unresolved(nobody: httpx.Client) -> None:
    response = nobody.get("/openapi.json")
    assert response.status_code == 200
    assert response.headers["Content-Type"].split(";")[0] == "application/json"
    assert response.json() == yaml.safe_load(CONTRACT.read_bytes())
    assert list(keys(response.json())).count("$ref") > 50


def test_the_only_extensions_are_those_that_the_introduction_defines(nobody: httpx.Client) -> None:
    contract = nobody.get("/openapi.json").json()
    extensions = {key for key in keys(contract) if key.startswith("x-")}
    rules = {"x-at-least-one", "x-unique-ids", "x-not-with", "x-disjoint", "x-same-members", "x-same-ids"}
    rules |= {"x-needs", "x-not-with-null", "x-only-with"}
    assert extensions == {"x-normalization", "x-body-limit", "x-events", *rules}
    assert all(f"`{name}" in contract["info"]["description"] for name in extensions)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_an_unchanged_document_returns_304(nobody: httpx.Client, path: str) -> None:
    first = nobody.get(path)
    tag = first.headers["ETag"]
    for held in (tag, f'"other", {tag}', f"W/{tag}", "*"):
        response = nobody.get(path, headers={"If-None-Match": held})
        assert (response.status_code, response.content, response.headers["ETag"]) == (304, b"", tag)
    for held in ('"other"', tag.strip('"')):
        assert nobody.get(path, headers={"If-None-Match": held}).content == first.content


def test_each_document_has_a_different_entity_tag(nobody: httpx.Client) -> None:
    assert len({nobody.get(path).headers["ETag"] for path in DOCUMENTS}) == len(DOCUMENTS)


@pytest.mark.parametrize("path", DOCUMENTS)
def test_a_document_needs_no_token_and_ignores_an_invalid_one(nobody: httpx.Client, path: str) -> None:
    assert nobody.get(path, headers={"Authorization": "Bearer nonsense"}).status_code == 200
