"""Holds every answer that a test gets to what the contract declares, and notes which answers were seen."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import yaml
from connexion.json_schema import Draft4ResponseValidator
from connexion.spec import Specification

from tests.support.formats import FORMATS

# Read by Connexion and checked by jsonschema: the product compiles its schemas itself, for jsonschema-rs.
CONTRACT: Any = Specification.load(yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_bytes()))
OPERATIONS: dict[tuple[str, str], Any] = {
    (method.upper(), path): operation
    for path, item in CONTRACT["paths"].items()
    for method, operation in item.items()
    if method != "parameters"
}
"""Each operation, its references resolved, by its method and its path template."""
# What the contract's description says of every answer, beside what each operation declares.
EVERYWHERE = {"x-content-type-options", "referrer-policy", "content-security-policy"}
# HTTP's own, the Fetch standard's, and the one of production.
UNDECLARED = {"connection", "content-length", "content-type", "date", "vary", "strict-transport-security"} | {
    f"access-control-{name}" for name in ("allow-origin", "allow-credentials", "expose-headers")
}
Pair = tuple[str, str]
"""An operation's id and a status."""
PRODUCED: set[Pair] = set()
"""The pairs that were seen, and were as declared."""


class NotInContract(Exception):
    """An answer is not as the contract says. It is no AssertionError, which a test may forgive."""


class Answer:
    """A Response Object (OpenAPI 3.0.3, section 4.7.17), its schemas compiled once."""

    def __init__(self, declared: Mapping[str, Any]) -> None:
        """Compile what is declared. Raises NotImplementedError for a format that nothing would check."""
        self._headers = {name.lower(): _validator(header["schema"]) for name, header in declared["headers"].items()}
        self._bodies = {name: _validator(body["schema"]) for name, body in declared.get("content", {}).items()}

    def faults(self, response: httpx.Response) -> Iterator[str]:
        """Yield what is not as declared."""
        headers = response.headers
        for name in sorted((self._headers.keys() | EVERYWHERE) - headers.keys()):
            yield f"the header {name} is missing"
        for name in sorted(headers.keys() - self._headers.keys() - EVERYWHERE - UNDECLARED):
            yield f"the header {name} is not declared"
        for name in sorted(self._headers.keys() & headers.keys()):
            validator = self._headers[name]
            yield from _faults(validator, _value(headers[name], validator.schema["type"]), f"the header {name}")
        yield from self._body_faults(response) if self._bodies else _content_faults(response)

    def _body_faults(self, response: httpx.Response) -> Iterator[str]:
        media_type = response.headers.get("Content-Type")
        if media_type not in self._bodies:
            yield f"the media type {media_type} is not declared"
        elif response.request.method != "HEAD":
            yield from _faults(self._bodies[media_type], response.json(), "the body")
        elif response.content:
            yield "an answer to HEAD has a body"


def _validator(schema: Mapping[str, Any]) -> Any:
    for name in re.findall(r"'format': '([^']+)'", str(schema)):
        if name not in FORMATS.checkers:
            raise NotImplementedError(f"nothing checks the format {name}")
    return Draft4ResponseValidator(schema, format_checker=FORMATS)


def _value(text: str, kind: str) -> str | int:
    return int(text) if kind == "integer" and re.fullmatch("-?[0-9]+", text) else text


def _faults(validator: Any, value: Any, where: str) -> Iterator[str]:
    for error in validator.iter_errors(value):
        yield f"{where}, {error.json_path}: {error.message[:200]}"


def _content_faults(response: httpx.Response) -> Iterator[str]:
    """Yield what is wrong where no content is declared (RFC 9110, sections 8.6, 15.3.5 and 15.4.5)."""
    if response.content or "Content-Type" in response.headers:
        yield "there is a body, and none is declared"
    if response.status_code == 204 and "Content-Length" in response.headers:
        yield "a 204 has a Content-Length"


def _operations(item: Mapping[str, Any]) -> dict[str, tuple[str, dict[str, Answer]]]:
    """Return, by method, an operation's id and its answers by status."""
    return {
        method.upper(): (operation["operationId"], {code: Answer(one) for code, one in operation["responses"].items()})
        for method, operation in item.items()
        if method != "parameters"
    }


class PathItem:
    """A path, its operations, and what the contract's description says of the methods that are none."""

    def __init__(self, path: str, item: Mapping[str, Any]) -> None:
        # The server takes no path with a line feed.
        self._pattern = re.compile(r"[^/\n]+".join(map(re.escape, re.split(r"\{[^}]+\}", path))))
        self._operations = _operations(item)
        if "GET" in self._operations:
            self._operations["HEAD"] = self._operations["GET"]
        components = CONTRACT["components"]
        allow = {"type": "string", "enum": [", ".join(sorted({*self._operations, "OPTIONS"}))]}
        headers = {"X-Request-ID": components["headers"]["X-Request-ID"], "Allow": {"schema": allow}}
        problem = {"application/problem+json": {"schema": components["schemas"]["Problem"]}}
        # HTTP's parser knows fewer methods than there may be.
        refusals = {
            "400": Answer(components["responses"]["BadRequest"]),
            "405": Answer({"headers": headers, "content": problem}),
        }
        self._others = f"a method that {path} does not take", refusals
        self._operations["OPTIONS"] = f"OPTIONS of {path}", {"204": Answer({"headers": headers})}

    def has(self, path: str) -> bool:
        """Tell whether a path is this one, its parameters filled in."""
        return self._pattern.fullmatch(path) is not None

    def operation_id(self, method: str) -> str:
        """Return the operationId of a method that the path takes."""
        return self._operations[method][0]

    def check(self, response: httpx.Response) -> None:
        """Raise NotInContract unless an answer is as declared, and note it."""
        method, status = response.request.method, str(response.status_code)
        name, answers = self._operations.get(method, self._others)
        faults = list(answers[status].faults(response)) if status in answers else ["the status is not declared"]
        if faults:
            raise NotInContract(f"{name} {status}: {'; '.join(faults)}")
        if method != "HEAD":
            PRODUCED.add((name, status))


PATHS = [PathItem(path, item) for path, item in CONTRACT["paths"].items()]
DECLARED: set[Pair] = {
    (operation["operationId"], status) for operation in OPERATIONS.values() for status in operation["responses"]
}


def check(response: httpx.Response) -> None:
    """Raise NotInContract unless the answer to a request for a path of the contract is as declared."""
    request = response.request
    # A preflight (Fetch standard, section 3.2) is the browser's, before it asks for any operation.
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        return
    target: bytes = request.extensions.get("target", request.url.raw_path)
    path = unquote(target.partition(b"?")[0])
    item = next((item for item in PATHS if item.has(path)), None)
    if item is not None:
        response.read()
        item.check(response)


async def check_async(response: httpx.Response) -> None:
    """Do as `check` does, for a client that is asynchronous."""
    await response.aread()
    check(response)
