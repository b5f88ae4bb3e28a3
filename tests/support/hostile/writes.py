"""Writes that repeat, batch, delete and restore: idempotency keys, operations, filters and ids that are deceptive."""

import json

from tests.support.hostile.case import AUTHORIZATION, HOST, JSON, NO_TASK, TASKS, USER, Case, get, head, post

_ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
_ME = f"/api/{USER}"
_BATCH = f"POST {_ME}/batch HTTP/1.1"
_DELETE = b'{"op": "delete", "id": "%b"}' % _ID.encode()
_NOTHING = f"DELETE {TASKS}?tags=none HTTP/1.1"


def batch(*operations: bytes, mode: bytes = b"independent") -> bytes:
    """Return the body of a batch."""
    return b'{"mode": "%b", "operations": [%b]}' % (mode, b",".join(operations))


# Each is sent with a deletion that matches nothing.
KEYS: dict[str, tuple[tuple[bytes, ...], int]] = {
    "bare": ((b"Idempotency-Key: a",), 200),
    "quoted": ((b'Idempotency-Key: "a"',), 200),
    "every punctuation mark": ((b"Idempotency-Key: ._:~-",), 200),
    "blanks around": ((b"Idempotency-Key: \t b \t",), 200),
    "255 characters": ((b"Idempotency-Key: " + b"k" * 255,), 200),
    "256 characters": ((b"Idempotency-Key: " + b"k" * 256,), 400),
    "30 KB": ((b"Idempotency-Key: " + b"k" * 30_000,), 400),
    "empty": ((b"Idempotency-Key:",), 400),
    "empty quotes": ((b'Idempotency-Key: ""',), 400),
    "quotes within quotes": ((b'Idempotency-Key: ""a""',), 400),
    "half quoted": ((b'Idempotency-Key: "a',), 400),
    "single quotes": ((b"Idempotency-Key: 'a'",), 400),
    "weak": ((b'Idempotency-Key: W/"a"',), 400),
    "parameters": ((b'Idempotency-Key: "a";x=1',), 400),
    "two in one field": ((b"Idempotency-Key: a, b",), 400),
    "given twice": ((b"Idempotency-Key: a", b"Idempotency-Key: b"), 400),
    "given twice, the same": ((b"Idempotency-Key: a", b"IDEMPOTENCY-KEY: a"), 400),
    "a blank within": ((b"Idempotency-Key: a b",), 400),
    "not ASCII": ((b"Idempotency-Key: \xff",), 400),
    "UTF-8": (("Idempotency-Key: ä".encode(),), 400),
    "percent-encoded NUL": ((b"Idempotency-Key: %00",), 400),
    "SQL": ((b"Idempotency-Key: ' OR 1=1 --",), 400),
}

BATCHES: dict[str, tuple[bytes, int]] = {
    "unknown task": (batch(_DELETE), 200),
    "unknown task, atomic": (batch(_DELETE, mode=b"atomic"), 409),
    "no operation": (batch(), 400),
    "101 operations": (batch(*[_DELETE] * 101), 400),
    "30,000 operations": (batch(*[b"{}"] * 30_000), 400),
    "the same id twice": (batch(_DELETE, _DELETE), 400),
    "the same id twice, once in upper case": (batch(_DELETE, _DELETE.replace(_ID.encode(), _ID.upper().encode())), 400),
    "an operation without op": (batch(b'{"id": "%b"}' % _ID.encode()), 400),
    "unknown op": (batch(b'{"op": "drop", "id": "%b"}' % _ID.encode()), 400),
    "op in upper case": (batch(_DELETE.replace(b"delete", b"DELETE")), 400),
    "op with U+0000": (batch(_DELETE.replace(b"delete", b"delete\\u0000")), 400),
    "op that is a number": (batch(b'{"op": 1}'), 400),
    "op that is null": (batch(b'{"op": null}'), 400),
    "op that is a list": (batch(b'{"op": ["delete"]}'), 400),
    "op that is an object": (batch(b'{"op": {"delete": 1}}'), 400),
    "op given twice": (batch(_DELETE.replace(b"{", b'{"op": "create", ')), 200),
    "operations that are no objects": (batch(b"1", b"null", b'"x"', b"[]", b"true"), 400),
    "operations that are an object": (b'{"operations": {"0": %b}}' % _DELETE, 400),
    "a batch in a batch": (batch(batch(_DELETE)), 400),
    "members of another operation": (batch(_DELETE.replace(b"{", b'{"changes": {}, ')), 400),
    "prototype": (batch(_DELETE.replace(b"{", b'{"__proto__": {"op": "create"}, ')), 400),
    "id that is null": (batch(b'{"op": "delete", "id": null}'), 400),
    "id with U+0000": (batch(b'{"op": "delete", "id": "%b\\u0000"}' % _ID.encode()), 400),
    "id in braces": (batch(b'{"op": "delete", "id": "{%b}"}' % _ID.encode()), 400),
    "revision 0": (batch(_DELETE.replace(b"{", b'{"if_revision": 0, ')), 400),
    "revision 2^63": (batch(_DELETE.replace(b"{", b'{"if_revision": 9223372036854775808, ')), 400),
    "revision 1e3": (batch(_DELETE.replace(b"{", b'{"if_revision": 1e3, ')), 400),
    "surrogate in a title": (batch(b'{"op": "create", "task": {"title": "\\ud800"}}'), 400),
    "U+0000 in a title": (batch(b'{"op": "create", "task": {"title": "\\u0000"}}'), 400),
    "another user's task": (
        batch(b'{"op": "replace", "id": "%b", "task": {"title": "t", "user_id": "ada"}}' % _ID.encode()),
        400,
    ),
    "base without changes": (batch(b'{"op": "update", "id": "%b", "base": {}}' % _ID.encode()), 400),
    "task nested 200 deep": (batch(b'{"op": "create", "task": %b%b}' % (b"[" * 200, b"]" * 200)), 400),
    "100 operations nested 200 deep": (batch(*[b"[" * 200 + b"]" * 200] * 100), 400),
    "500,000 lists left open": (b'{"operations": ' + b"[" * 500_000, 400),
    "1 MiB, mostly spaces": (batch(_DELETE).ljust(2**20), 200),
}

# The filters of PATCH and DELETE for many tasks.
FILTERS: dict[str, tuple[str, int]] = {
    "no filter": ("", 400),
    "an empty search": ("search=", 400),
    "only how tags match": ("tag_match=all", 400),
    "only a dry run": ("dry_run=true", 400),
    "an empty search and a dry run": ("search=&dry_run=true", 400),
    "an empty id": ("id=", 400),
    "ids separated by a comma": (f"id={_ID},{_ID}", 400),
    "an id in braces": (f"id=%7B{_ID}%7D", 400),
    "101 ids": ("&".join([f"id={_ID}"] * 101), 400),
    "a dry run in upper case": ("tags=none&dry_run=TRUE", 400),
    "a dry run that is 1": ("tags=none&dry_run=1", 400),
    "a page": ("tags=none&limit=1", 400),
    "NUL": ("search=%00", 400),
    "not UTF-8": ("tags=%FF", 400),
    "an unknown id": (f"id={_ID}", 200),
    "the same id 100 times": ("&".join([f"id={_ID}"] * 100), 200),
    "SQL as ordinary text": ("search=%27%20OR%201=1%20--", 200),
    "an empty list": ("list_id=", 400),
    "the inbox in upper case": ("list_id=INBOX", 400),
    "the inbox and a list": (f"list_id=inbox,{_ID}", 400),
    "a list that is null": ("list_id=null", 400),
    "a list in braces": (f"list_id=%7B{_ID}%7D", 400),
    "101 lists": ("&".join([f"list_id={_ID}"] * 101), 400),
    "an unknown list": (f"list_id={_ID.upper()}", 200),
    "an empty parent": ("parent_id=", 400),
    "no parent, in upper case": ("parent_id=NONE", 400),
    "a parent that is null": ("parent_id=null", 400),
    "101 parents": ("&".join([f"parent_id={_ID}"] * 101), 400),
    "an unknown parent": (f"parent_id={_ID.upper()}", 200),
}

CHANGES: dict[str, tuple[bytes, int]] = {
    "a list that is not there": (b'{"list_id": "%b"}' % _ID.encode(), 409),
    "a list that is the inbox's name": (b'{"list_id": "inbox"}', 400),
    "a list that is a number": (b'{"list_id": 1}', 400),
    "tags and tags to add": (b'{"tags": [], "add_tags": ["a"]}', 400),
    "tags and tags to remove": (b'{"tags": [], "remove_tags": []}', 400),
    "a tag to add and to remove": (b'{"add_tags": ["a"], "remove_tags": ["a"]}', 400),
    "a tag to add and to remove, in two forms": ('{"add_tags": ["é"], "remove_tags": ["e\u0301"]}'.encode(), 400),
    "21 tags to add": (json.dumps({"add_tags": [str(number) for number in range(21)]}).encode(), 400),
    "tags to add that are null": (b'{"add_tags": null}', 400),
    "id": (b'{"id": "%b"}' % _ID.encode(), 400),
    "list": (b"[]", 400),
    "no change": (b"{}", 200),
}

TAGS: dict[str, tuple[str, int]] = {
    "no name": ("", 400),
    "an empty name": ("name=", 400),
    "a blank": ("name=%20", 400),
    "two names": ("name=a&name=b", 400),
    "NUL": ("name=%00", 400),
    "not UTF-8": ("name=%FF", 400),
    "51 characters": ("name=" + "x" * 51, 400),
    "a slash": ("name=a/b", 404),
    "every delimiter": ("name=%26%3D%3F%23%2B%25%2F", 404),
    "a wildcard": ("name=%25", 404),
}

DELETIONS: dict[str, tuple[bytes, int]] = {
    "unknown": (b'{"deletion_id": "%b"}' % _ID.encode(), 200),
    "null": (b'{"deletion_id": null}', 400),
    "list": (b'{"deletion_id": ["%b"]}' % _ID.encode(), 400),
    "U+0000": (b'{"deletion_id": "\\u0000"}', 400),
    "empty": (b"{}", 400),
}

# A path without a template wins over `/trash/{task_id}`.
TRASH: dict[str, int] = {
    "GET /trash?cursor=AAAA": 400,
    "GET /trash?cursor=%00": 400,
    "GET /trash?cursor=": 400,
    f"GET /trash?cursor={'A' * 2001}": 400,
    "GET /trash?limit=101": 400,
    "GET /trash?offset=0": 400,
    "GET /trash": 200,
    "DELETE /trash?all=true": 400,
    "DELETE /trash/restore": 405,
    "DELETE /trash/%72estore": 405,
    "GET /trash/restore": 405,
    "DELETE /trash/restore/": 404,
    "DELETE /trash/RESTORE": 400,
    "DELETE /trash/..": 400,
    f"DELETE /trash/{_ID}": 404,
    f"GET /trash/{_ID}": 405,
    f"POST /trash/{_ID}/restore": 404,
    f"POST /trash/{_ID}/restore/restore": 404,
    "POST /trash/restore/restore": 400,
}

MOVES: dict[str, tuple[bytes, int]] = {
    "to the last place": (b"{}", 404),
    "to the first place": (b'{"at": "first"}', 404),
    "of no task": (b'{"after": "%b"}' % _ID.encode(), 404),
    "before and after": (b'{"before": "%b", "after": "%b"}' % (_ID.encode(), _ID.encode()), 400),
    "before and first": (b'{"before": "%b", "at": "first"}' % _ID.encode(), 400),
    "before null": (b'{"before": null}', 400),
    "before a number": (b'{"before": 1}', 400),
    "before text": (b'{"before": "first"}', 400),
    "before U+0000": (b'{"before": "%b\\u0000"}' % _ID.encode(), 400),
    "to another place": (b'{"at": "middle"}', 400),
    "to FIRST": (b'{"at": "FIRST"}', 400),
    "to a position": (b'{"position": "a"}', 400),
    "prototype": (b'{"__proto__": {"at": "first"}}', 400),
    "a list": (b"[]", 400),
    "null": (b"null", 400),
    "merge patch": (b'{"at": null}', 400),
}
POSITIONS: dict[str, tuple[bytes, int]] = {
    "255 digits": (b"z" * 255, 201),
    "256 digits": (b"z" * 256, 400),
    "60,000 digits": (b"z" * 60_000, 400),
    "empty": (b"", 400),
    "the digit for zero": (b"-", 400),
    "zero at the end": (b"a-", 400),
    "U+0000": (b"a\\u0000", 400),
    "line feed at the end": (b"a\\n", 400),
    "letter that is not ASCII": ("ä".encode(), 400),
    "digit that is not ASCII": (b"\xd9\xa1", 400),
    "surrogate": (b"\\ud800", 400),
    "blank": (b" a", 400),
    "SQL": (b"' OR 1=1 --", 400),
}

PUTS: dict[str, tuple[bytes, bytes, int]] = {
    "an entity tag in If-None-Match": (b'If-None-Match: "1"', b'{"title": "t"}', 400),
    "a list in If-None-Match": (b"If-None-Match: *, *", b'{"title": "t"}', 400),
    "a revision of no task": (b'If-Match: "1"', b'{"title": "t"}', 412),
    "another id": (b"X-A: a", b'{"title": "t", "id": "%b"}' % (b"0" * 8 + _ID.encode()[8:]), 400),
    "another user": (b"X-A: a", b'{"title": "t", "user_id": "ada"}', 400),
    "no title": (b"X-A: a", b"{}", 400),
    "merge patch": (b"X-A: a", b'{"title": null}', 400),
}

# Each is sent with POST.
LISTS: dict[str, tuple[bytes, int]] = {
    "a blank name": (b'{"name": "\\u00a0\\u200b"}', 400),
    "U+0000": (b'{"name": "\\u0000"}', 400),
    "a lone surrogate": (b'{"name": "\\ud800"}', 400),
    "101 characters": (b'{"name": "%b"}' % (b"x" * 101), 400),
    "100 characters beyond the BMP": (b'{"name": "%b"}' % ("\U0001f4a9" * 100).encode(), 201),
    "a name that is a list": (b'{"name": ["x"]}', 400),
    "a colour in upper case": (b'{"name": "x", "color": "RED"}', 400),
    "a colour that is text": (b'{"name": "x", "color": "null"}', 400),
    "an empty position": (b'{"name": "x", "position": ""}', 400),
    "a position with a line feed": (b'{"name": "x", "position": "m\\n"}', 400),
    "a position that is not ASCII": ('{"name": "x", "position": "\u0660"}'.encode(), 400),
    "a position of 255 characters": (b'{"name": "x", "position": "%b"}' % (b"z" * 255), 201),
    "archived 1": (b'{"name": "x", "archived": 1}', 400),
    "id": (b'{"name": "x", "id": "%b"}' % _ID.encode(), 400),
}

CASES = [
    *(
        Case(f"list: {name}", post(body, JSON, line=f"POST {_ME}/lists HTTP/1.1"), (status,))
        for name, (body, status) in LISTS.items()
    ),
    *(
        Case(f"move: {name}", post(body, JSON, line=f"POST {NO_TASK}/move HTTP/1.1"), (status,))
        for name, (body, status) in MOVES.items()
    ),
    *(
        Case(f"position: {name}", post(b'{"title": "t", "position": "%b"}' % position, JSON), (status,))
        for name, (position, status) in POSITIONS.items()
    ),
    *(
        Case(f"key: {name}", head(_NOTHING, HOST, AUTHORIZATION, *fields), (status,))
        for name, (fields, status) in KEYS.items()
    ),
    *(Case(f"batch: {name}", post(body, JSON, line=_BATCH), (status,)) for name, (body, status) in BATCHES.items()),
    *(
        Case(f"many: {method} with {name}", post(body, JSON, line=f"{method} {TASKS}?{query} HTTP/1.1"), (status,))
        for method, body in (("PATCH", b'{"completed": true}'), ("DELETE", b""))
        for name, (query, status) in FILTERS.items()
    ),
    *(
        Case(f"changes: {name}", post(body, JSON, line=f"PATCH {TASKS}?tags=none HTTP/1.1"), (status,))
        for name, (body, status) in CHANGES.items()
    ),
    *(
        Case(f"tag: {name}", head(f"DELETE {_ME}/tags?{query} HTTP/1.1", HOST, AUTHORIZATION), (status,))
        for name, (query, status) in TAGS.items()
    ),
    *(
        Case(f"deletion: {name}", post(body, JSON, line=f"POST {_ME}/trash/restore HTTP/1.1"), (status,))
        for name, (body, status) in DELETIONS.items()
    ),
    *(
        Case(f"trash: {name[:60]}", head(f"{name.replace(' ', f' {_ME}', 1)} HTTP/1.1", HOST, AUTHORIZATION), (status,))
        for name, status in TRASH.items()
    ),
    *(
        Case(f"put: {name}", post(body, JSON, field, line=f"PUT {NO_TASK} HTTP/1.1"), (status,))
        for name, (field, body, status) in PUTS.items()
    ),
    # The server does not read so much that it has rejected.
    Case("batch: more than 1 MiB", post(batch(_DELETE).ljust(2**20 + 1), JSON, line=_BATCH), (413,), "closed"),
    Case("batch: GET", get(f"{_ME}/batch"), (405,)),
]
