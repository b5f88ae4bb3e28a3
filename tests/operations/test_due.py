"""When a task is due: a day that is never converted, and a time on a clock, in a zone or wherever the user is."""

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from tests.support.client import Json, User
from tests.support.tasks import STAMPS, without

BERLIN = {"due_date": "2026-11-24", "due_time": "18:30", "time_zone": "Europe/Berlin"}
DUE = ("due_date", "due_time", "time_zone", "due_at")


def due(task: Json) -> tuple[Any, ...]:
    """Return when a task is due, without its date."""
    return task["due_time"], task["time_zone"], task["due_at"]


@pytest.mark.parametrize(
    ("members", "due_at"),
    [
        (BERLIN, "2026-11-24T17:30:00Z"),
        (BERLIN | {"due_date": "2026-07-24"}, "2026-07-24T16:30:00Z"),
        (BERLIN | {"time_zone": None}, None),
        (BERLIN | {"due_time": None}, None),
        ({"due_date": "2026-11-24", "due_time": "00:00", "time_zone": "Pacific/Kiritimati"}, "2026-11-23T10:00:00Z"),
        ({"due_date": "9999-12-31", "due_time": "23:59", "time_zone": "Pacific/Niue"}, "9999-12-31T23:59:59Z"),
        ({"due_date": "0001-01-01", "due_time": "00:00", "time_zone": "Asia/Tokyo"}, "0001-01-01T00:00:00Z"),
    ],
)
def test_a_time_in_a_zone_is_an_instant_however_it_is_written(ada: User, members: Json, due_at: str | None) -> None:
    patched = ada.create(due_date="2026-01-01")
    batch = {"operations": [{"op": "create", "task": {"title": "t", **members}}]}
    for task in (
        ada.create(**members),
        ada.put(str(uuid4()), {"title": "t", **members}).json(),
        ada.patch(patched["id"], members).json(),
        ada.request("POST", "/batch", json=batch).json()["results"][0]["task"],
        ada.request("POST", "/tasks", json={"title": "t", **members}, headers={"Idempotency-Key": "k"}).json(),
    ):
        assert {name: task[name] for name in DUE} == {**members, "due_at": due_at}
        assert ada.get(f"/tasks/{task['id']}").json() == task


def test_a_time_that_clocks_skip_counts_with_the_offset_before(ada: User) -> None:
    in_gap = {"due_date": "2026-03-29", "due_time": "02:30", "time_zone": "Europe/Berlin"}
    task = ada.create(**in_gap)
    assert due(task) == ("02:30", "Europe/Berlin", "2026-03-29T01:30:00Z")
    assert ada.patch(task["id"], {"due_date": "2026-03-30"}).json()["due_at"] == "2026-03-30T00:30:00Z"


def test_of_a_time_that_clocks_show_twice_the_first_counts(ada: User) -> None:
    task = ada.create(due_date="2026-10-25", due_time="02:30", time_zone="Europe/Berlin")
    assert task["due_at"] == "2026-10-25T00:30:00Z"


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"due_date": "2026-07-01"}, ("18:30", "Europe/Berlin", "2026-07-01T16:30:00Z")),
        ({"due_time": "08:00"}, ("08:00", "Europe/Berlin", "2026-11-24T07:00:00Z")),
        ({"time_zone": "Asia/Tokyo"}, ("18:30", "Asia/Tokyo", "2026-11-24T09:30:00Z")),
        ({"time_zone": None}, ("18:30", None, None)),
        ({"due_time": None}, (None, "Europe/Berlin", None)),
        ({"due_date": None}, (None, None, None)),
    ],
)
def test_what_a_change_leaves_out_stays_and_the_instant_follows(
    ada: User, changes: Json, expected: tuple[Any, ...]
) -> None:
    patched, batched, in_bulk = (ada.create(**BERLIN, position="k") for _ in range(3))
    bulk = ada.request("PATCH", "/tasks", params={"id": in_bulk["id"]}, json=changes)
    assert bulk.json()["changed"] == 1
    operation = {"op": "update", "id": batched["id"], "changes": changes}
    for task in (
        ada.patch(patched["id"], changes).json(),
        ada.request("POST", "/batch", json={"operations": [operation]}).json()["results"][0]["task"],
        ada.get(f"/tasks/{in_bulk['id']}").json(),
    ):
        assert due(task) == expected
        assert without(task, "id", "created_at", *DUE, *STAMPS) == without(patched, "id", "created_at", *DUE, *STAMPS)
        assert ada.get(f"/tasks/{task['id']}").json() == task


def test_a_patch_of_the_title_alone_leaves_everything_else_as_it_was(ada: User) -> None:
    task = ada.create(**BERLIN)
    changed = ada.patch(task["id"], {"title": "New"}).json()
    assert without(changed, "title", *STAMPS) == without(task, "title", *STAMPS)


def test_a_client_of_an_earlier_version_that_replaces_a_task_keeps_its_time(ada: User) -> None:
    task = ada.create(**BERLIN)
    moved = ada.put(task["id"], {"title": "New", "due_date": "2026-07-01"}).json()
    assert due(moved) == ("18:30", "Europe/Berlin", "2026-07-01T16:30:00Z")
    operation = {"op": "replace", "id": task["id"], "task": {"title": "New", "due_date": "2026-07-02"}}
    (result,) = ada.request("POST", "/batch", json={"operations": [operation]}).json()["results"]
    assert due(result["task"]) == ("18:30", "Europe/Berlin", "2026-07-02T16:30:00Z")
    assert due(ada.put(task["id"], {"title": "New"}).json()) == (None, None, None)


def test_a_whole_task_can_be_sent_back_as_it_was_read(ada: User) -> None:
    task = ada.create(**BERLIN)
    assert ada.put(task["id"], task).json() == ada.patch(task["id"], task).json() == task


@pytest.mark.parametrize("changes", [{"due_time": "09:00"}, {"time_zone": "Asia/Tokyo"}])
def test_a_task_without_a_date_gets_no_time(ada: User, changes: Json) -> None:
    task = ada.create()
    response = ada.patch(task["id"], changes)
    kind = "urn:problem-type:todo-api:no-due-date"
    assert (response.status_code, response.json()["type"]) == (409, kind)
    operations = [{"op": "update", "id": task["id"], "changes": changes}]
    batch = {"mode": "independent", "operations": operations}
    for _ in range(2):
        answer = ada.request("POST", "/batch", json=batch, headers={"Idempotency-Key": "b"}).json()
        assert (answer["results"][0]["status"], answer["results"][0]["problem"]["type"]) == (409, kind)
    assert ada.request("PATCH", "/tasks", params={"id": task["id"]}, json=changes).json()["changed"] == 0
    assert ada.get(f"/tasks/{task['id']}").json() == task
    for cleared in (dict.fromkeys(changes), {"due_date": None}):
        assert ada.patch(task["id"], cleared).json() == task


@pytest.mark.parametrize("member", ["due_time", "time_zone"])
def test_a_time_needs_a_date_in_the_same_request_where_the_task_is_new_or_loses_its_own(ada: User, member: str) -> None:
    value = {member: BERLIN[member]}
    needs = [{"in": "body", "pointer": f"/{member}", "detail": "needs a due_date"}]
    for response in (
        ada.request("POST", "/tasks", json={"title": "t", **value}),
        ada.put(str(uuid4()), {"title": "t", "due_date": None, **value}),
    ):
        assert (response.status_code, response.json()["errors"]) == (400, needs)
    task = ada.create(**BERLIN)
    response = ada.patch(task["id"], {"due_date": None, **value})
    detail = "cannot be combined with due_date null"
    assert response.json()["errors"] == [{"in": "body", "pointer": f"/{member}", "detail": detail}]


@pytest.mark.parametrize("text", ["2026-11-24T00:00:00.000Z", "2026-11-24T23:30:00-11:00", "2026-11-24 09:00"])
def test_a_timestamp_as_a_date_is_rejected_and_never_cut_off(ada: User, text: str) -> None:
    response = ada.request("POST", "/tasks", json={"title": "t", "due_date": text})
    assert response.status_code == 400
    (error,) = response.json()["errors"]
    assert error["pointer"] == "/due_date"
    assert "send 2026-11-24" in error["detail"]


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("europe/berlin", "Europe/Berlin"),
        ("Berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        # In the names, the signs are the reverse of what people expect.
        ("GMT+2", "Etc/GMT-2, which means GMT+2"),
        ("UTC-05:00", "Etc/GMT+5, which means UTC-05:00"),
        ("+3", "Etc/GMT-3, which means +3"),
        ("Etc/GMT 5", "send a + as %2B"),
    ],
)
def test_an_unknown_zone_is_answered_with_names_like_it(ada: User, name: str, near: str) -> None:
    for response in (
        ada.request("POST", "/tasks", json={"title": "t", "due_date": "2026-11-24", "time_zone": name}),
        ada.request("PATCH", "/preferences", json={"time_zone": name}),
        ada.request("GET", "/tasks", params={"time_zone": name}),
    ):
        assert response.status_code == 400
        assert near in response.json()["errors"][0]["detail"]


def test_a_date_that_changes_while_a_time_is_set_leaves_no_wrong_instant(ada: User) -> None:
    task = ada.create(**BERLIN)
    changes: list[Json] = [{"due_date": f"2026-07-{day:02}"} for day in range(1, 13)]
    changes += [{"due_time": f"{hour:02}:00"} for hour in range(12)]
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda one: ada.patch(task["id"], one), changes))
    assert {answer.status_code for answer in answers} == {200}
    found = ada.get(f"/tasks/{task['id']}").json()
    assert found["revision"] == task["revision"] + len(changes)
    local = datetime.fromisoformat(f"{found['due_date']}T{found['due_time']}").replace(tzinfo=ZoneInfo("Europe/Berlin"))
    assert datetime.fromisoformat(found["due_at"]) == local
