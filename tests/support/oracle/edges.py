"""Requests derived from the contract, without randomness: one for each limit and each unusual value."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.oracle.generated import (
    BROKEN_JSON,
    ENDS,
    HEADER_VALUES,
    MEDIA_TYPES,
    ODD_JSON,
    UNKNOWN,
    encoded,
    lowered,
    written,
)
from tests.support.oracle.sides import USER, Json, Operation, Request
from tests.support.oracle.values import ID, IDS, edges, usual


def each_edge(operation: Operation) -> Iterator[Request]:
    """Yield a plain request for an operation, and requests that differ from it in one place."""
    path = operation.path.format(user_id=USER, task_id=ID, list_id=ID)
    request = Request(operation.method, path, encoded(_required(operation.parameters)))
    for name, content in operation.content.items():
        request = request._replace(headers=lowered([("Content-Type", name)]), body=next(_bodies(content["schema"])))
        yield from (request._replace(body=body) for body in _bodies(content["schema"]))
    yield request
    yield from (request._replace(query=query) for query in _queries(operation.parameters))
    yield from (request._replace(path=path.replace(ID, odd)) for odd in IDS if ID in path)
    yield from (request._replace(headers=lowered([("Content-Type", name)])) for name in MEDIA_TYPES)
    for parameter in operation.parameters:
        if parameter["in"] == "header":
            for value in HEADER_VALUES[parameter["name"]]:
                yield request._replace(headers=(*request.headers, *lowered([(parameter["name"], value)])))


def _required(parameters: list[Json], *, but: str = "") -> list[tuple[str, str]]:
    """Return the query pairs of the required parameters."""
    needed = [one for one in parameters if one["in"] == "query" and one.get("required") and one["name"] != but]
    return [pair for parameter in needed for pair in written(parameter, parameter["example"])]


def _queries(parameters: list[Json]) -> Iterator[bytes]:
    yield from (encoded([*_required(parameters), pair]) for pair in UNKNOWN)
    for parameter in parameters:
        if parameter["in"] == "query":
            others = _required(parameters, but=parameter["name"])
            some = [*others, *written(parameter, parameter.get("example", "1"))]
            yield from (encoded([*others, *written(parameter, edge)]) for edge in edges(parameter["schema"]))
            yield from (encoded(some, end=end) for end in ENDS)


def _bodies(schema: Json) -> Iterator[bytes]:
    body: dict[str, Any] = usual(schema)
    yield json.dumps(body).encode()
    yield from BROKEN_JSON
    yield from (json.dumps(odd).encode() for odd in ODD_JSON)
    yield from (json.dumps({key: body[key] for key in body if key != name}).encode() for name in body)
    for name, member in (schema["properties"] | {"nope": {"type": "boolean"}}).items():
        yield from (json.dumps(body | {name: value}).encode() for value in [*edges(member), *ODD_JSON])
