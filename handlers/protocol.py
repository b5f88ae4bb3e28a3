"""Uvicorn's HTTP/1.1 protocol, with a problem document for bytes that are no HTTP request."""

from uuid import uuid4

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from handlers.problems import MEDIA_TYPE, invalid_input


class ProblemHttpProtocol(HttpToolsProtocol):
    """Answers what cannot be parsed: it never reaches the application."""

    def send_400_response(self, msg: str) -> None:
        """Send the 400 and close the connection. `msg` is uvicorn's own text."""
        request_id = uuid4().hex
        content = invalid_input([{"in": "header", "detail": msg}]).document(request_id)
        head = [
            b"HTTP/1.1 400 Bad Request",
            b"content-type: " + MEDIA_TYPE.encode(),
            b"content-length: " + str(len(content)).encode(),
            b"x-request-id: " + request_id.encode(),
            b"connection: close",
        ]
        self.transport.write(b"\r\n".join(head) + b"\r\n\r\n" + content)
        self.transport.close()
