"""Header fields: given twice, missing, folded, of odd bytes, of great length."""

from tests.support.hostile.case import AUTHORIZATION, HOST, JSON, LIVE, NO_TASK, TASKS, TITLE, Case, get, head, post

_LIVE = f"GET {LIVE} HTTP/1.1"
_LIST = f"GET {TASKS} HTTP/1.1"
_DELETE = f"DELETE {NO_TASK} HTTP/1.1"
_POST = f"POST {TASKS} HTTP/1.1"
_LENGTH = b"Content-Length: %d" % len(TITLE)

# RFC 9112, section 3.2: not exactly one Host is a 400, and so is one that no host can have.
HOSTS: dict[str, tuple[tuple[bytes, ...], int]] = {
    "none": ((), 400),
    "two": ((HOST, HOST), 400),
    "two that differ": ((HOST, b"Host: evil.example.com"), 400),
    "two in other case": ((HOST, b"HOST: todo.example.com"), 400),
    "empty": ((b"Host:",), 200),
    "another": ((b"Host: evil.example.com",), 200),
    "with a port": ((b"Host: x:8000",), 200),
    "with an empty port": ((b"Host: x:",), 200),
    "IPv6": ((b"Host: [::1]:8000",), 200),
    "percent-encoded": ((b"Host: %78",), 200),
    "two in one": ((b"Host: a, b",), 400),
    "a blank within": ((b"Host: a b",), 400),
    "a path": ((b"Host: a/b",), 400),
    "a query": ((b"Host: a?b",), 400),
    "a user": ((b"Host: user@a",), 400),
    "a scheme": ((b"Host: http://a",), 400),
    "a backslash": ((b"Host: a\\b",), 400),
    "angle brackets": ((b"Host: <script>",), 400),
    "no port": ((b"Host: a:b",), 400),
    "not ASCII": ((b"Host: \xc3\xa4",), 400),
    "a bracket without end": ((b"Host: [::1",), 400),
}

# What no parser of RFC 9112 takes; each ends the connection.
MALFORMED: dict[str, bytes] = {
    "no colon": b"X-A",
    "no name": b": a",
    "blank before the colon": b"X-A : a",
    "tab before the colon": b"X-A\t: a",
    "blank before the colon of a length": b"Content-Length : 0",
    "blank within the name": b"X A: a",
    "slash in the name": b"X/A: a",
    "bracket in the name": b"X[A]: a",
    "NUL in the name": b"X\x00A: a",
    "name not ASCII": b"X-\xc3\xa4: a",
    "NUL in the value": b"X-A: a\x00b",
    "NUL in an id": b"X-Request-ID: a\x00b",
    "NUL in a token": AUTHORIZATION + b"\x00",
    "bare CR in the value": b"X-A: a\rX-B: b",
    "control character in the value": b"X-A: a\x01b",
    "DEL in the value": b"X-A: a\x7fb",
    "folded": b"X-A: a\r\n b",
    "folded with a tab": b"X-A: a\r\n\tb",
    "folded length": b"Content-Length:\r\n 0",
    "100 KB": b"X-A: " + b"a" * 100_000,
    "name of 100 KB": b"X-" + b"A" * 100_000 + b": a",
    "5,000 fields": b"\r\n".join(b"X-%d: a-value" % number for number in range(5000)),
}

# What any HTTP server must take; the statuses are the application's.
TAKEN: dict[str, tuple[bytes, int]] = {
    "not ASCII": (b"X-A: \xff\x80\xc3\xa4", 200),
    "30 KB": (b"X-A: " + b"a" * 30_000, 200),
    "500 fields": (b"\r\n".join(b"X-%d: a" % number for number in range(500)), 200),
    "empty value": (b"X-A:", 200),
    "blanks around the value": (b"X-A: \t a \t ", 200),
    "any token as a name": (b"!#$%&'*+-.^_`|~9: a", 200),
    "method override": (b"X-HTTP-Method-Override: DELETE", 200),
    "URL override": (b"X-Original-URL: /api/ada/tasks", 200),
    "forwarded for nobody": (b"X-Forwarded-For: \xff, ]%00[, 1.2.3.4:99999999", 200),
    "forwarded for many": (b"X-Forwarded-For: " + b"1.2.3.4, " * 1000, 200),
    "forwarded scheme": (b"X-Forwarded-Proto: javascript", 200),
    "forwarded host": (b"X-Forwarded-Host: evil.example.com", 200),
    "odd id": (b"X-Request-ID: ../../\xff<script>", 200),
    "two ids": (b"X-Request-ID: a\r\nX-Request-ID: b", 200),
    "long id": (b"X-Request-ID: " + b"a" * 10_000, 200),
    "odd origin": (b"Origin: null\xff", 200),
    "two origins": (b"Origin: https://a.example.com\r\nOrigin: https://b.example.com", 200),
    "other media type wanted": (b"Accept: application/xml;q=1, */*;q=0", 200),
    "range": (b"Range: bytes=0-,0-,0-,0-", 200),
    "1,000 ranges": (b"Range: bytes=" + b"0-1," * 1000, 200),
    "cookies": (b"Cookie: " + b"a=b; " * 2000, 200),
    "trace": (b"Traceparent: 00-\xff", 200),
    "unknown expectation": (b"Expect: 200-ok", 200),
    "keep-alive without end": (b"Keep-Alive: timeout=99999999999", 200),
    "connection of other fields": (b"Connection: Host, Authorization, keep-alive", 200),
    "list of entity tags": (b'If-None-Match: "x"\r\nIf-None-Match: "y"', 200),
    "broken entity tag": (b'If-None-Match: "x', 400),
    "entity tag with NUL escaped": (b'If-None-Match: "%00"', 200),
    "entity tag not ASCII": (b'If-None-Match: "\xff"', 200),
    "1,000 entity tags": (b"If-None-Match: " + b", ".join([b'"x"'] * 1000), 400),
    "any entity tag and one": (b'If-None-Match: *, "x"', 400),
    "broken date": (b"If-Modified-Since: \xff", 200),
    "another Authorization": (AUTHORIZATION, 400),
    "another Authorization in other case": (b"AUTHORIZATION: Bearer x", 400),
    "an empty Authorization": (b"Authorization:", 400),
}

CASES = [
    *(
        Case(f"host: {name}", head(_LIVE, *fields), (status,), "kept" if status == 200 else "closed")
        for name, (fields, status) in HOSTS.items()
    ),
    *(Case(f"field: {name}", head(_LIVE, HOST, field), (400,), "closed") for name, field in MALFORMED.items()),
    *(Case(f"field: {name}", get(TASKS, field), (status,)) for name, (field, status) in TAKEN.items()),
    Case("field: blank line of a blank", head(_LIVE, HOST, b" "), (400,), "closed"),
    Case("field: blank before the first", head(_LIVE, b" " + HOST), (400,), "closed"),
    Case("field: lines end in LF", b"GET %b HTTP/1.1\nHost: x\n\n" % LIVE.encode(), (400,), "closed"),
    Case("field: lines end in CR", b"GET %b HTTP/1.1\rHost: x\r\r" % LIVE.encode(), (400,), "closed"),
    Case("match: two fields", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: "1"', b'If-Match: "2"'), (404,)),
    Case("match: any twice", head(_DELETE, HOST, AUTHORIZATION, b"If-Match: *", b"If-Match: *"), (400,)),
    Case("match: broken twice", head(_DELETE, HOST, AUTHORIZATION, b"If-Match: 1", b"If-Match: 2"), (400,)),
    Case("match: huge", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: "%b"' % (b"9" * 30)), (404,)),
    Case("match: 30 KB", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: "%b"' % (b"9" * 30_000)), (400,)),
    Case("match: weak", head(_DELETE, HOST, AUTHORIZATION, b'If-Match: W/"1"'), (404,)),
    Case("expect: continue", head(_POST, HOST, AUTHORIZATION, JSON, b"Expect: 100-continue", _LENGTH) + TITLE, (201,)),
    Case("expect: continue, refused", head(_LIST, HOST, b"Expect: 100-continue"), (401,)),
    Case(
        "preflight: odd",
        head(f"OPTIONS {TASKS} HTTP/1.1", HOST, b"Origin: \xff", b"Access-Control-Request-Method: \xff"),
        (400,),
    ),
    Case("connection: closes", get(TASKS, b"Connection: close"), (200,), "closed"),
    Case("body on GET", get(TASKS, b"Content-Length: 5") + b"\xff\x00[{(", (200,)),
    Case("body on DELETE", head(_DELETE, HOST, AUTHORIZATION, b"Content-Length: 5") + b"\xff\x00[{(", (404,)),
    Case("two requests' worth", post(TITLE, JSON) * 2, (201, 201)),
]
