"""An answer as ASGI's messages."""

from collections.abc import Mapping

from starlette.types import Send


async def respond(send: Send, status: int, headers: Mapping[str, str], content: bytes) -> None:
    """Send a whole answer; the values of headers are Latin-1 (RFC 9110, section 5.5)."""
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": status, "headers": raw})
    await send({"type": "http.response.body", "body": content})
