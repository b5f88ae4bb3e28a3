"""The contract itself: it is complete and bounded, and its examples match its schemas."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
import yaml
from connexion.json_schema import Draft4RequestValidator, Draft4ResponseValidator

from handlers.resources.tasks import PRIORITIES
from storage.task_pages import _KEY_TYPES
from storage.tasks import CHANGEABLE, Task
from tests.support.conformance import OPERATIONS, STREAM
from tests.support.server import ROOT

Json = Any
WRITTEN: Json = yaml.safe_load((ROOT / "openapi.yaml").read_bytes())
NAMED = {f"{method} {path}": operation for (method, path), operation in OPERATIONS.items()}
EACH_OPERATION = pytest.mark.parametrize("operation", NAMED.values(), ids=NAMED)


def schemas(part: Json, place: str = "") -> Iterator[tuple[str, Json]]:
    """Yield the path and the value of every Schema Object below a part of the document."""
    if isinstance(part, dict):
        if isinstance(part.get("type"), str):
            yield place, part
        for name, member in part.items():
            if name not in ("example", "examples", "value", "securitySchemes"):
                yield from schemas(member, f"{place}/{name}")
    elif isinstance(part, list):
        for index, member in enumerate(part):
            yield from schemas(member, f"{place}/{index}")


def contents(part: Json) -> Iterator[Json]:
    """Yield every Media Type Object below a part of the document."""
    if isinstance(part, dict):
        # A stream has no end. The data of its events have schemas of their own.
        yield from (one for name, one in part.get("content", {}).items() if name != STREAM)
        for member in part.values():
            yield from contents(member)


def media_types(operation: Json) -> Iterator[tuple[str, Json]]:
    """Yield every declared body of an operation: `request` or a status, and the Media Type Object."""
    for content in operation.get("requestBody", {}).get("content", {}).values():
        yield "request", content
    for status, response in operation["responses"].items():
        # A stream has no end. The data of its events have schemas of their own.
        yield from ((status, one) for name, one in response.get("content", {}).items() if name != STREAM)


@EACH_OPERATION
def test_every_operation_has_a_summary_a_description_a_name_and_one_tag(operation: Json) -> None:
    assert operation["summary"]
    assert operation["description"]
    assert re.fullmatch("[a-z]+(_[a-z]+)*", operation["operationId"])
    assert len(operation["tags"]) == 1


@EACH_OPERATION
def test_every_body_has_an_example_that_matches_its_schema(operation: Json) -> None:
    bodies = list(media_types(operation))
    assert bodies
    for whose, content in bodies:
        examples = [example["value"] for example in content.get("examples", {}).values()] or [content["example"]]
        check = Draft4RequestValidator if whose == "request" else Draft4ResponseValidator
        for example in examples:
            check(content["schema"]).validate(example)


def objects_with(member: str, part: Json) -> Iterator[Json]:
    """Yield every object below a part of the document that has this member, with a value and not with a schema."""
    if isinstance(part, dict):
        if isinstance(part.get(member), str):
            yield part
        for value in part.values():
            yield from objects_with(member, value)
    elif isinstance(part, list):
        for value in part:
            yield from objects_with(member, value)


def test_the_times_in_the_examples_agree_with_each_other() -> None:
    time = datetime.fromisoformat
    (token,) = objects_with("issued_at", WRITTEN)
    stored = list(objects_with("created_at", WRITTEN))
    assert len(stored) > 3
    for one in stored:
        # The first 48 bits of a version 7 UUID are a time in milliseconds (RFC 9562, section 5.7).
        made = datetime.fromtimestamp((UUID(one["id"]).int >> 80) / 1000, UTC)
        assert timedelta(0) <= time(one["created_at"]) - made < timedelta(milliseconds=1)
        assert time(token["issued_at"]) < time(one["created_at"]) < time(token["expires_at"])
        assert time(one["created_at"]) <= time(one["updated_at"])
        assert (one.get("deleted_at") or one.get("completed_at")) in (None, one["updated_at"])
        assert one["revision"] > 1 or one["created_at"] == one["updated_at"]


@EACH_OPERATION
def test_every_operation_declares_the_statuses_and_headers_common_to_its_kind(operation: Json) -> None:
    responses = operation["responses"]
    assert "400" in responses
    assert ("401" in responses) == (operation.get("security") != [])
    assert ("415" in responses) == ("413" in responses) == ("requestBody" in operation)
    for status, response in responses.items():
        assert "X-Request-ID" in response["headers"]
        assert ("WWW-Authenticate" in response["headers"]) == (status == "401")
        assert ("Retry-After" in response["headers"]) == (status in ("429", "503"))
        is_problem = status >= "400" and (operation["tags"], status) != (["health"], "503")
        assert ("application/problem+json" in response.get("content", {})) == is_problem


@EACH_OPERATION
def test_each_error_response_of_an_operation_has_problem_types_of_its_own(operation: Json) -> None:
    schemas_of_problems = [
        response["content"]["application/problem+json"]["schema"]
        for response in operation["responses"].values()
        if "application/problem+json" in response.get("content", {})
    ]
    types = [one for schema in schemas_of_problems for one in schema["allOf"][1]["properties"]["type"]["enum"]]
    assert types
    assert len(set(types)) == len(types)


def test_storage_and_the_contract_agree_on_fields_priorities_and_sort_keys() -> None:
    assert set(WRITTEN["components"]["schemas"]["Priority"]["enum"]) == PRIORITIES.keys()
    parameters = {one.get("name"): one for one in WRITTEN["paths"]["/api/{user_id}/tasks"]["get"]["parameters"]}
    assert set(parameters["sort_by"]["schema"]["enum"]) == _KEY_TYPES.keys()
    update = WRITTEN["components"]["schemas"]["TaskUpdate"]["properties"]
    assert {name for name, member in update.items() if "readOnly" not in member} == set(CHANGEABLE)
    assert set(WRITTEN["components"]["schemas"]["TaskCreate"]["properties"]) == set(CHANGEABLE)
    # The rule for calendars follows from others. Only storage needs to know whether the next occurrence has changed.
    fields = {*Task._fields, "rrule"} - {"next_revision"}
    assert set(WRITTEN["components"]["schemas"]["Task"]["properties"]) == set(update) == fields


def test_only_the_health_operations_are_public() -> None:
    assert WRITTEN["security"] == [{"bearerAuth": []}]
    public = [name for name, operation in NAMED.items() if operation.get("security") == []]
    assert public == ["GET /health", "GET /health/live", "GET /health/ready"]


def test_every_string_array_and_integer_is_bounded() -> None:
    found = list(schemas(WRITTEN))
    assert len(found) > 50
    for place, schema in found:
        if f"content/{STREAM}" in place:
            continue
        if schema["type"] == "string":
            assert "maxLength" in schema or "enum" in schema, place
        elif schema["type"] == "array":
            assert "maxItems" in schema, place
        elif schema["type"] == "integer":
            assert {"minimum", "maximum"} <= schema.keys(), place


def test_requests_forbid_unknown_members_and_responses_allow_them() -> None:
    for name, operation in NAMED.items():
        for whose, content in media_types(operation):
            objects = [schema for _, schema in schemas(content["schema"]) if "properties" in schema]
            closed = [schema.get("additionalProperties") is False for schema in objects]
            assert all(closed) if whose == "request" else not any(closed), (name, whose)


def test_every_body_refers_to_a_named_schema() -> None:
    found = list(contents(WRITTEN))
    assert len(found) > 15
    for content in found:
        assert content["schema"].keys() == {"$ref"}
