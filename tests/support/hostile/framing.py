"""Framing, which decides where a request ends: lengths, chunks, pipelines, versions and methods (RFC 9112)."""

from tests.support.hostile.case import AUTHORIZATION, HOST, JSON, LIVE, TASKS, TITLE, VERIFY, Case, get, head, post

_POST = f"POST {TASKS} HTTP/1.1"
_LIVE = f"GET {LIVE} HTTP/1.1"
_SMUGGLED = head("GET /smuggled HTTP/1.1", HOST)
_CHUNKED = b"Transfer-Encoding: chunked"
_CHUNK = b"%x\r\n%b\r\n" % (len(TITLE), TITLE)
_END = b"0\r\n\r\n"


def _framed(*fields: bytes, content: bytes = TITLE) -> bytes:
    """Return a request to create a task, with these fields to frame its content."""
    return head(_POST, HOST, AUTHORIZATION, JSON, *fields) + content


def _chunked(content: bytes) -> bytes:
    return _framed(_CHUNKED, content=content)


CHUNKS: dict[str, tuple[bytes, int]] = {
    "one chunk": (_CHUNK + _END, 201),
    "chunks of one byte": (b"".join(b"1\r\n%c\r\n" % byte for byte in TITLE) + _END, 201),
    "leading zeros": (b"0000000e\r\n%b\r\n000\r\n\r\n" % TITLE, 201),
    "size in upper case": (b"E\r\n%b\r\n" % TITLE + _END, 201),
    "extension": (b"e;a=b\r\n%b\r\n0;last\r\n\r\n" % TITLE, 201),
    "quoted extension": (b'e;a="b;c"\r\n%b\r\n' % TITLE + _END, 201),
    "extension of 10,000 bytes": (b"e;a=%b\r\n%b\r\n" % (b"x" * 10_000, TITLE) + _END, 201),
    "trailer": (_CHUNK + b"0\r\nX-A: b\r\n\r\n", 201),
    "100 trailers": (_CHUNK + b"0\r\n" + b"X-A: b\r\n" * 100 + b"\r\n", 201),
    "trailer that would be rejected as a header": (_CHUNK + b"0\r\nContent-Encoding: gzip\r\n\r\n", 201),
    "trailer with another token": (_CHUNK + b"0\r\nAuthorization: Bearer x\r\n\r\n", 201),
    "no content": (_END, 400),
    "more than 64 KiB": (b"10001\r\n%b\r\n" % TITLE.ljust(65_537) + _END, 413),
    "5,000 chunks of one byte": (b"1\r\n \r\n" * 5000 + _CHUNK + _END, 201),
    "100 chunks of 1,000 bytes": (b"3e8\r\n%b\r\n" % (b" " * 1000) * 100 + _END, 413),
}

BROKEN_CHUNKS: dict[str, bytes] = {
    "no size": b"\r\n" + _CHUNK + _END,
    "size that is not a number": b"x\r\n%b\r\n" % TITLE + _END,
    "negative size": b"-e\r\n%b\r\n" % TITLE + _END,
    "size with a plus": b"+e\r\n%b\r\n" % TITLE + _END,
    "size with 0x": b"0xe\r\n%b\r\n" % TITLE + _END,
    "size with an underscore": b"0_e\r\n%b\r\n" % TITLE + _END,
    "size after a space": b" e\r\n%b\r\n" % TITLE + _END,
    "size of 17 digits": b"1000000000000000e\r\n%b\r\n" % TITLE + _END,
    "size of 2^64": b"ffffffffffffffffe\r\n%b\r\n" % TITLE + _END,
    "size too small": b"5\r\n%b\r\n" % TITLE + _END,
    "LF after the size": b"e\n%b\r\n" % TITLE + _END,
    "LF after the content": b"e\r\n%b\n" % TITLE + _END,
    "no line end after the content": b"e\r\n%b0\r\n\r\n" % TITLE,
    "NUL in an extension": b"e;\x00\r\n%b\r\n" % TITLE + _END,
    "CR in an extension": b"e;a\rb\r\n%b\r\n" % TITLE + _END,
    "trailer with a length": _CHUNK + b"0\r\nContent-Length: 14\r\n\r\n",
    "trailer without a colon": _CHUNK + b"0\r\nnonsense\r\n\r\n",
    "101 trailers": _CHUNK + b"0\r\n" + b"X-A: b\r\n" * 101 + b"\r\n",
    "no chunks": TITLE,
}

# RFC 9112, section 6.1: chunked must be the last coding, applied once. The server supports no other coding.
CODINGS: dict[str, tuple[tuple[bytes, ...], int]] = {
    "in upper case": ((b"Transfer-Encoding: CHUNKED",), 201),
    "with whitespace": ((b"Transfer-Encoding: \t chunked ",), 201),
    "gzip": ((b"Transfer-Encoding: gzip",), 400),
    "identity": ((b"Transfer-Encoding: identity",), 400),
    "empty": ((b"Transfer-Encoding:",), 400),
    "gzip, chunked": ((b"Transfer-Encoding: gzip, chunked",), 400),
    "chunked, gzip": ((b"Transfer-Encoding: chunked, gzip",), 400),
    "chunked, identity": ((b"Transfer-Encoding: chunked, identity",), 400),
    "identity, chunked": ((b"Transfer-Encoding: identity, chunked",), 400),
    "chunked, chunked": ((b"Transfer-Encoding: chunked, chunked",), 400),
    "chunked twice": ((_CHUNKED, _CHUNKED), 400),
    "gzip, then chunked in a second field": ((b"Transfer-Encoding: gzip", _CHUNKED), 400),
    "chunked, then identity in a second field": ((_CHUNKED, b"Transfer-Encoding: identity"), 400),
    "xchunked": ((b"Transfer-Encoding: xchunked",), 400),
    "chunkedx": ((b"Transfer-Encoding: chunkedx",), 400),
    "quoted": ((b'Transfer-Encoding: "chunked"',), 400),
    "with a parameter": ((b"Transfer-Encoding: chunked;q=1",), 400),
    "after a control character": ((b"Transfer-Encoding: \x0bchunked",), 400),
    "folded": ((b"Transfer-Encoding:\r\n chunked",), 400),
    "space before the colon": ((b"Transfer-Encoding : chunked",), 400),
    "chunked, and a length": ((_CHUNKED, b"Content-Length: 5"), 400),
    "chunked, and a length of 0": ((_CHUNKED, b"Content-Length: 0"), 400),
    "chunked, after a length": ((b"Content-Length: 5", _CHUNKED), 400),
    "not chunked, and a length": ((b"Transfer-Encoding: xchunked", b"Content-Length: 5"), 400),
}

# RFC 9110, section 8.6: one field, which contains only digits.
LENGTHS: dict[str, bytes] = {
    "negative": b"-1",
    "with a plus": b"+14",
    "hexadecimal": b"0xe",
    "fraction": b"14.0",
    "exponent": b"1e1",
    "with an underscore": b"1_4",
    "empty": b"",
    "not a number": b"x",
    "two numbers": b"14 14",
    "list": b"14, 14",
    "list of different numbers": b"14, 15",
    "NUL after": b"14\x00",
    "Arabic digits": "١٤".encode(),
    "2^64": b"18446744073709551616",
    "5,000 digits": b"9" * 5000,
    "folded": b"\r\n 14",
    "given twice": b"14\r\nContent-Length: 14",
    "two different ones": b"14\r\nContent-Length: 15",
    "two, one in lower case": b"14\r\ncontent-length: 0",
}

METHODS: dict[str, tuple[str, int, bool]] = {
    "unknown": ("BREW", 400, False),
    "lower case": ("get", 400, False),
    "empty": ("", 400, False),
    "long": ("A" * 10_000, 400, False),
    "NUL": ("GE\x00T", 400, False),
    "not ASCII": ("GÉT", 400, False),
    "after a space": (" GET", 400, False),
    "with a colon": ("GET:", 400, False),
    "TRACE": ("TRACE", 405, True),
    "PUT": ("PUT", 405, True),
    "PROPFIND": ("PROPFIND", 405, True),
    "SEARCH": ("SEARCH", 405, True),
    "PURGE": ("PURGE", 405, True),
    "M-SEARCH": ("M-SEARCH", 405, True),
    "QUERY": ("QUERY", 405, True),
}

LINES: dict[str, bytes] = {
    "HTTP/0.9": b"GET /health/live",
    "version 0.9": b"GET /health/live HTTP/0.9",
    "version 2.0": b"GET /health/live HTTP/2.0",
    "version 2": b"GET /health/live HTTP/2",
    "version 1.2": b"GET /health/live HTTP/1.2",
    "version 9.9": b"GET /health/live HTTP/9.9",
    "version 1.10": b"GET /health/live HTTP/1.10",
    "version in letters": b"GET /health/live HTTP/x.y",
    "protocol in lower case": b"GET /health/live http/1.1",
    "another protocol": b"GET /health/live SIP/2.0",
    "tabs as separators": b"GET\t/health/live\tHTTP/1.1",
    "space at the end": b"GET /health/live HTTP/1.1 ",
    "nonsense": b"nonsense",
    "NULs": b"\x00" * 100,
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    "SSH": b"SSH-2.0-x",
    "PROXY": b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2",
    "a response": b"HTTP/1.1 200 OK",
    "no target": b"GET HTTP/1.1",
}

CASES = [
    *(Case(f"chunks: {name}", _chunked(content), (status,)) for name, (content, status) in CHUNKS.items()),
    *(Case(f"chunks: {name}", _chunked(content), (400,), "closed") for name, content in BROKEN_CHUNKS.items()),
    *(
        Case(
            f"transfer coding: {name}",
            _framed(*fields, content=_CHUNK + _END),
            (status,),
            "kept" if status == 201 else "closed",
        )
        for name, (fields, status) in CODINGS.items()
    ),
    *(Case(f"length: {name}", _framed(b"Content-Length: " + v), (400,), "closed") for name, v in LENGTHS.items()),
    *(
        Case(
            f"method: {name}",
            head(f"{method} {LIVE} HTTP/1.1", HOST),
            (status,),
            "kept" if kept else "closed",
        )
        for name, (method, status, kept) in METHODS.items()
    ),
    *(Case(f"line: {name}", head(line, HOST), (400,), "closed") for name, line in LINES.items()),
    Case(
        "line: HTTP/2 preface",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
        (400,),
        "closed",
    ),
    Case("line: HTTP/1.0", head(f"GET {LIVE} HTTP/1.0"), (200,), "closed"),
    Case("line: HTTP/1.0 with chunks", _chunked(_CHUNK + _END).replace(b"HTTP/1.1", b"HTTP/1.0"), (400,), "closed"),
    Case("line: two spaces", head(f"GET {LIVE}  HTTP/1.1", HOST), (200,)),
    Case("line: empty lines before", b"\r\n\r\n" + head(_LIVE, HOST), (200,)),
    Case("line: upgrade to HTTP/2", head(_LIVE, HOST, b"Connection: Upgrade, HTTP2-Settings", b"Upgrade: h2c"), (200,)),
    Case("line: upgrade to WebSocket", head(_LIVE, HOST, b"Connection: Upgrade", b"Upgrade: websocket"), (200,)),
    Case("length: leading zeros", _framed(b"Content-Length: %b14" % (b"0" * 40)), (201,)),
    Case("length: 0, with content", _framed(b"Content-Length: 0"), (400, 400), "closed"),
    Case("length: missing, with content", _framed(), (400, 400), "closed"),
    Case("length: too short", _framed(b"Content-Length: 5"), (400, 400), "closed"),
    Case("length: too long", _framed(b"Content-Length: 15"), (), "waits"),
    Case("length: 2^40", _framed(b"Content-Length: 1099511627776"), (413,), "waits"),
    Case("length: 2^63 - 1", _framed(b"Content-Length: 9223372036854775807"), (413,), "waits"),
    Case("length: 2^64 - 1", _framed(b"Content-Length: 18446744073709551615"), (413,), "waits"),
    Case(
        "length: 2^40 after leading zeros", _framed(b"Content-Length: %b1099511627776" % (b"0" * 40)), (413,), "waits"
    ),
    Case("chunks: incomplete", _chunked(b"ff\r\n" + TITLE), (), "waits"),
    Case("chunks: 2^60", _chunked(b"1000000000000000\r\n" + TITLE), (), "waits"),
    Case("head: incomplete", head(_LIVE, HOST)[:-2], (), "waits"),
    Case("smuggling: CL.TE", _framed(b"Content-Length: 5", _CHUNKED, content=_END + _SMUGGLED), (400,), "closed"),
    Case(
        "smuggling: TE.CL",
        _framed(_CHUNKED, b"Content-Length: 4", content=b"5c\r\n" + _SMUGGLED + _END),
        (400,),
        "closed",
    ),
    Case("smuggling: TE.TE", _framed(_CHUNKED, b"Transfer-encoding: x", content=_END + _SMUGGLED), (400,), "closed"),
    Case("smuggling: in the body of a GET", get(TASKS, b"Content-Length: %d" % len(_SMUGGLED)) + _SMUGGLED, (200,)),
    Case(
        "smuggling: in the chunks of a GET",
        get(TASKS, _CHUNKED) + b"%x\r\n%b\r\n" % (len(_SMUGGLED), _SMUGGLED) + _END,
        (200,),
    ),
    Case(
        "smuggling: in a rejected body", head(_POST, HOST, b"Content-Length: %d" % len(_SMUGGLED)) + _SMUGGLED, (401,)
    ),
    Case(
        "smuggling: token in a trailer",
        head(_POST, HOST, JSON, _CHUNKED) + _CHUNK + b"0\r\n" + AUTHORIZATION + b"\r\n\r\n",
        (401,),
    ),
    Case(
        "smuggling: media type in a trailer",
        head(_POST, HOST, AUTHORIZATION, _CHUNKED) + _CHUNK + b"0\r\n" + JSON + b"\r\n\r\n",
        (415,),
    ),
    Case("pipeline: 20 requests", head(_LIVE, HOST) * 20, (200,) * 20),
    Case(
        "pipeline: rejected in the middle",
        get(TASKS) + get("/nothing") + head(f"GET {TASKS} HTTP/1.1", HOST) + get(TASKS),
        (200, 404, 401, 200),
    ),
    Case(
        "pipeline: body rejected in the middle",
        post(TITLE, JSON) + post(b"{", JSON) + post(TITLE, JSON),
        (201, 400, 201),
    ),
    Case("pipeline: too large in the middle", get(TASKS) + post(b" " * 65_537, JSON) + get(TASKS), (200, 413, 200)),
    Case(
        "pipeline: malformed in the middle",
        head(_LIVE, HOST) * 2 + b"nonsense\r\n\r\n" + head(_LIVE, HOST),
        (200, 200, 400),
        "closed",
    ),
    Case(
        "pipeline: no host in the middle",
        head(_LIVE, HOST) * 2 + head(_LIVE) + head(_LIVE, HOST),
        (200, 200, 400),
        "closed",
    ),
    Case(
        "pipeline: closed in the middle",
        head(_LIVE, HOST) + head(_LIVE, HOST, b"Connection: close") + head(_LIVE, HOST),
        (200, 200),
        "closed",
    ),
    Case(
        "pipeline: HTTP/1.0 in the middle",
        head(_LIVE, HOST) + head(f"GET {LIVE} HTTP/1.0") + head(_LIVE, HOST),
        (200, 200),
        "closed",
    ),
    Case(
        "pipeline: chunks",
        (head(f"POST {VERIFY} HTTP/1.1", HOST, AUTHORIZATION, _CHUNKED) + _CHUNK + _END) * 3,
        (200,) * 3,
    ),
]
