"""Values and their schemas, walked together; schemas are of Draft 4, as `draft4` returns them.

A union is a schema with a discriminator: exactly one of the schemas in its `oneOf` applies.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

from handlers.contract.schemas import Schema

Place = tuple[str | int, ...]
"""A place in a value or in a schema: the keys and indexes that lead to it."""


def at(document: Any, place: Place) -> Any:
    """Return what is at a place."""
    for step in place:
        document = document[step]
    return document


def shortened(value: Any, schema: Schema, most: int) -> Any:
    """Return as much of a value as is needed to find its errors, or `most` of them. Unions in it stay as they are.

    That is one item more than a list may have, and all members of an object that its schema names, with `most` others.
    """
    match value, schema:
        case _, {"allOf": [only]}:
            return shortened(value, only, most)
        case list(), {"items": items, "maxItems": limit}:
            return [shortened(item, items, most) for item in value[: limit + 1]]
        case dict(), {"properties": properties}:
            known = {name: shortened(value[name], properties[name], most) for name in properties if name in value}
            unknown = islice((name for name in value if name not in properties), most)
            return known | {name: value[name] for name in unknown}
    return value


def without_unions(schema: Schema) -> Schema:
    """Return a schema in which each union is replaced by a schema that every value matches."""
    outside = {} if "discriminator" in schema else dict(schema)
    for keyword, part in outside.items():
        match keyword:
            case "properties":
                outside[keyword] = {name: without_unions(member) for name, member in part.items()}
            case "items":
                outside[keyword] = without_unions(part)
            case "allOf":
                outside[keyword] = [without_unions(one) for one in part]
    return outside


def unions(schema: Schema, place: Place = ()) -> Iterator[tuple[Place, Schema]]:
    """Yield the place of each union in a schema, and the union. Those inside a union are not among them."""
    if "discriminator" in schema:
        yield place, schema
        return
    for name, member in schema.get("properties", {}).items():
        yield from unions(member, (*place, "properties", name))
    for number, part in enumerate(schema.get("allOf", ())):
        yield from unions(part, (*place, "allOf", number))
    if "items" in schema:
        yield from unions(schema["items"], (*place, "items"))


def values_of(place: Place, value: Any, prefix: Place = ()) -> Iterator[tuple[Place, Any]]:
    """Yield the parts of a value for which the schema at this place applies, and the place of each in the value."""
    match place:
        case ():
            yield prefix, value
        case ("properties", name, *rest) if isinstance(value, dict) and name in value:
            yield from values_of(tuple(rest), value[name], (*prefix, name))
        case ("items", *rest) if isinstance(value, list):
            for number, item in enumerate(value):
                yield from values_of(tuple(rest), item, (*prefix, number))
        case ("allOf", _, *rest):
            yield from values_of(tuple(rest), value, prefix)
