"""Bodies with nested objects, arrays of objects, times, read-only members, and schemas chosen by a discriminator.

A copy of the project gets an operation whose handler returns the body that it received.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.client import mint
from tests.support.copies import add_operation, change, copy_project
from tests.support.server import serve

OPERATION = """
  /api/{user_id}/plans:
    parameters:
      - $ref: '#/components/parameters/UserId'
    post:
      operationId: create_plan
      tags: [plans]
      summary: Create a plan
      description: Returns the plan.
      requestBody:
        required: true
        x-body-limit: 100000
        content:
          application/json:
            schema:
              type: object
              additionalProperties: false
              required: [steps]
              properties:
                starts_at: {type: string, format: date-time, nullable: true}
                window:
                  type: object
                  additionalProperties: false
                  required: [from]
                  properties:
                    from: {type: string, format: time}
                    to: {type: string, format: time-of-day, default: '23:59'}
                steps:
                  type: array
                  maxItems: 1000
                  items:
                    oneOf:
                      - $ref: '#/components/schemas/Wait'
                      - $ref: '#/components/schemas/Visit'
                    discriminator:
                      propertyName: op
                      mapping: {wait: '#/components/schemas/Wait', visit: '#/components/schemas/Visit'}
      responses:
        '200':
          description: The plan.
          headers: {}
          content:
            application/json:
              schema: {type: object}
"""
SCHEMAS = """
  schemas:
    Wait:
      type: object
      additionalProperties: false
      required: [op, minutes]
      properties:
        op: {type: string, enum: [wait]}
        minutes: {type: integer, minimum: 1, maximum: 60}
    Visit:
      type: object
      additionalProperties: false
      required: [op, place]
      properties:
        op: {type: string, enum: [visit]}
        place:
          type: object
          additionalProperties: false
          required: [name]
          properties:
            name: {type: string, minLength: 1, maxLength: 10}
            opened: {type: string, format: date}
        guests: {type: array, maxItems: 3, items: {type: string, format: uuid}}
        user_id: {type: string, maxLength: 255, readOnly: true}
        visited_at: {type: string, format: date-time, readOnly: true}
        id: {type: string, format: uuid, readOnly: true}
"""
HANDLER = """
from handlers.responses.response import JSON, Response


async def create_plan(user_id, body) -> Response:
    return JSON({"body": body, "python": repr(body)})
"""
ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
WAIT = {"op": "wait", "minutes": 5}
OWN_ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c42"
VISIT = {"op": "visit", "place": {"name": "Home", "opened": "2026-01-31"}, "guests": [ID]}


@pytest.fixture(scope="module")
def url(database: str, server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Yield the URL of the operation."""
    assert server, "it has migrated the database"
    directory: Path = tmp_path_factory.mktemp("bodies")
    copy_project(directory)
    add_operation(directory, OPERATION, "plans", HANDLER)
    change(directory / "openapi.yaml", "\n  schemas:\n", SCHEMAS)
    with serve(directory, DATABASE_URL=database, PYTHONPATH=str(directory)) as url:
        yield f"{url}/api/ada/plans"


def post(url: str, body: Any) -> httpx.Response:
    """Send a body as the user `ada`."""
    return httpx.post(url, json=body, headers={"Authorization": f"Bearer {mint('ada')}"})


def errors_of(response: httpx.Response) -> dict[str, str]:
    """Return the errors by their pointers."""
    assert response.status_code == 400, response.text
    return {error["pointer"]: error["detail"] for error in response.json()["errors"]}


def test_every_member_is_converted_by_its_schema(url: str) -> None:
    body = {"starts_at": "2026-11-24T10:00:00.5+02:00", "window": {"from": "08:30"}, "steps": [WAIT, VISIT]}
    assert post(url, body).json()["python"] == (
        "{'starts_at': datetime.datetime(2026, 11, 24, 8, 0, 0, 500000, tzinfo=datetime.timezone.utc), "
        "'window': {'to': datetime.time(23, 59), 'from': datetime.time(8, 30)}, "
        "'steps': [{'op': 'wait', 'minutes': 5}, "
        "{'op': 'visit', 'place': {'name': 'Home', 'opened': datetime.date(2026, 1, 31)}, "
        f"'guests': [UUID('{ID}')]}}]}}"
    )


def test_null_stays_null_and_absent_members_stay_absent(url: str) -> None:
    assert post(url, {"starts_at": None, "steps": []}).json()["python"] == "{'starts_at': None, 'steps': []}"


@pytest.mark.parametrize(
    ("step", "pointer", "words"),
    [
        ({"op": "wait", "minutes": 0}, "/minutes", "must be at least 1"),
        ({"op": "wait"}, "/minutes", "is required"),
        ({"op": "wait", "minutes": 5, "place": 1}, "/place", "is not a recognised name"),
        ({"op": "visit", "place": {}}, "/place/name", "is required"),
        ({"op": "visit", "place": {"name": "x", "opened": "2026-02-30"}}, "/place/opened", "must be a valid date"),
        ({"op": "visit", "place": {"name": "x"}, "guests": ["x"]}, "/guests/0", "must be a UUID"),
        ({"op": "rest"}, "/op", "must be one of wait, visit"),
        ({"op": ["wait"]}, "/op", "must be one of wait, visit"),
        ({"minutes": 5}, "/op", "is required"),
        ("wait", "", "must be an object"),
        (None, "", "must be an object, not null"),
    ],
    ids=str,
)
def test_the_errors_are_those_of_the_schema_that_the_discriminator_names(
    url: str, step: Any, pointer: str, words: str
) -> None:
    (error,) = errors_of(post(url, {"steps": [WAIT, step]})).items()
    assert error[0] == f"/steps/1{pointer}"
    assert error[1].startswith(words)


def test_errors_in_several_places_are_all_reported(url: str) -> None:
    body = {"window": {"till": "09:00"}, "steps": [{"op": "wait"}, {"op": "visit", "place": 1}], "colour": "red"}
    assert errors_of(post(url, body)) == {
        "/window/from": "is required",
        "/window/till": "is not a recognised name",
        "/steps/0/minutes": "is required",
        "/steps/1/place": "must be an object",
        "/colour": "is not a recognised name",
    }


def test_read_only_members_are_left_out_at_any_depth(url: str) -> None:
    body = {"steps": [VISIT | {"user_id": "ada", "visited_at": "yesterday"}, WAIT]}
    assert post(url, body).json() == post(url, {"steps": [VISIT, WAIT]}).json()


def test_a_member_that_is_not_the_same_as_in_the_path_is_reported_at_any_depth(url: str) -> None:
    steps = [
        VISIT | {"user_id": "grace"},
        VISIT | {"user_id": "ada"},
        VISIT | {"user_id": 1},
        {"op": "visit", "user_id": "Ada"},
    ]
    assert errors_of(post(url, {"steps": steps})) == {
        "/steps/0/user_id": "must be the same as in the path",
        "/steps/2/user_id": "must be text",
        "/steps/3/user_id": "must be the same as in the path",
        "/steps/3/place": "is required",
    }


def test_a_read_only_id_is_validated_and_left_out_where_the_path_has_none_to_compare_it_with(url: str) -> None:
    body = {"steps": [VISIT | {"id": OWN_ID}]}
    assert OWN_ID not in post(url, body).json()["python"]
    assert errors_of(post(url, {"steps": [VISIT | {"id": "x"}]})) == {"/steps/0/id": "must be a UUID"}


def test_x_body_limit_raises_the_limit_of_an_operation(url: str) -> None:
    body = '{"steps": []}'
    headers = {"Authorization": f"Bearer {mint('ada')}", "Content-Type": "application/json"}
    for content in (body.ljust(100_000), body.ljust(100_001)):
        response = httpx.post(url, content=content, headers=headers)
        is_small = len(content) == 100_000
        assert response.status_code == (200 if is_small else 413)
        assert is_small or response.json()["detail"] == "The body is larger than 100000 bytes."


@pytest.mark.parametrize("text", ["24:00", "09:60", "9:30", "09:30:00", "09:30Z", "T09:30", "0930", ""])
def test_a_time_of_day_is_hours_and_minutes(url: str, text: str) -> None:
    words = "must be a time of day from 00:00 to 23:59 in the format HH:MM, such as 09:00"
    assert errors_of(post(url, {"window": {"from": text}, "steps": []})) == {"/window/from": words}


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-24",
        "2026-11-24T10:00:00",
        "2026-11-24 10:00:00Z",
        "2026-11-24T10:00Z",
        "2026-11-31T10:00:00Z",
        "2026-11-24T24:00:00Z",
        "2026-11-24T10:00:00.1234567Z",
        "2026-11-24T10:00:00+0100",
        "2026-11-24T10:00:00+24:00",
        "2026-11-24T10:00:00+22:60",
        "2026-W48-2T10:00:00Z",
        "0001-01-01T00:00:00+01:00",
        "9999-12-31T23:59:59-01:00",
    ],
)
def test_a_date_time_has_an_offset_and_exists(url: str, text: str) -> None:
    (words,) = errors_of(post(url, {"starts_at": text, "steps": []})).values()
    assert words == "must be a time with a UTC offset, such as 2026-11-24T09:30:00Z (RFC 3339)"


@pytest.mark.parametrize("text", ["2026-11-24T10:00:00Z", "2026-11-24t10:00:00z", "2026-11-24T23:30:00.1+13:30"])
def test_a_date_time_may_have_any_offset_and_is_in_utc_afterwards(url: str, text: str) -> None:
    python = post(url, {"starts_at": text, "steps": []}).json()["python"]
    assert ", 10, 0" in python
    assert "tzinfo=datetime.timezone.utc" in python


def test_at_most_100_errors_in_a_list_are_reported(url: str) -> None:
    response = post(url, {"steps": [{"op": "wait", "minutes": 0}] * 1900})
    assert len(response.json()["errors"]) == 100


def test_a_body_nested_too_deeply_is_rejected(url: str) -> None:
    nested = '{"steps": ' + "[" * 300 + "]" * 300 + "}"
    response = httpx.post(
        url,
        content=nested,
        headers={"Authorization": f"Bearer {mint('ada')}", "Content-Type": "application/json"},
    )
    assert response.status_code == 400
