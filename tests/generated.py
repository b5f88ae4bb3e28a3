"""Requests made from the contract: mostly valid, at its limits, or wrong in one place."""

import json
import operator
from collections.abc import Iterable
from functools import partial
from typing import Any
from urllib.parse import quote, quote_plus

from hypothesis import strategies as st

from tests.differential import USER, Json, Operation, Request

Texts = st.SearchStrategy[str]
Pairs = list[tuple[str, str]]

TEXTS = [
    "",
    "a",
    "Ada",
    "Äpfel",
    "🎉",
    "a,b",
    ",",
    "null",
    "None",
    "a\n",
    "\n",
    " a",
    "a ",
    "a b",
    "%",
    "a%2Cb",
    "+",
    "&",
]
TEXTS += [
    "a\0b",
    "\x1c",
    "\x85",
    "\xa0",
    "a\x85",
    "\u200b",
    "\u2028",
    "\u3000a",
    "\ufeff",
    "[]",
    "{}",
    "/",
    "a/b",
    "a\nb",
]
LIKE_NUMBERS = [
    "+1",
    " 1",
    "1 ",
    "1\n",
    "01",
    "-0",
    "-1",
    "1_0",
    "1.0",
    "1e1",
    "0x1",
    "\u0661",
    "\uff11",
    "²",
    "",
    "9" * 19,
]
LIKE_NUMBERS += ["9" * 4001, "9" * 4301, "1,2", "null", "true"]
LIKE_BOOLEANS = ["True", "TRUE", "fALSE", "yes", "1", "0", "", " true", "true\n", "null"]
LIKE_DAYS = ["2026-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-1-1", "20260101", "2026-W01-1"]
LIKE_DAYS += ["2026-01-01\n", " 2026-01-01", "2026-01-01T00:00:00Z", "\uff12026-01-01", "2026-13-01", "", "null"]
ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
LIKE_IDS = [
    ID.upper(),
    ID.replace("-", ""),
    f"{{{ID}}}",
    ID[:-1],
    f"{ID[:-1]}\u0661",
    f"{ID[:-3]}_41",
    f"{ID}\n",
    "g" * 36,
]
LIKE_IDS += [ID.replace("-", ":"), f"{ID[:7]}-{ID[7]}{ID[9:]}", "1", "null", "a b"]
ENTITY_TAGS = [
    "*",
    '"1"',
    'W/"1"',
    '"1", "2"',
    '"1" , W/"2",,',
    ',"1"',
    '"',
    "1",
    "",
    "w/*",
    '"a""b"',
    '*, "1"',
    'W/ "1"',
]
ENTITY_TAGS += ['"é"', '"' + "x" * 3998 + '"', '"' + "x" * 3999 + '"']
ODD_JSON = [None, True, False, 0, 1, 1.0, -1, 10**30, "", "x", "true", [], [None], ["x"], {}, {"title": "x"}]
MEDIA_TYPES = ["application/json; charset=utf-8", "application/json;charset=UTF-8", "Application/JSON", "text/plain"]
MEDIA_TYPES += ["application/json", "application/merge-patch+json", "application/problem+json", "text/json"]
MEDIA_TYPES += ["application/x-www-form-urlencoded", "application/json;charset=utf-16", "application/json;v=1", "json"]
BROKEN_JSON = [b"", b" ", b"{", b"[" * 300 + b"]" * 300, b'{"title": NaN, "title": "t"}', b'{"title": "t", "title": 1}']
BROKEN_JSON += [
    b'{"title": "\\ud800"}',
    b'{"title": "a\x01"}',
    b'{"title": ' + b"9" * 5000 + b"}",
    b'{"title": "\xff"}',
]
BROKEN_JSON += [b'\xef\xbb\xbf{"title": "t"}', '{"title": "t"}'.encode("utf-16"), b"{'title': 't'}", b'{"title": "t",}']
BROKEN_JSON += [b'{"title": "' + b"x" * 70_000 + b'"}', b'{"title": "t"} x', b' {"title": "t"}\n']


def seldom(rare: st.SearchStrategy[Any], usual: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Return a strategy that draws the first about once in sixteen times."""
    return st.integers(0, 15).flatmap(lambda number: rare if number == 15 else usual)


def values(schema: Json) -> st.SearchStrategy[Any]:
    """Return JSON values about a schema: valid ones, those at each of its limits, and some beyond."""
    if "allOf" in schema:
        return values(schema["allOf"][0])
    kinds = {"array": _lists, "boolean": lambda _: st.booleans(), "integer": _integers, "string": _texts}
    valued = kinds[schema["type"]](schema)
    return st.one_of(valued, st.none()) if schema.get("nullable") else valued


def _texts(schema: Json) -> Texts:
    if "enum" in schema:
        first = schema["enum"][0]
        return st.sampled_from([*schema["enum"] * 3, first.swapcase(), f"{first}\n", "", "null"])
    if schema.get("format") == "date":
        return st.one_of(st.dates().map(str), st.sampled_from(LIKE_DAYS))
    if schema.get("format") == "uuid":
        return seldom(st.sampled_from(LIKE_IDS), st.uuids().map(str))
    longest = schema["maxLength"]
    lengths = st.sampled_from([schema.get("minLength", 0), longest - 1, longest, longest + 1])
    long = st.builds(lambda length, letter: letter * length, lengths, st.sampled_from(["x", "é", "🎉"]))
    right, odd = st.text("abc-_", min_size=1, max_size=4), st.text("aé, \n", max_size=4)
    return st.one_of(right, odd, st.text(max_size=4), st.sampled_from(TEXTS), long)


def _integers(schema: Json) -> st.SearchStrategy[int]:
    least, most = schema["minimum"], schema["maximum"]
    return st.one_of(st.integers(least, most), st.sampled_from([least - 1, least, most, most + 1, 2**63]))


def _lists(schema: Json) -> st.SearchStrategy[list[Any]]:
    most = schema["maxItems"]
    long = st.sampled_from([most - 1, most, most + 1]).map(lambda size: [f"tag {number}" for number in range(size)])
    short = st.lists(values(schema["items"]), max_size=4)
    return short if "enum" in schema["items"] else st.one_of(short, long)


def _written(parameter: Json) -> st.SearchStrategy[Pairs]:
    """Return how a query may give a parameter: once or, if it is a list or seldom, more than once."""
    schema = parameter["schema"]
    if schema["type"] == "array":
        texts = values(schema)
    else:
        odd = {"integer": LIKE_NUMBERS, "boolean": LIKE_BOOLEANS}.get(schema["type"], TEXTS[:3])
        right = values(schema).map(lambda value: value if isinstance(value, str) else json.dumps(value))
        once = st.one_of(right, right, st.sampled_from(odd))
        texts = seldom(st.tuples(once, once), st.tuples(once))
    return texts.map(lambda texts: [(parameter["name"], text) for text in texts])


def _queries(parameters: list[Json]) -> st.SearchStrategy[bytes]:
    unknown = [("page", "1"), ("Limit", "1"), ("tags[]", "a"), ("", ""), ("limit ", "1"), ("user_id", "x")]
    odd = st.sampled_from(unknown).map(lambda pair: [pair])
    if not parameters:
        return st.one_of(odd, st.just([])).map(partial(_encoded, encode=quote_plus, end=""))
    one = seldom(odd, st.one_of([_written(parameter) for parameter in parameters]))
    encode = st.sampled_from([quote_plus, quote, partial(quote, safe=",:/?!"), _raw])
    end = seldom(st.sampled_from(["&", "&&search", "&search=%ff", "&search=%", "&search=%zz", "&%ff=a"]), st.just(""))
    return st.builds(
        lambda many, **how: _encoded(_together(many), **how), st.lists(one, max_size=3), encode=encode, end=end
    )


def _encoded(pairs: Pairs, *, encode: Any, end: str) -> bytes:
    return ("&".join(f"{encode(name)}={encode(text)}" for name, text in pairs) + end).encode()


def _together(parts: Iterable[Iterable[tuple[str, str]]]) -> Pairs:
    return [pair for part in parts for pair in part]


def _raw(text: str) -> str:
    return "".join(letter if letter.isalnum() else quote_plus(letter) for letter in text)


def _bodies(schema: Json) -> st.SearchStrategy[bytes]:
    members = {name: values(member) for name, member in schema["properties"].items()}
    required = {name: members[name] for name in schema.get("required", [])}
    optional = {name: member for name, member in members.items() if name not in required}
    right = st.fixed_dictionaries(required, optional=optional)
    odd = st.dictionaries(st.sampled_from([*members, "Title", "id", ""]), st.sampled_from(ODD_JSON), max_size=1)
    wrong = st.one_of(
        st.builds(operator.or_, right, odd), st.fixed_dictionaries({}, optional=members), st.sampled_from(ODD_JSON)
    )
    written = st.builds(_json, st.one_of(right, right, wrong), ascii_only=st.booleans())
    return seldom(st.sampled_from(BROKEN_JSON), written)


def _json(body: Json, *, ascii_only: bool) -> bytes:
    return json.dumps(body, ensure_ascii=ascii_only).encode()


def _headers(names: list[str], media_types: list[str]) -> st.SearchStrategy[Pairs]:
    """Return headers: those of the contract up to twice, and those that a body comes with."""
    several = [st.lists(st.tuples(st.just(name), st.sampled_from(ENTITY_TAGS)), max_size=2) for name in names]
    right = st.sampled_from(media_types or ["application/json"])
    media_type = st.tuples(st.just("Content-Type"), seldom(st.sampled_from(MEDIA_TYPES), right))
    encoding = st.tuples(st.just("Content-Encoding"), st.sampled_from(["gzip", "identity", ""]))
    odd = st.one_of(
        st.just([]), st.lists(media_type, min_size=2, max_size=2), st.lists(encoding, min_size=1, max_size=1)
    )
    usual = st.tuples(media_type) if media_types else st.just(())
    return st.tuples(*several, seldom(odd, usual)).map(_together)


def requests_for(operation: Operation) -> st.SearchStrategy[Request]:
    """Return requests for an operation, by the one user or, seldom, by another."""
    query = [parameter for parameter in operation.parameters if parameter["in"] == "query"]
    header = [parameter["name"] for parameter in operation.parameters if parameter["in"] == "header"]
    bodies = [_bodies(media_type["schema"]) for media_type in operation.content.values()]
    return st.builds(
        Request,
        st.just(operation.method),
        st.builds(
            operation.path.format, user_id=seldom(st.just("grace"), st.just(USER)), task_id=_texts({"format": "uuid"})
        ),
        _queries(query),
        _headers(header, list(operation.content)).map(lowered),
        bodies[0] if bodies else seldom(st.just(b"{}"), st.just(b"")),
        st.integers(0, 15).map(lambda number: number == 15),
    )


def lowered(headers: Pairs) -> tuple[tuple[bytes, bytes], ...]:
    """Return headers as servers hand them to applications (ASGI: names in lower case)."""
    return tuple((name.lower().encode(), value.encode("latin-1")) for name, value in headers)
