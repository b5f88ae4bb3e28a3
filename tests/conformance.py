"""Holds every answer that a test gets to what the contract declares."""

import re
from typing import Any

import httpx
import yaml
from connexion.json_schema import Draft4ResponseValidator
from connexion.spec import Specification

from tests.server import ROOT

CONTRACT: Any = Specification.load(yaml.safe_load((ROOT / "openapi.yaml").read_bytes()))
PATHS = [
    (re.compile("[^/]+".join(map(re.escape, re.split(r"\{[^}]+\}", path)))), item)
    for path, item in CONTRACT["paths"].items()
]
# HTTP's own; the Fetch standard's and those of security, which the contract speaks of in its description.
UNDECLARED = re.compile(
    "connection|content-.*|date|vary|access-control-.*|x-content-type-options|referrer-policy|strict-transport-security"
)


def check(response: httpx.Response) -> None:
    """Fail unless an operation's answer has a status, headers and a body that the contract declares."""
    item: Any = next((item for path, item in PATHS if path.fullmatch(response.request.url.path)), {})
    method = response.request.method.lower()
    operation = item.get("get" if method == "head" else method)
    if operation is None:
        return
    where = f"{operation['operationId']} {response.status_code}"
    declared = operation["responses"].get(str(response.status_code))
    assert declared is not None, f"{where} is not declared"
    headers = {name.lower(): header for name, header in declared["headers"].items()}
    undeclared = {name for name in response.headers if not UNDECLARED.fullmatch(name)} - headers.keys()
    assert not undeclared, f"{where}: {undeclared} not declared"
    for name, header in headers.items():
        value = response.headers[name]
        Draft4ResponseValidator(header["schema"]).validate(
            int(value) if header["schema"]["type"] == "integer" else value
        )
    if method != "head":
        check_body(response, declared.get("content", {}), where)


def check_body(response: httpx.Response, declared: Any, where: str) -> None:
    """Fail unless the body is of a media type that is declared, and as its schema says."""
    response.read()
    if not declared:
        assert response.content == b"", where
        return
    media_type = response.headers["Content-Type"]
    assert media_type in declared, f"{where}: {media_type} not declared"
    Draft4ResponseValidator(declared[media_type]["schema"]).validate(response.json())
