"""Request bodies: checks of their size and media type, and their JSON, validated and converted."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

import orjson
from starlette.types import Receive, Scope

from handlers.contract.conversion import Convert, converter
from handlers.contract.errors import ContractError
from handlers.contract.messages import REQUIRED
from handlers.contract.normalisation import normaliser
from handlers.contract.read_only import IN_PATH, members_in_path
from handlers.contract.rules import rule
from handlers.contract.schemas import Schema, draft4
from handlers.contract.traversal import Place
from handlers.contract.validator import TooDeep, Validator
from handlers.responses.problems import MOST_ERRORS, InputError, Problem

_LONGEST_POINTER = 500


class _TooLarge(Problem):
    """The body is larger than the service accepts."""

    def __init__(self, limit: int) -> None:
        super().__init__(413, f"The body is larger than {limit} bytes.")


class ClientDisconnected(Exception):
    """The client disconnected before it had sent the whole body, so nobody is waiting for a response."""


class _Content:
    """The compiled schema of a body in one media type."""

    def __init__(self, schema: Schema, in_path: Mapping[str, str]) -> None:
        translated = draft4(schema, in_path.keys())
        self.in_path = members_in_path(translated)
        self._validator = Validator(translated)
        self._normalise = normaliser(translated) or _unchanged
        self._rule = rule(translated)
        self._convert: Convert = converter(translated) or _unchanged

    def parse(self, content: bytes) -> tuple[Any, list[InputError]]:
        """Return the body, converted for the handler, and all errors. If there are errors, do not use the body."""
        if not content:
            return None, [_error((), REQUIRED)]
        try:
            body = self._normalise(orjson.loads(content))
        except orjson.JSONDecodeError as error:
            return None, [_error((), f"is not JSON in UTF-8: {error}"[:500])]
        try:
            found = [] if self._validator.is_valid(body) else self._validator.errors(body, MOST_ERRORS + 1)
        except TooDeep:
            return None, [_error((), "is nested too deeply")]
        if self._rule is not None:
            found += islice(self._rule(body), MOST_ERRORS + 1)
        return (None, [_error(place, words) for place, words in found]) if found else (self._convert(body), [])


class RequestBody:
    """A Request Body Object (OpenAPI 3.0.3, section 4.7.13), compiled: one schema for each media type."""

    def __init__(self, declared: Mapping[str, Any], limit: int, in_path: Mapping[str, str]) -> None:
        """Compile the declaration. Raises ContractError if it is not supported.

        `limit` is in bytes, and the declaration's `x-body-limit` can raise it; `in_path` are the path's parameters that
        a body may repeat, by the names of its members.
        """
        if not declared.get("required", False):
            raise ContractError("an optional request body is not supported")
        self._limit = max(limit, declared.get("x-body-limit", 0))
        self._in_path = in_path
        self._contents = {
            media_type: _Content(content["schema"], in_path) for media_type, content in declared["content"].items()
        }

    async def read(self, scope: Scope, receive: Receive) -> tuple[Any, list[InputError], bytes]:
        """Return the parsed body, all its errors, and its bytes.

        Raises Problem 415 and 413, and ClientDisconnected.
        """
        media_type = self._media_type(scope["headers"])
        content = await _read(receive, self._limit)
        if media_type is not None:
            declared = self._contents[media_type]
            if declared.in_path:
                IN_PATH.set({member: scope["path_params"][self._in_path[member]] for member in declared.in_path})
            return *declared.parse(content), content
        if content:
            raise self._unsupported()
        return None, [_error((), REQUIRED)], content

    def _media_type(self, headers: Sequence[tuple[bytes, bytes]]) -> str | None:
        """Return the media type of the body, None without a Content-Type. Raises Problem 413 and 415."""
        content_type = None
        for name, value in headers:
            if name == b"content-type":
                if content_type is not None:
                    raise self._unsupported()
                content_type = value.decode("latin-1")
            elif name == b"content-encoding" and value.lower() not in (b"", b"identity"):
                raise Problem(415, "The body must be sent without a Content-Encoding.")
            elif name == b"content-length" and _number(value) > self._limit:
                raise _TooLarge(self._limit)
        if content_type is None:
            return None
        media_type, *parameters = content_type.lower().split(";")
        media_type = media_type.strip()
        if media_type not in self._contents or not all(map(_is_harmless, parameters)):
            raise self._unsupported()
        return media_type

    def _unsupported(self) -> Problem:
        return Problem(415, f"The body must be sent as {' or '.join(self._contents)}, in UTF-8.")


def _unchanged(body: Any) -> Any:
    return body


async def read_to_end(receive: Receive, limit: int) -> list[InputError]:
    """Read and drop a body that the contract does not declare; return an error if it is larger than `limit` bytes.

    An incomplete request must not take effect (RFC 9112, section 8). Raises Problem 408 and ClientDisconnected.
    """
    try:
        await _read(receive, limit)
    except _TooLarge:
        return [_error((), f"must have at most {limit} bytes")]
    return []


async def _read(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnected
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > limit:
            raise _TooLarge(limit)
        chunks.append(chunk)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _number(digits: bytes) -> int:
    """Return a Content-Length. The parser accepts at most 2^64 - 1, but any number of leading zeros."""
    return int(digits.lstrip(b"0") or b"0")


def _is_harmless(parameter: str) -> bool:
    """Return whether a parameter of the media type can be ignored: JSON has none (RFC 8259) and is always UTF-8."""
    name, _, value = parameter.partition("=")
    return name.strip() != "charset" or value.strip().strip('"') in ("utf-8", "utf8")


def _error(place: Place, words: str) -> InputError:
    return {"in": "body", "pointer": _pointer(place), "detail": words}


def _pointer(place: Place) -> str:
    """Return a place as a JSON pointer (RFC 6901, section 3), cut off if a member's name is very long."""
    steps = (str(step).replace("~", "~0").replace("/", "~1") for step in place)
    pointer = "".join(f"/{step}" for step in steps)
    return pointer if len(pointer) <= _LONGEST_POINTER else pointer[: _LONGEST_POINTER - 1] + "…"
