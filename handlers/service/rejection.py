"""The response to what never becomes a request, because its head is invalid or late."""

from collections.abc import Iterable
from secrets import token_hex

from uvicorn.protocols.http.httptools_impl import STATUS_LINE

from handlers.responses.problems import MEDIA_TYPE, Problem
from handlers.telemetry.logs import log_request


def rejection(problem: Problem, headers: Iterable[tuple[bytes, bytes]], client: tuple[str, int] | None) -> bytes:
    """Return a whole response that ends the connection, with these headers, and log it.

    Uvicorn would send plain text, without a request id and without security headers.
    """
    request_id = token_hex(16)
    content = problem.document(request_id)
    lines = [
        b"content-type: " + MEDIA_TYPE.encode(),
        b"content-length: %d" % len(content),
        b"x-request-id: " + request_id.encode(),
        *(b"%s: %s" % header for header in headers),
        b"connection: close",
    ]
    log_request(
        method=None,
        route=None,
        status=problem.status,
        seconds=0.0,
        request_id=request_id,
        user_id=None,
        client=client,
    )
    return STATUS_LINE[problem.status] + b"\r\n".join(lines) + b"\r\n\r\n" + content
