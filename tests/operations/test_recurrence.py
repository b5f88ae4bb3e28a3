"""A recurring task: completing an occurrence creates the next one, once, and keeps the day that was wanted.

The dates are far ahead, so that no occurrence has been missed.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest

from tests.support.client import Json, User
from tests.support.concurrency import together
from tests.support.recurrence import DAILY, MONTHLY, NO_SERIES, complete, days, following

MONTHLY_31 = {
    "frequency": "monthly",
    "interval": 1,
    "month_day": 31,
    "from": "due",
    "missed": "skip",
    "month_end": "last_day",
}
COPIED = ("title", "description", "priority", "tags", "due_time", "time_zone", "recurrence", "series_id")


def test_a_task_that_does_not_recur_has_null_for_all_of_it(ada: User) -> None:
    task = ada.create(due_date="2096-01-31")
    assert {name: task[name] for name in NO_SERIES} == NO_SERIES
    assert {name: complete(ada, task)[name] for name in NO_SERIES} == NO_SERIES
    assert ada.revision() == 2


def test_a_rule_is_completed_by_the_due_date(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    assert task["recurrence"] == MONTHLY_31
    assert task["rrule"] == "FREQ=MONTHLY;BYMONTHDAY=28,29,30,31;BYSETPOS=-1"
    assert (task["occurrence_date"], task["next_task_id"]) == ("2096-01-31", None)
    assert ada.read(task) == task


def test_completing_leaves_the_task_as_history_and_creates_a_copy(ada: User) -> None:
    task = ada.create(
        "Pay the rent",
        description="By transfer",
        priority="High",
        tags=["home"],
        due_date="2096-01-31",
        due_time="09:00",
        time_zone="Europe/Berlin",
        recurrence=MONTHLY,
    )
    done = complete(ada, task)
    following = ada.get(f"/tasks/{done['next_task_id']}").json()
    changed = {"completed", "completed_at", "next_task_id", "position", "updated_at", "revision"}
    assert {name for name in task if task[name] != done[name]} == changed
    assert ada.read(task) == done
    assert {name: following[name] for name in COPIED} == {name: task[name] for name in COPIED}
    assert (following["due_date"], following["occurrence_date"]) == ("2096-02-29", "2096-02-29")
    assert following["due_at"] == "2096-02-29T08:00:00Z"
    assert (following["completed"], following["completed_at"], following["next_task_id"]) == (False, None, None)
    assert following["created_at"] == following["updated_at"] == done["updated_at"] == done["completed_at"]
    assert (task["revision"], done["revision"], following["revision"], ada.revision()) == (1, 2, 3, 3)


def test_completing_twice_creates_one_next_occurrence(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    assert complete(ada, task) == complete(ada, task)
    assert ada.revision() == 3


def test_fifty_parallel_completions_create_one_next_occurrence(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)

    def work(_: int) -> Json:
        with User(str(ada.http.base_url), ada.id) as other:
            return complete(other, task)

    assert len({str(done) for done in together(work, 50)}) == 1
    assert ada.revision() == 3
    assert ada.get("/tasks").json()["total"] == 2


@pytest.mark.parametrize(
    ("due_date", "rule", "expected"),
    [
        ("2096-01-30", MONTHLY, ["2096-02-29", "2096-03-30", "2096-04-30"]),
        ("2097-01-30", MONTHLY, ["2097-02-28", "2097-03-30"]),
        ("2096-01-31", MONTHLY | {"month_end": "skip"}, ["2096-03-31", "2096-05-31", "2096-07-31"]),
        ("2096-02-29", {"frequency": "yearly"}, ["2097-02-28", "2098-02-28", "2099-02-28"]),
        ("2088-02-29", {"frequency": "yearly", "month_end": "skip"}, ["2092-02-29", "2096-02-29", "2104-02-29"]),
        (
            "2096-01-27",
            MONTHLY | {"nth_weekday": {"nth": -1, "weekday": "friday"}},
            ["2096-02-24", "2096-03-30", "2096-04-27"],
        ),
        ("2096-01-30", MONTHLY | {"nth_weekday": {"nth": 5, "weekday": "monday"}}, ["2096-04-30", "2096-07-30"]),
        ("2096-01-31", {"frequency": "daily", "interval": 3}, ["2096-02-03", "2096-02-06"]),
        (
            "2096-01-02",
            {"frequency": "weekly", "interval": 2, "weekdays": ["thursday", "monday"]},
            ["2096-01-05", "2096-01-16", "2096-01-19"],
        ),
    ],
    ids=[
        "the 30th through February of a leap year",
        "the 30th through February",
        "the 31st where there is one",
        "a leap day every year",
        "a leap day in leap years, not in 2100",
        "the last Friday",
        "the fifth Monday",
        "every three days",
        "two days of every other week",
    ],
)
def test_the_schedule(ada: User, due_date: str, rule: Json, expected: list[str]) -> None:
    assert days(ada, ada.create(due_date=due_date, recurrence=rule), len(expected)) == expected


def test_the_31st_stays_the_31st_for_twelve_months(ada: User) -> None:
    task = ada.create(due_date="2097-01-31", recurrence=MONTHLY)
    ends = [28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]
    expected = [f"2097-{month:02}-{day}" for month, day in enumerate(ends, start=2)]
    assert days(ada, task, 12) == [*expected, "2098-01-31"]


@pytest.mark.parametrize(
    ("zone", "due_date", "instants"),
    [
        ("Europe/Berlin", "2026-10-23", ["2026-10-24T07:00:00Z", "2026-10-25T08:00:00Z"]),
        ("Europe/Berlin", "2026-03-27", ["2026-03-28T08:00:00Z", "2026-03-29T07:00:00Z"]),
        ("Australia/Sydney", "2026-10-02", ["2026-10-02T23:00:00Z", "2026-10-03T22:00:00Z"]),
        ("Australia/Sydney", "2026-04-03", ["2026-04-03T22:00:00Z", "2026-04-04T23:00:00Z"]),
        ("America/Sao_Paulo", "2018-11-02", ["2018-11-03T12:00:00Z", "2018-11-04T11:00:00Z"]),
        ("America/Sao_Paulo", "2026-11-02", ["2026-11-03T12:00:00Z", "2026-11-04T12:00:00Z"]),
        ("Pacific/Kiritimati", "2026-10-23", ["2026-10-23T19:00:00Z", "2026-10-24T19:00:00Z"]),
    ],
)
def test_nine_o_clock_stays_nine_o_clock(ada: User, zone: str, due_date: str, instants: list[str]) -> None:
    rule = DAILY | {"missed": "keep"}
    task = ada.create(due_date=due_date, due_time="09:00", time_zone=zone, recurrence=rule)
    for instant in instants:
        task = following(ada, task)
        assert (task["due_time"], task["time_zone"], task["due_at"]) == ("09:00", zone, instant)


@pytest.mark.parametrize("zone", ["Pacific/Pago_Pago", "Pacific/Tongatapu"])
def test_a_day_is_the_same_day_in_every_zone(ada: User, zone: str) -> None:
    assert ada.request("PATCH", "/preferences", json={"time_zone": zone}).status_code == 200
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    assert ada.read(task)["due_date"] == "2096-01-31"
    assert following(ada, task)["due_date"] == "2096-02-29"


def now_in(zone: str) -> datetime:
    """Return the time in a zone, without the zone."""
    return datetime.now(UTC).astimezone(ZoneInfo(zone)).replace(tzinfo=None)


def daytime_zone() -> str:
    """Return a zone in which it is around noon."""
    offset = 12 - datetime.now(UTC).hour
    return "UTC" if offset == 0 else f"Etc/GMT{-offset:+d}"


@pytest.mark.parametrize(("minutes", "expected"), [(90, 0), (-90, 1)], ids=["still to come", "has passed"])
def test_an_overdue_task_goes_on_with_the_first_slot_to_come(ada: User, minutes: int, expected: int) -> None:
    zone = daytime_zone()
    now = now_in(zone)
    today = now.date()
    clock = {"due_time": f"{now + timedelta(minutes=minutes):%H:%M}", "time_zone": zone}
    task = ada.create(due_date=str(today - timedelta(days=9)), recurrence=DAILY, **clock)
    assert following(ada, task)["due_date"] == str(today + timedelta(days=expected))


def test_an_overdue_task_of_the_whole_day_is_next_due_after_today(ada: User) -> None:
    for zone in ("Pacific/Pago_Pago", "Pacific/Kiritimati"):
        today = now_in(zone).date()
        task = ada.create(due_date=str(today - timedelta(days=9)), time_zone=zone, recurrence=DAILY)
        assert following(ada, task)["due_date"] == str(today + timedelta(days=1))


def test_without_a_zone_of_its_own_today_is_that_of_the_preferred_zone(ada: User) -> None:
    for zone in ("Pacific/Pago_Pago", "Pacific/Kiritimati"):
        ada.request("PATCH", "/preferences", json={"time_zone": zone})
        today = now_in(zone).date()
        one, two = (ada.create(due_date=str(today - timedelta(days=9)), recurrence=DAILY) for _ in range(2))
        done = ada.put(two["id"], {"title": "t", "completed": True, "due_date": two["due_date"]}).json()
        assert following(ada, one)["due_date"] == str(today + timedelta(days=1))
        assert ada.get(f"/tasks/{done['next_task_id']}").json()["due_date"] == str(today + timedelta(days=1))


def test_with_keep_no_slot_is_left_out(ada: User) -> None:
    task = ada.create(due_date="2026-01-31", recurrence=MONTHLY | {"missed": "keep"})
    assert days(ada, task, 2) == ["2026-02-28", "2026-03-31"]


def test_from_completion_the_day_of_completion_counts(ada: User) -> None:
    ada.request("PATCH", "/preferences", json={"time_zone": "Pacific/Kiritimati"})
    today = now_in("Pacific/Kiritimati").date()
    task = ada.create(due_date="2020-01-31", recurrence=DAILY | {"interval": 7, "from": "completion"})
    assert task["rrule"] is None
    assert days(ada, task, 2) == [str(today + timedelta(days=7))] * 2


def test_count_ends_a_series(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY | {"count": 2})
    last = following(ada, task)
    assert (ada.read(task)["recurrence"]["count"], last["recurrence"]["count"]) == (2, 1)
    assert complete(ada, last)["next_task_id"] is None
    assert ada.revision() == 4


def test_until_ends_a_series(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY | {"until": "2096-03-30"})
    assert complete(ada, following(ada, task))["next_task_id"] is None


@pytest.mark.parametrize(
    ("due_date", "rule", "postponed_to"),
    [
        ("2096-02-04", {"frequency": "daily", "until": "2096-03-01"}, "2096-04-01"),
        ("2096-01-31", {"frequency": "yearly"}, "2096-02-05"),
        ("2096-01-31", {"frequency": "daily"}, "9999-12-31"),
    ],
)
def test_a_postponed_occurrence_can_be_put_as_it_was_read(
    ada: User, due_date: str, rule: Json, postponed_to: str
) -> None:
    task = ada.create(due_date=due_date, recurrence=rule)
    postponed = ada.patch(task["id"], {"due_date": postponed_to}).json()
    answer = ada.put(task["id"], postponed)
    assert (answer.status_code, answer.json()) == (200, postponed)
    renamed = ada.put(task["id"], {**postponed, "title": "Renamed"}).json()
    assert (renamed["title"], renamed["occurrence_date"]) == ("Renamed", due_date)
    impossible = {"title": "t", "due_date": due_date, "recurrence": {**rule, "until": "2096-01-01"}}
    assert ada.put(str(uuid4()), impossible).status_code == 400


@pytest.mark.parametrize(
    ("due_date", "rule", "postponed_to", "next_day"),
    [
        ("2096-01-27", DAILY, "2096-02-05", "2096-02-06"),
        ("2096-01-02", {"frequency": "weekly"}, "2096-01-24", "2096-01-30"),
        ("2096-01-31", MONTHLY, "2096-03-05", "2096-03-31"),
    ],
)
def test_skipping_a_postponed_occurrence_goes_on_after_its_due_date(
    ada: User, due_date: str, rule: Json, postponed_to: str, next_day: str
) -> None:
    task = ada.create(due_date=due_date, recurrence=rule)
    ada.patch(task["id"], {"due_date": postponed_to})
    skipped = ada.request("POST", f"/tasks/{task['id']}/skip").json()
    assert (skipped["due_date"], skipped["occurrence_date"]) == (next_day, next_day)


def test_postponing_moves_the_due_date_and_not_the_slot(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    postponed = ada.patch(task["id"], {"due_date": "2096-02-03"}).json()
    same = ("recurrence", "rrule", "series_id", "occurrence_date")
    assert {name: postponed[name] for name in same} == {name: task[name] for name in same}
    assert following(ada, postponed)["due_date"] == "2096-02-29"


def test_a_change_of_the_open_occurrence_is_copied(ada: User) -> None:
    task = following(ada, ada.create("Old", due_date="2096-01-31", recurrence=MONTHLY))
    ada.patch(task["id"], {"title": "New", "due_time": "08:00"})
    later = following(ada, task, tags=["a"])
    assert (later["title"], later["due_time"], later["tags"]) == ("New", "08:00", ["a"])


@pytest.mark.parametrize("has_key", [False, True], ids=["POST", "POST with a key"])
def test_a_task_that_an_offline_client_has_completed_gets_its_next_occurrence(grace: User, has_key: bool) -> None:
    body = {"title": "t", "due_date": "2096-01-31", "recurrence": MONTHLY, "completed": True}
    headers = {"Idempotency-Key": "k"} if has_key else {}
    responses = [grace.request("POST", "/tasks", json=body, headers=headers) for _ in range(1 + has_key)]
    task = responses[0].json()
    assert all(response.json() == task for response in responses)
    assert task["completed_at"] == task["created_at"]
    later = grace.get(f"/tasks/{task['next_task_id']}").json()
    assert (later["due_date"], later["completed"], later["revision"]) == ("2096-02-29", False, task["revision"] + 1)
    assert grace.revision() == later["revision"]


def test_a_put_of_a_completed_task_gets_its_next_occurrence(ada: User) -> None:
    body = {"title": "t", "due_date": "2096-01-31", "recurrence": MONTHLY, "completed": True}
    task_id = str(uuid4())
    responses = [ada.put(task_id, body) for _ in range(2)]
    assert [response.status_code for response in responses] == [201, 200]
    assert responses[0].json() == responses[1].json()
    assert ada.get(f"/tasks/{responses[0].json()['next_task_id']}").json()["due_date"] == "2096-02-29"


def test_changes_and_lists_have_both_occurrences(ada: User) -> None:
    task = ada.create(due_date="2096-01-31", recurrence=MONTHLY)
    token = ada.sync_token()
    done = complete(ada, task)
    following = ada.get(f"/tasks/{done['next_task_id']}").json()
    assert ada.get("/changes", params={"sync_token": token}).json()["tasks"] == [done, following]
    assert ada.get("/tasks", params={"sort_by": "due_date", "sort_direction": "asc"}).json()["tasks"] == [
        done,
        following,
    ]


def detail(response: Any) -> tuple[int, list[tuple[str, str]]]:
    """Return the status, and the places and details of the errors."""
    return response.status_code, [(one["pointer"], one["detail"]) for one in response.json()["errors"]]


@pytest.mark.parametrize(
    ("members", "pointer", "words"),
    [
        ({"recurrence": MONTHLY}, "/recurrence", "needs a due_date"),
        ({"due_date": None, "recurrence": MONTHLY}, "/recurrence", "needs a due_date"),
        (
            {"due_date": "2096-02-01", "recurrence": {"frequency": "yearly", "month_day": 30}},
            "/recurrence/month_day",
            "must be at most 29, because due_date is in February",
        ),
        (
            {"due_date": "2096-02-01", "recurrence": MONTHLY | {"until": "2096-01-01"}},
            "/recurrence/until",
            "must not be before due_date, which is 2096-02-01",
        ),
        (
            {"due_date": "9999-12-31", "recurrence": DAILY},
            "/recurrence",
            "has no date after due_date, which is 9999-12-31",
        ),
        (
            {"due_date": "2096-02-01", "recurrence": DAILY | {"weekdays": ["monday"]}},
            "/recurrence/weekdays",
            "is only allowed if frequency is weekly",
        ),
        (
            {"due_date": "2096-02-01", "recurrence": DAILY | {"count": 1, "until": "2097-01-01"}},
            "/recurrence/count",
            "cannot be combined with until",
        ),
    ],
)
def test_an_impossible_rule_is_refused(ada: User, members: Json, pointer: str, words: str) -> None:
    body = {"title": "t", **members}
    for response in (
        ada.request("POST", "/tasks", json=body),
        ada.request("POST", "/tasks", json=body, headers={"Idempotency-Key": "k"}),
        ada.put(str(uuid4()), body),
    ):
        assert detail(response) == (400, [(pointer, words)])
    assert ada.revision() == 0


def test_null_in_a_rule_is_one_error_of_its_own(ada: User) -> None:
    absent = ("weekdays", "month_day", "nth_weekday", "until", "count", "month_end")
    members = {"title": "t", "due_date": "2096-02-01", "recurrence": DAILY | dict.fromkeys(absent)}
    status, errors = detail(ada.request("POST", "/tasks", json=members))
    assert status == 400
    assert sorted(pointer for pointer, _ in errors) == sorted(f"/recurrence/{name}" for name in absent)
    assert all(words.endswith(", not null") for _, words in errors)
