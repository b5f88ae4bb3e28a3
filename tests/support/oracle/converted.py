"""What handlers receive for a JSON body by the contract's rules, written a second time."""

from collections.abc import Iterator
from datetime import date, time
from typing import Any
from uuid import UUID

from tests.support.oracle.sides import Json


def converted(schema: Json, value: Any) -> Any:
    """Return a valid value with dates, times and UUIDs as objects and defaults filled in, without read-only members."""
    match schema:
        case {"oneOf": _}:
            return converted(_branch(schema, value), value)
        case {"allOf": [part]}:
            return converted(part, value)
        case {"properties": members} if value is not None:
            defaults = {name: member["default"] for name, member in members.items() if "default" in member}
            own = {name: members[name] for name in value if name not in _left_out(schema)}
            return defaults | {name: converted(member, value[name]) for name, member in own.items()}
        case {"items": items}:
            return [converted(items, one) for one in value]
        case {"format": "date"} if value is not None:
            return date.fromisoformat(value)
        case {"format": "time-of-day"} if value is not None:
            return time.fromisoformat(value)
        case {"format": "uuid"} if value is not None:
            return UUID(value)
    return value


def without_read_only(schema: Json, value: Any) -> Any:
    """Return a value, valid or not, without its read-only members."""
    match schema, value:
        case {"oneOf": _}, dict():
            return without_read_only(_branch(schema, value), value)
        case {"properties": members}, dict():
            names = [name for name in value if name not in _left_out(schema)]
            return {name: without_read_only(members.get(name, {}), value[name]) for name in names}
        case {"items": items}, list():
            return [without_read_only(items, one) for one in value]
    return value


def _branch(schema: Json, value: Any) -> Json:
    """Return the schema that the discriminator names, one that allows anything if it names none."""
    name = schema["discriminator"]["propertyName"]
    found = [branch for branch in schema["oneOf"] if value.get(name) in branch["properties"][name]["enum"]]
    return found[0] if found else {}


def _left_out(schema: Json) -> set[str]:
    return {name for name, member in schema["properties"].items() if "readOnly" in member}


def in_order(value: Any) -> Any:
    """Return a JSON value whose representation does not depend on the order of members."""
    match value:
        case dict():
            return sorted((name, in_order(member)) for name, member in value.items())
        case list():
            return [in_order(one) for one in value]
    return repr(value)


def at(body: Any, pointer: str) -> Any:
    """Return the value at a JSON pointer (RFC 6901) whose steps have no escapes, None if there is none."""
    for step in pointer.split("/")[1:]:
        try:
            body = body[int(step) if isinstance(body, list) else step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return body


def texts_in(value: Any) -> Iterator[str]:
    """Yield every text in a JSON value."""
    match value:
        case str():
            yield value
        case list():
            for one in value:
                yield from texts_in(one)
        case dict():
            yield from texts_in(list(value.values()))
