"""The service and stock Connexion side by side: sends the same request to both, and finds the differences."""

import asyncio
import functools
import inspect
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import connexion
import pytest
import yaml
from connexion.options import SwaggerUIOptions
from jsonschema import Draft4Validator, Draft202012Validator
from starlette.types import ASGIApp, Message

from handlers.contract.document import operations
from handlers.contract.resolver import Handler, TagResolver, check_handler
from handlers.responses.problems import MEDIA_TYPE
from handlers.responses.response import NoContent
from handlers.responses.state import ServiceState
from handlers.service.app import create_app
from handlers.settings.settings import Settings
from tests.support.client import mint
from tests.support.conformance import CONTRACT
from tests.support.formats import FORMATS
from tests.support.server import ROOT, SECRET

Json = Any
USER = "ada"
AUTHORIZATION = (b"authorization", f"Bearer {mint(USER)}".encode())
# Arguments that the service passes to handlers in addition to what the contract declares.
OFFERED = {"database", "watchers", "cursors", "version", "newest_revision", "service"}
OFFERED |= {"count_event", "principal", "request_id", "fingerprint"}
HEADERS = {
    parameter["name"].lower().replace("-", "_"): parameter["name"]
    for parameter in CONTRACT["components"]["parameters"].values()
    if parameter["in"] == "header"
}


class Operation(NamedTuple):
    """An operation of the contract: its parameters, including those of its path, and the media types of its body.

    `limit` is the largest body in bytes.
    """

    name: str
    method: str
    path: str
    parameters: list[Json]
    content: Mapping[str, Json]
    limit: int

    @property
    def size(self) -> int:
        """The number of declared parts, from which the tests derive how many requests to try."""
        members = (media_type["schema"]["properties"] for media_type in self.content.values())
        return 2 + len(self.parameters) + sum(map(len, members))


def _operations() -> Iterator[Operation]:
    for path, method, declared in operations(CONTRACT):
        parameters = [*CONTRACT["paths"][path].get("parameters", []), *declared.get("parameters", [])]
        body = declared.get("requestBody", {})
        limit = body.get("x-body-limit", 65_536)
        yield Operation(declared["operationId"], method.upper(), path, parameters, body.get("content", {}), limit)


OPERATIONS = list(_operations())


class Request(NamedTuple):
    """A request as a server passes it to an application.

    `path` is decoded. `headers` lacks Authorization and the framing, Content-Length or Transfer-Encoding.
    """

    method: str
    path: str
    query: bytes = b""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""
    chunked: bool = False


class Outcome(NamedTuple):
    """The outcome of a request: the arguments of the handler's call, or the errors that prevented the call."""

    status: int
    arguments: dict[str, Any] | None
    errors: list[Any]


class Difference(NamedTuple):
    """One point in which the two sides differ.

    `kind` is `argument` if the handlers' arguments called `name` differ; `error` if only we reject the input called
    `name`, where `ours` is our message and `stock` the other handler's arguments; or `status`, with both outcomes.
    """

    kind: str
    name: str
    ours: Any
    stock: Any


class RecordingResolver(TagResolver):
    """A resolver whose handlers have the signatures of the real ones, but only record their arguments."""

    def __init__(self, headers: Mapping[str, str], response: Any) -> None:
        """Make every handler return `response`; `headers` maps arguments to the headers that a handler must read."""
        super().__init__(CONTRACT)
        self.arguments: dict[str, Any] | None = None
        self._headers = headers
        self._response = response

    def resolve_function_from_operation_id(self, operation_id: str) -> Handler:
        """Return a recording handler for an operation."""
        handler = check_handler(super().resolve_function_from_operation_id(operation_id), operation_id)
        headers = self._headers.keys() & inspect.signature(handler).parameters.keys()

        @functools.wraps(handler)
        async def record(**arguments: Any) -> Any:
            read = {name: connexion.request.headers.get(self._headers[name]) for name in headers}
            self.arguments = arguments | read
            return self._response

        return record


class Side:
    """One of the two sides: an application with recording handlers."""

    def __init__(self, app: ASGIApp, resolver: RecordingResolver) -> None:
        self._app = app
        self._resolver = resolver

    async def outcome(self, request: Request) -> Outcome:
        """Send a request, and return its outcome."""
        self._resolver.arguments = None
        messages: list[Message] = []
        received = iter([{"type": "http.request", "body": request.body}])

        async def receive() -> Message:
            return next(received, {"type": "http.disconnect"})

        async def send(message: Message) -> None:
            messages.append(message)

        try:
            await self._app(_scope(request), receive, send)
        except Exception:
            # A server would respond with 500.
            return Outcome(500, None, [])
        content = b"".join(message.get("body", b"") for message in messages[1:])
        problem = json.loads(content) if content.startswith(b"{") else {}
        arguments = self._resolver.arguments
        return Outcome(messages[0]["status"], arguments, problem.get("errors", []))


class Pair(NamedTuple):
    """Both sides, and the event loop in which they run."""

    ours: Side
    stock: Side
    runner: asyncio.Runner

    def outcomes(self, request: Request) -> tuple[Outcome, Outcome]:
        """Return the outcomes of a request on both sides."""
        return self.runner.run(self._outcomes(request))

    async def _outcomes(self, request: Request) -> tuple[Outcome, Outcome]:
        return await self.ours.outcome(request), await self.stock.outcome(request)


def principal_of(token: str) -> dict[str, str]:
    """Return the claims of a token, as stock Connexion requires of its `x-bearerInfoFunc`."""
    return {"sub": token}


@contextmanager
def both() -> Iterator[Pair]:
    """Yield the service, without a database, and stock Connexion with the same contract."""
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        ours = RecordingResolver({}, NoContent())
        patch.setattr("handlers.contract.routing.TagResolver", lambda _: ours)
        app = create_app(Settings.load({"BETTER_AUTH_SECRET": SECRET}, env_file=Path(os.devnull)))
        # Connexion's documentation registers formats this way. Draft 4 lacks these two, so take a later draft's.
        for name in ("date", "uuid"):
            patch.setitem(
                Draft4Validator.FORMAT_CHECKER.checkers, name, Draft202012Validator.FORMAT_CHECKER.checkers[name]
            )
        # These are the contract's own.
        for name in ("time-of-day", "time-zone"):
            patch.setitem(Draft4Validator.FORMAT_CHECKER.checkers, name, FORMATS.checkers[name])
        yield Pair(Side(app, ours), _stock(), runner)


def _stock() -> Side:
    # Stock Connexion fails if it has to choose a media type. Every operation declares this one.
    resolver = RecordingResolver(HEADERS, (None, 204, {"Content-Type": MEDIA_TYPE}))
    contract = yaml.safe_load((ROOT / "openapi.yaml").read_bytes())
    contract["components"]["securitySchemes"]["bearerAuth"]["x-bearerInfoFunc"] = f"{__name__}.principal_of"
    app = connexion.AsyncApp(__name__, swagger_ui_options=SwaggerUIOptions(swagger_ui=False))
    app.add_api(contract, resolver=resolver, strict_validation=True)
    return Side(app, resolver)


def _scope(request: Request) -> dict[str, Any]:
    headers = [AUTHORIZATION, *request.headers]
    if request.chunked:
        headers.append((b"transfer-encoding", b"chunked"))
    elif request.body:
        headers.append((b"content-length", str(len(request.body)).encode()))
    return {
        "type": "http",
        "http_version": "1.1",
        "method": request.method,
        "scheme": "http",
        "server": ("127.0.0.1", 80),
        "client": ("127.0.0.1", 1),
        "root_path": "",
        "path": request.path,
        "raw_path": quote(request.path).encode(),
        "query_string": request.query,
        "headers": headers,
        "state": ServiceState([], 0).as_lifespan_state(),
    }


def differences(ours: Outcome, stock: Outcome) -> list[Difference]:
    """Return every difference between two outcomes."""
    if ours.status == stock.status == 204 and ours.arguments is not None and stock.arguments is not None:
        names = sorted((ours.arguments.keys() | stock.arguments.keys()) - OFFERED)
        pairs = [(name, ours.arguments.get(name), stock.arguments.get(name)) for name in names]
        # Compare representations, since in Python 1 == True == 1.0.
        return [Difference("argument", *pair) for pair in pairs if repr(pair[1]) != repr(pair[2])]
    if ours.errors and stock.status == 204:
        return [Difference("error", _place(error), error["detail"], stock.arguments) for error in ours.errors]
    if ours.status != stock.status:
        return [Difference("status", "", ours, stock)]
    return []


def _place(error: Mapping[str, str]) -> str:
    """Return the name of a parameter, or a JSON pointer into the body (RFC 6901)."""
    return error.get("name") or f"/{error.get('pointer', '').removeprefix('/')}"
