"""The contract, served as written and as JSON, from memory."""

from collections.abc import Awaitable, Callable
from hashlib import sha256

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from handlers.contract import Contract
from handlers.preconditions import names


def contract_routes(contract: Contract) -> list[Route]:
    """Return the routes of `/openapi.yaml`, byte for byte, and of `/openapi.json`, its references kept."""
    return [
        Route("/openapi.yaml", _document(contract.yaml, "application/yaml"), methods=["GET"]),
        Route("/openapi.json", _document(contract.json, "application/json"), methods=["GET"]),
    ]


def _document(content: bytes, media_type: str) -> Callable[[Request], Awaitable[Response]]:
    digest = sha256(content).hexdigest()
    headers = {"ETag": f'"{digest}"', "Cache-Control": "no-cache"}

    async def answer(request: Request) -> Response:
        if names(", ".join(request.headers.getlist("if-none-match")), digest):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer
