"""Header fields: duplicate, missing, folded, very long, or with unusual bytes."""

from tests.support.hostile.case import AUTHORIZATION, HOST, JSON, LIVE, NO_TASK, TASKS, TITLE, Case, get, head, post

_LIVE = f"GET {LIVE} HTTP/1.1"
_LIST = f"GET {TASKS} HTTP/1.1"
_DELETE = f"DELETE {NO_TASK} HTTP/1.1"
_POST = f"POST {TASKS} HTTP/1.1"
_LENGTH = b"Content-Length: %d" % len(TITLE)

# RFC 9112, section 3.2: anything but exactly one Host field with a valid value is a 400.
HOSTS: dict[str, tuple[tuple[bytes, ...], int]] = {
    "missing": ((), 400),
    "given twice": ((HOST, HOST), 400),
    "two different ones": ((HOST, b"Host: evil.example.com"), 400),
    "given twice, once in upper case": ((HOST, b"HOST: todo.example.com"), 400),
    "empty": ((b"Host:",), 200),
    "another host": ((b"Host: evil.example.com",), 200),
    "with a port": ((b"Host: x:8000",), 200),
    "with an empty port": ((b"Host: x:",), 200),
    "IPv6": ((b"Host: [::1]:8000",), 200),
    "percent-encoded": ((b"Host: %78",), 200),
    "two in one field": ((b"Host: a, b",), 400),
    "a space within": ((b"Host: a b",), 400),
    "a path": ((b"Host: a/b",), 400),
    "a query": ((b"Host: a?b",), 400),
    "a user": ((b"Host: user@a",), 400),
    "a scheme": ((b"Host: http://a",), 400),
    "a backslash": ((b"Host: a\\b",), 400),
    "angle brackets": ((b"Host: <script>",), 400),
    "a port that is not a number": ((b"Host: a:b",), 400),
    "not ASCII": ((b"Host: \xc3\xa4",), 400),
    "an unclosed bracket": ((b"Host: [::1",), 400),
}

# Fields that RFC 9112 forbids or that exceed the server's limits; the server closes the connection after each.
MALFORMED: dict[str, bytes] = {
    "no colon": b"X-A",
    "no name": b": a",
    "space before the colon": b"X-A : a",
    "tab before the colon": b"X-A\t: a",
    "space before the colon of a length": b"Content-Length : 0",
    "space within the name": b"X A: a",
    "slash in the name": b"X/A: a",
    "bracket in the name": b"X[A]: a",
    "NUL in the name": b"X\x00A: a",
    "name that is not ASCII": b"X-\xc3\xa4: a",
    "NUL in the value": b"X-A: a\x00b",
    "NUL in an id": b"X-Request-ID: a\x00b",
    "NUL in a token": AUTHORIZATION + b"\x00",
    "bare CR in the value": b"X-A: a\rX-B: b",
    "control character in the value": b"X-A: a\x01b",
    "DEL in the value": b"X-A: a\x7fb",
    "folded with a space": b"X-A: a\r\n b",
    "folded with a tab": b"X-A: a\r\n\tb",
    "folded length": b"Content-Length:\r\n 0",
    "value of 100 KB": b"X-A: " + b"a" * 100_000,
    "name of 100 KB": b"X-" + b"A" * 100_000 + b": a",
    "forwarded for 1,000 addresses": b"X-Forwarded-For: " + b"1.2.3.4, " * 1000,
    "5,000 fields": b"\r\n".join(b"X-%d: a-value" % number for number in range(5000)),
}

# Fields that HTTP allows; the statuses are those of the operation.
ALLOWED: dict[str, tuple[bytes, int]] = {
    "value that is not ASCII": (b"X-A: \xff\x80\xc3\xa4", 200),
    "value of 30 KB": (b"X-A: " + b"a" * 30_000, 200),
    "100 fields with Host and the token": (b"\r\n".join([b"X-A: a"] * 98), 200),
    "empty value": (b"X-A:", 200),
    "whitespace around the value": (b"X-A: \t a \t ", 200),
    "name with every special character": (b"!#$%&'*+-.^_`|~9: a", 200),
    "method override": (b"X-HTTP-Method-Override: DELETE", 200),
    "URL override": (b"X-Original-URL: /api/ada/tasks", 200),
    "forwarded for invalid addresses": (b"X-Forwarded-For: \xff, ]%00[, 1.2.3.4:99999999", 200),
    "forwarded for 100 addresses": (b"X-Forwarded-For: " + b"1.2.3.4, " * 100, 200),
    "forwarded scheme": (b"X-Forwarded-Proto: javascript", 200),
    "forwarded host": (b"X-Forwarded-Host: evil.example.com", 200),
    "unusual request id": (b"X-Request-ID: ../../\xff<script>", 200),
    "two request ids": (b"X-Request-ID: a\r\nX-Request-ID: b", 200),
    "long request id": (b"X-Request-ID: " + b"a" * 10_000, 200),
    "invalid origin": (b"Origin: null\xff", 200),
    "two origins": (b"Origin: https://a.example.com\r\nOrigin: https://b.example.com", 200),
    "accepts only another media type": (b"Accept: application/xml;q=1, */*;q=0", 200),
    "range": (b"Range: bytes=0-,0-,0-,0-", 200),
    "1,000 ranges": (b"Range: bytes=" + b"0-1," * 1000, 200),
    "cookies": (b"Cookie: " + b"a=b; " * 2000, 200),
    "invalid trace": (b"Traceparent: 00-\xff", 200),
    "unknown expectation": (b"Expect: 200-ok", 200),
    "endless keep-alive": (b"Keep-Alive: timeout=99999999999", 200),
    "connection that names other fields": (b"Connection: Host, Authorization, keep-alive", 200),
    "entity tags in two fields": (b'If-None-Match: "x"\r\nIf-None-Match: "y"', 200),
    "unterminated entity tag": (b'If-None-Match: "x', 400),
    "entity tag with an escaped NUL": (b'If-None-Match: "%00"', 200),
    "entity tag that is not ASCII": (b'If-None-Match: "\xff"', 200),
    "1,000 entity tags": (b"If-None-Match: " + b", ".join([b'"x"'] * 1000), 400),
    "any entity tag and a specific one": (b'If-None-Match: *, "x"', 400),
    "invalid date": (b"If-Modified-Since: \xff", 200),
    "second Authorization": (AUTHORIZATION, 400),
    "second Authorization in upper case": (b"AUTHORIZATION: Bearer x", 400),
    "second, empty Authorization": (b"Authorization:", 400),
}

CASES = [
    *(
        Case(f"host: {name}", head(_LIVE, *fields), (status,), "kept" if status == 200 else "closed")
        for name, (fields, status) in HOSTS.items()
    ),
    *(Case(f"field: {name}", head(_LIVE, HOST, field), (400,), "closed") for name, field in MALFORMED.items()),
    *(Case(f"field: {name}", get(TASKS, field), (status,)) for name, (field, status) in ALLOWED.items()),
    Case("field: line with only a space", head(_LIVE, HOST, b" "), (400,), "closed"),
    Case("field: space before the first", head(_LIVE, b" " + HOST), (400,), "closed"),
    Case("field: lines end in LF", b"GET %b HTTP/1.1\nHost: x\n\n" % LIVE.encode(), (400,), "closed"),
    Case("field: lines end in CR", b"GET %b HTTP/1.1\rHost: x\r\r" % LIVE.encode(), (400,), "closed"),
    Case("match: two fields", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: "1"', b'If-Match: "2"'), (404,)),
    Case("match: any twice", head(_DELETE, HOST, AUTHORIZATION, b"If-Match: *", b"If-Match: *"), (400,)),
    Case("match: invalid twice", head(_DELETE, HOST, AUTHORIZATION, b"If-Match: 1", b"If-Match: 2"), (400,)),
    Case("match: number of 30 digits", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: "%b"' % (b"9" * 30)), (404,)),
    Case("match: 30 KB", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: "%b"' % (b"9" * 30_000)), (400,)),
    Case("match: weak", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: W/"1"'), (404,)),
    Case("expect: continue", head(_POST, HOST, AUTHORIZATION, JSON, b"Expect: 100-continue", _LENGTH) + TITLE, (201,)),
    Case("expect: blanks", head(_POST, HOST, AUTHORIZATION, JSON, b"Expect: 100-continue \t", _LENGTH) + TITLE, (201,)),
    Case("expect: continue, rejected", head(_LIST, HOST, b"Expect: 100-continue"), (401,)),
    Case(
        "preflight: not ASCII",
        head(f"OPTIONS {TASKS} HTTP/1.1", HOST, b"Origin: \xff", b"Access-Control-Request-Method: \xff"),
        (400,),
    ),
    Case("connection: close", get(TASKS, b"Connection: close"), (200,), "closed"),
    Case("body on GET", get(TASKS, b"Content-Length: 5") + b"\xff\x00[{(", (200,)),
    Case("body on DELETE", head(_DELETE, HOST, AUTHORIZATION, b"Content-Length: 5") + b"\xff\x00[{(", (404,)),
    Case("two requests", post(TITLE, JSON) * 2, (201, 201)),
]
