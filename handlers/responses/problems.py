"""Problem documents: errors as application/problem+json (RFC 9457)."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Any, NotRequired, TypedDict

import orjson
from starlette.types import Send

from handlers.responses.response import send_whole

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = {"Retry-After": "2"}
MOST_ERRORS = 100
_LONGEST_SUBJECT = 120

_SLUGS = {
    400: "invalid-input",
    401: "unauthorized",
    403: "forbidden",
    404: "not-found",
    405: "method-not-allowed",
    408: "request-timeout",
    409: "conflict",
    410: "gone",
    412: "precondition-failed",
    413: "content-too-large",
    415: "unsupported-media-type",
    422: "idempotency-mismatch",
    429: "too-many-streams",
    500: "internal-error",
    503: "service-unavailable",
}
# RFC 9110 renamed two; Python's HTTPStatus has the new names since 3.13.
_RENAMED = {413: "Content Too Large", 422: "Unprocessable Content"}
_TITLES = {status: HTTPStatus(status).phrase for status in _SLUGS} | _RENAMED

InputError = TypedDict("InputError", {"in": str, "name": NotRequired[str], "pointer": NotRequired[str], "detail": str})
"""One error in the input: `in` is query, path, header or body; `name` is a parameter's, `pointer` a JSON pointer (RFC
6901) into the body; `detail` is the end of a sentence that begins with either, or with the query or the head."""


class Problem(Exception):
    """An error as the client sees it.

    `status` is one of the contract's, `detail` is for people, `extensions` are members in addition to RFC 9457's own.
    `kind` is the end of its `type`, where the status has several.
    `log_message` and `log_fields` are for the operator only; a problem without them is not logged.
    """

    log_message: str | None = None
    log_fields: Mapping[str, str | None] = MappingProxyType({})

    def __init__(
        self,
        status: int,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        extensions: Mapping[str, Any] | None = None,
        kind: str | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.kind = kind or _SLUGS[status]
        self.detail = detail
        self.headers = dict(headers or {})
        self.extensions = dict(extensions or {})

    def members(self, request_id: str) -> dict[str, Any]:
        """Return the members of the problem document; its `instance` ends with the request's id."""
        own = {
            "type": f"urn:problem-type:todo-api:{self.kind}",
            "title": _TITLES[self.status],
            "status": self.status,
            "detail": self.detail,
            "instance": f"urn:request:{request_id}",
        }
        return own | self.extensions

    def document(self, request_id: str) -> bytes:
        """Return the problem as JSON."""
        return orjson.dumps(self.members(request_id), option=orjson.OPT_UTC_Z)


def invalid_input(errors: Sequence[InputError]) -> Problem:
    """Return the 400 that describes the first error and lists all, or the first MOST_ERRORS where there are more."""
    detail = f"{_subject(errors[0])} {errors[0]['detail']}{_and_more(len(errors) - 1)}"
    return Problem(400, detail, extensions={"errors": errors[:MOST_ERRORS]})


def _and_more(number: int) -> str:
    """Return how many more errors there are. Validation stops counting after MOST_ERRORS."""
    if number == 0:
        return ""
    least = "at least " if number >= MOST_ERRORS else ""
    return f" (and {least}{min(number, MOST_ERRORS)} more {'error' if number == 1 else 'errors'})"


def _subject(error: InputError) -> str:
    """Return what an error is about, as the beginning of a sentence."""
    if error["in"] == "header" and "name" not in error:
        return "The head of the request"
    if error["in"] == "query" and "name" not in error:
        return "The query"
    if error.get("pointer") == "":
        return "The body"
    subject = error.get("name") or _words(error.get("pointer", "/"))
    return subject if len(subject) <= _LONGEST_SUBJECT else f"{subject[: _LONGEST_SUBJECT - 1]}…"


def _words(pointer: str) -> str:
    """Return a JSON pointer in words: "/tags/0" is "tags value 1", as in an error of a repeated parameter."""
    member, *steps = (step.replace("~1", "/").replace("~0", "~") for step in pointer[1:].split("/"))
    return " ".join([member or '""', *(f"value {int(step) + 1}" if step.isdecimal() else step for step in steps)])


async def send_problem(send: Send, problem: Problem, request_id: str, headers: Mapping[str, str]) -> None:
    """Send a problem document with these headers, which must not describe the content."""
    await send_whole(send, problem.status, headers, problem.document(request_id), MEDIA_TYPE)
