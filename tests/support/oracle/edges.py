"""Requests derived from the contract, without randomness: one for each limit and each unusual value."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.oracle.generated import (
    BROKEN_JSON,
    ENDS,
    ENTITY_TAGS,
    MEDIA_TYPES,
    ODD_JSON,
    UNKNOWN,
    encoded,
    lowered,
    written,
)
from tests.support.oracle.sides import USER, Json, Operation, Request
from tests.support.oracle.values import ID, IDS, edges


def each_edge(operation: Operation) -> Iterator[Request]:
    """Yield a plain request for an operation, and requests that differ from it in one place."""
    path = operation.path.format(user_id=USER, task_id=ID)
    usual = Request(operation.method, path)
    for name, content in operation.content.items():
        usual = usual._replace(headers=lowered([("Content-Type", name)]), body=next(_bodies(content["schema"])))
        yield from (usual._replace(body=body) for body in _bodies(content["schema"]))
    yield usual
    yield from (usual._replace(query=query) for query in _queries(operation.parameters))
    yield from (usual._replace(path=path.replace(ID, odd)) for odd in IDS if ID in path)
    yield from (usual._replace(headers=lowered([("Content-Type", name)])) for name in MEDIA_TYPES)
    for parameter in operation.parameters:
        if parameter["in"] == "header":
            for tag in ENTITY_TAGS:
                yield usual._replace(headers=(*usual.headers, *lowered([(parameter["name"], tag)])))


def _queries(parameters: list[Json]) -> Iterator[bytes]:
    yield from (encoded([pair]) for pair in UNKNOWN)
    for parameter in parameters:
        if parameter["in"] == "query":
            yield from (encoded(written(parameter, edge)) for edge in edges(parameter["schema"]))
            yield from (encoded(written(parameter, parameter.get("example", "1")), end=end) for end in ENDS)


def _bodies(schema: Json) -> Iterator[bytes]:
    usual: dict[str, Any] = {name: schema["properties"][name]["example"] for name in schema.get("required", [])}
    yield json.dumps(usual).encode()
    yield from BROKEN_JSON
    yield from (json.dumps(odd).encode() for odd in ODD_JSON)
    yield from (json.dumps({key: usual[key] for key in usual if key != name}).encode() for name in usual)
    for name, member in (schema["properties"] | {"nope": {"type": "boolean"}}).items():
        yield from (json.dumps(usual | {name: value}).encode() for value in [*edges(member), *ODD_JSON])
