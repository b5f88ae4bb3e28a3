"""Requests generated from the contract: plain except in one place, which is at a limit, beyond it, or unusual."""

import json
import operator
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from tests.support.oracle.sides import USER, Json, Operation, Request
from tests.support.oracle.values import edgy, plain

Pairs = list[tuple[str, str]]

ENTITY_TAGS = ["*", '"1"', 'W/"1"', '"1", "2"', '"1" , W/"2",,', ',"1"', '"', "1", "", "w/*", '"a""b"', '*, "1"']
ENTITY_TAGS += ['W/ "1"', '"é"', '"' + "x" * 3998 + '"', '"' + "x" * 3999 + '"']
KEYS = ["k", '"k"', "", '""', '"k', "a b", "._:~-", "k" * 255, '"' + "k" * 255 + '"', "k" * 256, "é", "*", "a, b"]
TOKENS = ["1.2.3", "0.0.0", "1.0.0", "7.8.0", "", "1.2", "1.2.3.4", "01.2.3", "-1.0.0", "9" * 20 + ".1.0", "1.2.é"]
HEADER_VALUES = {"If-Match": ENTITY_TAGS, "If-None-Match": ENTITY_TAGS, "Idempotency-Key": KEYS}
HEADER_VALUES |= {"Last-Event-ID": TOKENS}
UNKNOWN = [("page", "1"), ("Limit", "1"), ("tags[]", "a"), ("limit ", "1"), ("user_id", "x"), ("", "")]
ENDS = ["&", "&&search", "&search=%ff", "&search=%", "&search=%zz", "&%ff=a", "&s%65arch=a", "&search=a;limit=1"]
ODD_JSON = [None, True, False, 0, 1, 1.0, -1, 10**30, "", "x", "true", [], [None], ["x"], {}, {"title": "x"}]
MEDIA_TYPES = ["application/json", "application/merge-patch+json", "application/problem+json", "text/json", "json"]
MEDIA_TYPES += ["application/json; charset=utf-8", "application/json;charset=UTF-8", "application/json;charset=utf-16"]
MEDIA_TYPES += ["Application/JSON", "application/json;v=1", "application/x-www-form-urlencoded", "text/plain"]
BROKEN_JSON = [b"", b" ", b"{", b"[" * 300 + b"]" * 300, b"{'title': 't'}", b'{"title": "t",}', b'{"title": "t"} x']
BROKEN_JSON += [b' {"title": "t"}\n', b'{"title": "t", "title": 1}', b'{"title": NaN, "title": "t"}']
BROKEN_JSON += [b'{"title": "\\ud800"}', b'{"title": "a\x01"}', b'{"title": "\xff"}', b'\xef\xbb\xbf{"title": "t"}']
BROKEN_JSON += ['{"title": "t"}'.encode("utf-16"), b'{"title": ' + b"9" * 5000 + b"}", b'"' + b"x" * 70_000 + b'"']


def requests_for(operation: Operation) -> st.SearchStrategy[Request]:
    """Return a strategy for requests to an operation, rarely to the path of another user."""
    query = [parameter for parameter in operation.parameters if parameter["in"] == "query"]
    header = [parameter["name"] for parameter in operation.parameters if parameter["in"] == "header"]
    bodies = [_bodies(media_type["schema"]) for media_type in operation.content.values()]
    uuid = {"type": "string", "format": "uuid"}
    return st.builds(
        Request,
        st.just(operation.method),
        st.builds(
            operation.path.format,
            user_id=_rarely(st.just("grace"), st.just(USER)),
            task_id=_rarely(edgy(uuid), plain(uuid)),
            list_id=_rarely(edgy(uuid), plain(uuid)),
        ),
        _queries(query),
        _headers(header, list(operation.content)).map(lowered),
        bodies[0] if bodies else _rarely(st.just(b"{}"), st.just(b"")),
        st.integers(0, 15).map(lambda number: number == 15),
    )


def lowered(headers: Pairs) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as ASGI servers pass them to applications, with names in lower case."""
    return tuple((name.lower().encode(), value.encode("latin-1")) for name, value in headers)


def _rarely(rare: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that draws from `rare` about once in sixteen times."""
    return st.integers(0, 15).flatmap(lambda number: rare if number == 15 else usual)


def _queries(parameters: list[Json]) -> st.SearchStrategy[bytes]:
    unknown = st.sampled_from(UNKNOWN).map(lambda pair: [pair])
    if not parameters:
        return st.one_of(st.just(b""), unknown.map(encoded))
    required = [
        _rarely(edgy(parameter["schema"]), plain(parameter["schema"])).map(partial(written, parameter))
        for parameter in parameters
        if parameter.get("required")
    ]
    optional = [parameter for parameter in parameters if not parameter.get("required")]
    right = [plain(parameter["schema"]).map(partial(written, parameter)) for parameter in optional]
    wrong = [edgy(parameter["schema"]).map(partial(written, parameter)) for parameter in optional]
    chosen = st.lists(st.sampled_from(right), max_size=2, unique_by=id) if right else st.just([])
    some = chosen.flatmap(lambda chosen: st.tuples(*chosen).map(_together))
    last = _rarely(unknown, st.one_of([*right, *wrong]) if right else st.just([]))
    pairs = st.tuples(*required, some, last).map(_together)
    encode = st.sampled_from([quote_plus, quote, partial(quote, safe=",:/?!"), _raw])
    return st.builds(encoded, pairs, encode=encode, end=_rarely(st.sampled_from(ENDS), st.just("")))


def written(parameter: Json, value: Any) -> Pairs:
    """Return the query pairs that give a parameter this value, one for each member of a list."""
    many = value if parameter["schema"]["type"] == "array" else [value]
    return [(parameter["name"], one if isinstance(one, str) else json.dumps(one)) for one in many]


def encoded(pairs: Pairs, *, encode: Callable[[str], str] = quote_plus, end: str = "") -> bytes:
    """Return a query string followed by `end`."""
    return ("&".join(f"{encode(name)}={encode(text)}" for name, text in pairs) + end).encode()


def _together(parts: Iterable[Iterable[tuple[str, str]]]) -> Pairs:
    return [pair for part in parts for pair in part]


def _raw(text: str) -> str:
    return "".join(letter if letter.isalnum() else quote_plus(letter) for letter in text)


def _bodies(schema: Json) -> st.SearchStrategy[bytes]:
    right = plain(schema)
    members = {name: plain(one) for name, one in schema["properties"].items() if name not in ("id", "user_id")}
    one_edgy = st.one_of([st.fixed_dictionaries({name: edgy(member)}) for name, member in schema["properties"].items()])
    one_odd = st.dictionaries(st.sampled_from([*members, "Title", "id", ""]), st.sampled_from(ODD_JSON), max_size=1)
    bodies = st.one_of(
        st.builds(operator.or_, right, one_edgy),
        st.builds(operator.or_, right, one_odd),
        st.fixed_dictionaries({}, optional=members),
        st.sampled_from(ODD_JSON),
    )
    return _rarely(st.sampled_from(BROKEN_JSON), st.builds(_json, bodies, ascii_only=st.booleans()))


def _json(body: Json, *, ascii_only: bool) -> bytes:
    return json.dumps(body, ensure_ascii=ascii_only).encode()


def _headers(names: list[str], media_types: list[str]) -> st.SearchStrategy[Pairs]:
    """Return a strategy for the contract's headers, each up to twice, and for the headers of a body."""
    each = [st.tuples(st.just(name), st.sampled_from(HEADER_VALUES[name])) for name in names]
    one = [st.lists(pair, max_size=1) for pair in each]
    two = [st.lists(pair, max_size=2) for pair in each]
    right = st.sampled_from(media_types or ["application/json"])
    media_type = st.tuples(st.just("Content-Type"), _rarely(st.sampled_from(MEDIA_TYPES), right))
    encoding = st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "identity"]))
    odd = st.one_of(
        st.just([]), st.lists(media_type, min_size=2, max_size=2), st.tuples(media_type, encoding).map(list)
    )
    usual = st.tuples(media_type) if media_types else st.just(())
    return st.tuples(*(_rarely(b, a) for a, b in zip(one, two, strict=True)), _rarely(odd, usual)).map(_together)
