"""Values derived from a schema of the contract: plain valid ones, and ones at its limits and just beyond."""

import re
from typing import Any

from hypothesis import strategies as st

from tests.support.oracle.sides import Json

Values = st.SearchStrategy[Any]

TEXTS = ["", "null", "None", "a,b", ",", "a\n", "\n", "a\nb", " a", "a ", " ", "a b", "%", "a%2Cb", "+", "&", "/", "[]"]
TEXTS += ["{}", "a\0b", "\x1c", "\x85", "\xa0", "a\x85", "\u200b", "\u2028", "\u3000a", "\ufeff", "Äpfel", "🎉"]
TEXTS += ["e\u0301", "\u2000", "\u212b"]
# In NFC, the last two have one code point and three.
LETTERS = ["x", "é", "🎉", "e\u0301", "\U0001d160"]
NUMBERS = ["+1", " 1", "1 ", "1\n", "01", "-0", "-1", "1_0", "1.0", "1e1", "0x1", "\u0661", "\uff11", "²", "", "1,2"]
NUMBERS += ["true", "null", "9" * 19, "9" * 4001, "9" * 4301]
BOOLEANS = ["True", "TRUE", "fALSE", "yes", "1", "0", "", " true", "true\n", "null"]
DAYS = ["2026-02-29", "2024-02-29", "0000-01-01", "0001-01-01", "9999-12-31", "2026-1-1", "20260101", "2026-W01-1"]
DAYS += ["2026-01-01\n", " 2026-01-01", "2026-01-01T00:00:00Z", "\uff12026-01-01", "2026-13-01", "", "null"]
ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
IDS = [ID.upper(), ID.replace("-", ""), f"{{{ID}}}", ID[:-1], f"{ID}\n", ID.replace("-", ":"), "g" * 36, "1", "null"]
IDS += [f"{ID[:-1]}\u0661", f"{ID[:-3]}_41", f"{ID[:7]}-{ID[7]}{ID[9:]}", "a b"]
TIMES = ["2026-01-31T09:30:00+00:00", "2026-01-31T09:30:00", "2026-01-31", "", "null"]
CLOCK_TIMES = ["24:00", "9:00", "09:00:00", "09:00Z", "", "null", "\uff10\uff19:00", "09:60"]
ZONES = [
    "europe/berlin",
    "Europe/Berlin\n",
    "../UTC",
    "/etc/localtime",
    "Factory",
    "CEST",
    "+01:00",
    "UTC+1",
    "",
    "null",
]
BY_FORMAT = {
    "time-of-day": (st.times().map("{:%H:%M}".format), CLOCK_TIMES),
    "time-zone": (st.sampled_from(["Europe/Berlin", "UTC", "Pacific/Niue", "Asia/Kathmandu"]), ZONES),
    "date": (st.dates().map(str), DAYS),
    "date-time": (st.datetimes().map("{:%Y-%m-%dT%H:%M:%SZ}".format), TIMES),
    "uuid": (st.uuids().map(str), IDS),
}


def usual(schema: Json) -> Any:
    """Return a plain value that a schema allows, of an object only the required members."""
    match schema:
        case {"allOf": [part]} | {"oneOf": [part, *_]}:
            return usual(part)
        case {"example": value} | {"enum": [value, *_]}:
            return value
        case {"properties": members}:
            return {name: usual(members[name]) for name in schema.get("required", [])}
        case {"items": items}:
            return [usual(items)]
    raise NotImplementedError(schema)


def plain(schema: Json) -> Values:
    """Return a strategy for plain values that a schema allows."""
    match schema:
        case {"oneOf": parts}:
            return st.one_of([plain(part) for part in parts])
        case {"properties": members}:
            # Random ones would differ from those in the path, and every other request would be rejected.
            values = {name: plain(member) for name, member in members.items() if "readOnly" not in member}
            required = {name: values.pop(name) for name in schema.get("required", [])}
            return st.fixed_dictionaries(required, optional=values)
        case {"allOf": [part]}:
            return plain(part)
        case {"enum": values}:
            return st.sampled_from(values)
        case {"type": "boolean"}:
            return st.booleans()
        case {"type": "integer"}:
            return st.integers(schema["minimum"], schema["maximum"])
        case {"type": "array"}:
            return st.lists(plain(schema["items"]), min_size=schema.get("minItems", 0), max_size=3, unique_by=repr)
        case {"format": name}:
            return BY_FORMAT[name][0]
        case {"pattern": pattern, "example": example} if not re.search(pattern, "abc"):
            return st.just(example)
    return st.text("abc-_", min_size=1, max_size=4)


def edges(schema: Json) -> list[Any]:
    """Return the values at each limit of a schema and beyond, and values easily mistaken for valid ones."""
    match schema:
        case {"allOf": [part]}:
            return edges(part)
        case {"oneOf": parts}:
            return [edge for part in parts for edge in edges(part)]
        case {"nullable": True}:
            return [None, *edges({**schema, "nullable": False})]
        case {"properties": members}:
            values = [(name, edge) for name, member in members.items() for edge in edges(member)[:20]]
            return [{}, *(usual(schema) | {name: edge} for name, edge in values)]
        case {"type": "integer", "enum": numbers}:
            return [*numbers, min(numbers) - 1, 0, max(numbers) + 1, 2**63, *NUMBERS]
        case {"enum": [first, *_]}:
            return [first.swapcase(), f"{first}\n", f"{first},", "", "null"]
        case {"type": "boolean"}:
            return BOOLEANS
        case {"type": "integer"}:
            least, most = schema["minimum"], schema["maximum"]
            return [least - 1, least, most, most + 1, 2**63, *NUMBERS]
        case {"type": "array"}:
            return _list_edges(schema["items"], schema["maxItems"])
        case {"format": name}:
            return BY_FORMAT[name][1]
    longest = schema["maxLength"]
    return [letter * length for length in (longest - 1, longest, longest + 1) for letter in LETTERS] + TEXTS


def _list_edges(items: Json, most: int) -> list[Any]:
    few = ["a", "b"] if "maxLength" in items and "format" not in items else [usual(items)]
    many = [f"tag {number}" if len(few) > 1 else few[0] for number in range(most + 1)]
    lists = [[], few, few * 2, many, many[:-1], ["é", "e\u0301"]]
    return lists + [[few[0], edge] for edge in edges(items)]


def edgy(schema: Json) -> Values:
    """Return a strategy for edges and, if the schema allows text, for random text."""
    known = st.sampled_from(edges(schema))
    unknown = st.text(min_size=1, max_size=4) | st.text("aé,\n", min_size=1, max_size=4)
    return known | unknown if schema.get("type") == "string" else known
