"""Checks every response that a test receives against the contract, and records which declared responses occurred."""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import yaml
from connexion.json_schema import Draft4ResponseValidator
from connexion.spec import Specification
from jsonschema import validators

from tests.support.formats import FORMATS

# Connexion reads the contract and jsonschema validates here, independently of the service, which uses jsonschema-rs.
CONTRACT: Any = Specification.load(yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_bytes()))
OPERATIONS: dict[tuple[str, str], Any] = {
    (method.upper(), path): operation
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
"""Each operation with its references resolved, by method and path template."""
# The headers that the contract's description promises for every response, in addition to the declared ones.
EVERYWHERE = {"x-content-type-options", "referrer-policy", "content-security-policy"}
# Headers of HTTP and of the Fetch standard, and the header that only production sends.
UNDECLARED = {"connection", "content-length", "content-type", "date", "transfer-encoding", "vary"}
UNDECLARED |= {"strict-transport-security"}
UNDECLARED |= {f"access-control-{name}" for name in ("allow-origin", "allow-credentials", "expose-headers")}
# A stream may never end, so its test reads it instead of this check.
STREAM = "text/event-stream"
_extend: Any = validators.extend
Pair = tuple[str, str]
"""An operation's id and a status."""
PRODUCED: set[Pair] = set()
"""The pairs that occurred and conformed to the contract."""


class NotInContract(Exception):
    """A response violates the contract. It is not an AssertionError, which a test may catch."""


class DeclaredResponse:
    """A Response Object (OpenAPI 3.0.3, section 4.7.17) with its schemas compiled."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        """Compile a declared response. Raises NotImplementedError for a format without a checker."""
        headers = declared["headers"]
        self._headers = {name.lower(): _validator(header["schema"]) for name, header in headers.items()}
        self._required = {name.lower() for name, header in headers.items() if header.get("required")}
        self._bodies = {name: _validator(body["schema"]) for name, body in declared.get("content", {}).items()}

    def violations(self, response: httpx.Response) -> Iterator[str]:
        """Yield each way in which a response differs from the declaration."""
        headers = response.headers
        for name in sorted((self._required | EVERYWHERE) - headers.keys()):
            yield f"the header {name} is missing"
        for name in sorted(headers.keys() - self._headers.keys() - EVERYWHERE - UNDECLARED):
            yield f"the header {name} is not declared"
        for name in sorted(self._headers.keys() & headers.keys()):
            validator = self._headers[name]
            yield from _schema_violations(
                validator, _value(headers[name], validator.schema["type"]), f"the header {name}"
            )
        yield from self._body_violations(response) if self._bodies else _content_violations(response)

    def _body_violations(self, response: httpx.Response) -> Iterator[str]:
        media_type = response.headers.get("Content-Type")
        if media_type not in self._bodies:
            yield f"the media type {media_type} is not declared"
        elif response.request.method == "HEAD":
            if response.read():
                yield "the response to HEAD has a body"
        elif media_type != STREAM:
            yield from _schema_violations(self._bodies[media_type], response.json(), "the body")


def _validator(schema: Mapping[str, Any]) -> Any:
    for name in re.findall(r"'format': '([^']+)'", str(schema)):
        if name not in FORMATS.checkers:
            raise NotImplementedError(f"no checker for the format {name}")
    return _extend(Draft4ResponseValidator, {"items": _Items()})(_closed(schema), format_checker=FORMATS)


class _Items:
    """The keyword `items`. What was valid once is not validated again: a test may read the same task many times."""

    def __init__(self) -> None:
        self._valid: set[tuple[int, int]] = set()

    def __call__(self, validator: Any, items: Any, instance: Any, _: Any) -> Iterator[Any]:
        for index, item in enumerate(instance if isinstance(instance, list) else ()):
            # The validator has the schema for as long as it has this set.
            key = id(items), hash(json.dumps(item))
            if key not in self._valid:
                errors = list(validator.descend(item, items, path=index))
                yield from errors
                self._valid |= set() if errors else {key}


def _closed(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a schema that rejects the members that it does not declare.

    Clients must ignore such members, but this version of the server must not send them.
    """
    closed = _with_closed_parts(schema)
    if names := _members(schema):
        # Draft 4 does not look for a member in an allOf.
        closed["properties"] = {name: {} for name in names} | closed.get("properties", {})
        closed["additionalProperties"] = False
    return closed


def _with_closed_parts(schema: Mapping[str, Any]) -> dict[str, Any]:
    closed = dict(schema)
    if "items" in schema:
        closed["items"] = _closed(schema["items"])
    if "properties" in schema:
        closed["properties"] = {name: _closed(member) for name, member in schema["properties"].items()}
    if "allOf" in schema:
        closed["allOf"] = [_with_closed_parts(part) for part in schema["allOf"]]
    return closed


def _members(schema: Mapping[str, Any]) -> list[str]:
    return [*schema.get("properties", ()), *(name for part in schema.get("allOf", ()) for name in _members(part))]


def _value(text: str, kind: str) -> str | int:
    return int(text) if kind == "integer" and re.fullmatch("-?[0-9]+", text) else text


def _schema_violations(validator: Any, value: Any, where: str) -> Iterator[str]:
    for error in validator.iter_errors(value):
        yield f"{where}, {error.json_path}: {error.message[:200]}"


def _content_violations(response: httpx.Response) -> Iterator[str]:
    """Yield the violations of a response without declared content (RFC 9110, sections 8.6, 15.3.5 and 15.4.5)."""
    if response.content or "Content-Type" in response.headers:
        yield "there is a body, and none is declared"
    if response.status_code == 204 and "Content-Length" in response.headers:
        yield "a 204 has a Content-Length"


def _operations(item: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, DeclaredResponse]]]:
    """Return, by method, each operation's id and its declared responses by status."""
    return {
        method.upper(): (
            operation["operationId"],
            {code: DeclaredResponse(one) for code, one in operation["responses"].items()},
        )
        for method, operation in item.items()
        if method != "parameters"
    }


class PathItem:
    """A path and its operations, and the responses to other methods, which the contract's description defines."""

    def __init__(self, path: str, item: Mapping[str, Any]) -> None:
        # The server matches no path that contains a line feed.
        self._pattern = re.compile(r"[^/\n]+".join(map(re.escape, re.split(r"\{[^}]+\}", path))))
        self._operations = _operations(item)
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        components = CONTRACT["components"]
        allow = {"type": "string", "enum": [", ".join(sorted({*self._operations, "OPTIONS"}))]}
        headers = {"X-Request-ID": components["headers"]["X-Request-ID"], "Allow": {"required": True, "schema": allow}}
        problem = {"application/problem+json": {"schema": components["schemas"]["Problem"]}}
        # The HTTP parser rejects unknown methods with 400 before routing can reject them with 405.
        rejections = {
            "400": DeclaredResponse(components["responses"]["BadRequest"]),
            "405": DeclaredResponse({"headers": headers, "content": problem}),
        }
        self._others = f"a method that {path} does not take", rejections
        self._operations["OPTIONS"] = f"OPTIONS of {path}", {"204": DeclaredResponse({"headers": headers})}

    def has(self, path: str) -> bool:
        """Return whether a path matches this template."""
        return self._pattern.fullmatch(path) is not None

    def operation_id(self, method: str) -> str:
        """Return the operationId of one of the path's methods."""
        return self._operations[method][0]

    def check(self, response: httpx.Response) -> None:
        """Record a response, or raise NotInContract if it violates the contract."""
        method, status = response.request.method, str(response.status_code)
        name, declared = self._operations.get(method, self._others)
        known = status in declared
        violations = list(declared[status].violations(response)) if known else ["the status is not declared"]
        if violations:
            raise NotInContract(f"{name} {status}: {'; '.join(violations)}")
        if method != "HEAD":
            PRODUCED.add((name, status))


# OpenAPI 3.0.3, section 4.7.8.1: a path with fewer templates is matched first.
PATHS = [
    PathItem(path, CONTRACT["paths"][path]) for path in sorted(CONTRACT["paths"], key=lambda path: path.count("{"))
]
DECLARED: set[Pair] = {
    (operation["operationId"], status) for operation in OPERATIONS.values() for status in operation["responses"]
}


def check(response: httpx.Response) -> None:
    """Raise NotInContract if a response to a request for one of the contract's paths violates the contract."""
    request = response.request
    # A preflight (Fetch standard, section 3.2) is not a call of an operation: the browser sends it before the call.
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return
    target: bytes = request.extensions.get("target", request.url.raw_path)
    path = unquote(target.partition(b"?")[0])
    item = next((item for item in PATHS if item.has(path)), None)
    if item is not None:
        if response.headers.get("Content-Type") != STREAM:
            response.read()
        item.check(response)


async def check_async(response: httpx.Response) -> None:
    """Do what `check` does, for an asynchronous client."""
    if response.headers.get("Content-Type") != STREAM:
        await response.aread()
    check(response)
