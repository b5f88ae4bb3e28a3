"""Uvicorn's cycle of one request and its response, adapted to write a whole response at once."""

from typing import Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, RequestResponseCycle

_WITHOUT_CONTENT = (204, 304)


class ResponseCycle(RequestResponseCycle):
    """Writes the head of a response together with its content, if the head says how long the content is.

    Uvicorn makes a system call for each of the two, and matches two regular expressions with each header.
    """

    _head: Any = None

    async def send(self, message: Any) -> None:
        """Send an ASGI message, or keep it until the content comes. Raises RuntimeError for a header with a line break.

        The content must have the length that the head says.
        """
        if message["type"] == "http.response.start" and _is_whole(message):
            self._head = message
        elif self._head is not None:
            head, self._head = self._head, None
            await self._send_whole(head, message)
        else:
            await super().send(message)

    async def _send_whole(self, head: Any, message: Any) -> None:
        headers = [*self.default_headers, *head["headers"]]
        lines = b"".join([b"%b: %b\r\n" % header for header in headers])
        is_plain = self.keep_alive and not message.get("more_body") and b"connection: " not in lines
        if self.flow.write_paused or self.disconnected or not is_plain:
            await super().send(head)
            await super().send(message)
            return
        if lines.count(b"\n") != len(headers) or lines.count(b"\r") != len(headers):
            raise RuntimeError("a header has a line break")
        content = b"" if self.scope["method"] == "HEAD" else message.get("body", b"")
        self.transport.write(b"%b%b\r\n%b" % (STATUS_LINE[head["status"]], lines, content))
        self.waiting_for_100_continue = False
        self.response_started = self.response_complete = True
        self.message_event.set()
        self.on_response()


def _is_whole(start: Any) -> bool:
    return start["status"] in _WITHOUT_CONTENT or any(name == b"content-length" for name, _ in start["headers"])
