"""`due` and the order `due_at` go by the clock of the reader: in the zone of the request, or the preferred one."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.support.client import Json, User

WEST, EAST = "Pacific/Pago_Pago", "Pacific/Tongatapu"
"""Zones at UTC-11 and UTC+13, in which it is never the same day."""


def today(zone: str, days: int = 0) -> date:
    """Return the day that it is in a zone, or one some days later."""
    return (datetime.now(ZoneInfo(zone)) + timedelta(days=days)).date()


def clock(zone: str, **later: float) -> Json:
    """Return the date and the time that it is in a zone, or will be."""
    local = (datetime.now(UTC) + timedelta(**later)).astimezone(ZoneInfo(zone))
    return {"due_date": local.date().isoformat(), "due_time": f"{local:%H:%M}"}


def titles(user: User, **parameters: str) -> list[str]:
    """Return the titles of the tasks in a list."""
    return [task["title"] for task in user.get("/tasks", params=parameters).json()["tasks"]]


def prefer(user: User, **preferences: str | None) -> Json:
    """Change preferences, and return them."""
    response = user.request("PATCH", "/preferences", json=preferences)
    assert response.status_code == 200, response.text
    return response.json()


def test_an_all_day_task_written_and_read_in_two_zones_is_due_on_its_date_in_each(ada: User) -> None:
    for zone in (WEST, EAST):
        ada.create(zone, due_date=today(zone).isoformat())
    for zone in (WEST, EAST):
        assert titles(ada, due="today", time_zone=zone) == [zone]
        prefer(ada, time_zone=zone)
        assert titles(ada, due="today") == [zone]
    assert titles(ada, due="tomorrow", time_zone=WEST) == [EAST]
    assert titles(ada, due="overdue", time_zone=EAST) == [WEST]
    assert {task["due_date"] for task in ada.get("/tasks").json()["tasks"]} == {
        today(zone).isoformat() for zone in (WEST, EAST)
    }


def test_a_floating_time_comes_first_where_the_sun_rises_first(ada: User) -> None:
    ada.create("floating", **clock(EAST, hours=-1))
    assert titles(ada, due="overdue", time_zone=EAST) == ["floating"]
    assert titles(ada, due="overdue", time_zone=WEST) == []


def test_a_time_in_a_zone_is_on_the_readers_day_and_passes_everywhere_at_once(ada: User) -> None:
    task = ada.create("call", **clock(EAST, minutes=-2), time_zone=EAST)
    for zone in (WEST, EAST, "Europe/Berlin"):
        assert titles(ada, due="overdue", time_zone=zone) == ["call"]
    ada.patch(task["id"], clock(EAST, minutes=2))
    local = datetime.fromisoformat(ada.get(f"/tasks/{task['id']}").json()["due_at"])
    for zone in (WEST, EAST):
        day = local.astimezone(ZoneInfo(zone)).date()
        wanted = {today(zone): "today", today(zone, 1): "tomorrow"}[day]
        assert titles(ada, due=wanted, time_zone=zone) == ["call"]
        assert titles(ada, due="overdue", time_zone=zone) == []


def test_overdue_are_open_tasks_whose_time_or_day_is_over(ada: User) -> None:
    for name, members in {
        "yesterday": {"due_date": today("UTC", -1).isoformat()},
        "a minute ago": clock("UTC", minutes=-1),
        "in five minutes": clock("UTC", minutes=5),
        "someday": {},
        "done": {"due_date": today("UTC", -1).isoformat(), "completed": True},
    }.items():
        ada.create(name, **members)
    ada.create("today", due_date=today("UTC").isoformat())
    assert titles(ada, due="overdue", sort_by="created_at", sort_direction="asc") == ["yesterday", "a minute ago"]
    assert titles(ada, due="none") == ["someday"]


@pytest.mark.parametrize("week_start", ["monday", "saturday", "sunday"])
def test_a_week_goes_from_the_preferred_day_to_the_day_before(ada: User, week_start: str) -> None:
    prefer(ada, week_start=week_start)
    for days in range(-8, 9):
        day = today("UTC", days)
        ada.create(day.isoformat(), due_date=day.isoformat())
    found = sorted(titles(ada, due="week"))
    assert len(found) == 7
    assert date.fromisoformat(found[0]).strftime("%A").lower() == week_start
    assert today("UTC").isoformat() in found


def test_the_order_puts_a_date_without_a_time_at_the_end_of_its_day(ada: User) -> None:
    ada.create("none")
    ada.create("next day", due_date="2026-11-25", due_time="00:00")
    ada.create("day", due_date="2026-11-24")
    ada.create("evening", due_date="2026-11-24", due_time="23:59")
    ada.create("Tokyo", due_date="2026-11-25", due_time="07:00", time_zone="Asia/Tokyo")
    ada.create("morning", due_date="2026-11-24", due_time="08:00")
    wanted = ["morning", "Tokyo", "evening", "day", "next day", "none"]
    for way, order in (("asc", wanted), ("desc", [*reversed(wanted[:-1]), "none"])):
        assert titles(ada, sort_by="due_at", sort_direction=way, time_zone="Europe/London") == order
        found, cursor = [], ""
        while cursor is not None:
            query = {"sort_by": "due_at", "sort_direction": way, "limit": "1", "time_zone": "Europe/London"}
            page = ada.get("/tasks", params=query | ({"cursor": cursor} if cursor else {})).json()
            found += [task["title"] for task in page["tasks"]]
            cursor = page["next_cursor"]
        assert found == order


def test_floating_times_are_ordered_by_the_readers_clock_on_days_when_it_changes(ada: User) -> None:
    """In Berlin 02:30 is 03:30 on 29 March, and on 25 October the first 02:30 counts."""
    for day, time in (
        ("2026-03-29", "01:29"),
        ("2026-03-29", "01:31"),
        ("2026-10-25", "00:29"),
        ("2026-10-25", "00:31"),
    ):
        ada.create(f"{day} {time}", due_date=day, due_time=time, time_zone="UTC")
    for day in ("2026-03-29", "2026-10-25"):
        ada.create(f"{day} floating", due_date=day, due_time="02:30")
    assert titles(ada, sort_by="due_at", sort_direction="asc", time_zone="Europe/Berlin") == [
        "2026-03-29 01:29",
        "2026-03-29 floating",
        "2026-03-29 01:31",
        "2026-10-25 00:29",
        "2026-10-25 floating",
        "2026-10-25 00:31",
    ]


def test_a_cursor_belongs_to_one_filter_and_one_zone(ada: User) -> None:
    for number in range(3):
        ada.create(str(number), due_date=today(WEST).isoformat())
    query = {"due": "today", "time_zone": WEST, "limit": "2"}
    cursor = ada.get("/tasks", params=query).json()["next_cursor"]
    assert titles(ada, **query, cursor=cursor) == ["0"]
    for other in ({"due": "tomorrow"}, {"time_zone": "UTC"}):
        response = ada.request("GET", "/tasks", params=query | other | {"cursor": cursor})
        assert (response.status_code, response.json()["errors"][0]["name"]) == (400, "cursor")


def test_a_cursor_belongs_to_the_days_that_its_filter_meant(ada: User) -> None:
    for number in range(3):
        ada.create(str(number), due_date=today("UTC").isoformat())
    prefer(ada, week_start=f"{today('UTC'):%A}".lower())
    query = {"due": "week", "limit": "2"}
    cursor = ada.get("/tasks", params=query).json()["next_cursor"]
    assert titles(ada, **query, cursor=cursor) == ["0"]
    # Now the week begins a day earlier.
    prefer(ada, week_start=f"{today('UTC') - timedelta(days=1):%A}".lower())
    response = ada.request("GET", "/tasks", params=query | {"cursor": cursor})
    assert (response.status_code, response.json()["errors"][0]["name"]) == (400, "cursor")


def test_a_list_is_not_modified_until_something_is_written_or_the_time_changes_it(ada: User) -> None:
    ada.create("a", due_date=today("UTC").isoformat())
    for query in ({"due": "today"}, {"due": "none"}, {"sort_by": "due_at"}):
        first = ada.get("/tasks", params=query)
        known = {"If-None-Match": first.headers["ETag"]}
        again = ada.request("GET", "/tasks", params=query, headers=known)
        assert (again.status_code, again.headers["ETag"]) == (304, first.headers["ETag"])
    today_tag = ada.get("/tasks", params={"due": "today"}).headers["ETag"]
    assert today_tag != ada.get("/tasks").headers["ETag"]
    # In another zone it is another day.
    known = {"If-None-Match": ada.get("/tasks", params={"due": "today", "time_zone": WEST}).headers["ETag"]}
    assert ada.request("GET", "/tasks", params={"due": "today", "time_zone": EAST}, headers=known).status_code == 200
    prefer(ada, time_zone=EAST)
    changed = ada.request("GET", "/tasks", params={"due": "today"}, headers={"If-None-Match": today_tag})
    assert changed.status_code == 200


def test_writes_of_many_tasks_take_the_filter_too(ada: User) -> None:
    for zone in (WEST, EAST):
        ada.create(zone, due_date=today(zone).isoformat())
    query = {"due": "overdue", "time_zone": EAST}
    moved = {"due_date": today(EAST).isoformat()}
    assert ada.request("PATCH", "/tasks", params=query, json=moved).json()["changed"] == 1
    assert ada.request("DELETE", "/tasks", params=query).json()["changed"] == 0
    prefer(ada, time_zone=EAST)
    assert ada.request("DELETE", "/tasks", params={"due": "today"}).json()["changed"] == 2


def test_a_zone_makes_no_difference_where_nothing_depends_on_the_clock(ada: User) -> None:
    ada.create("a", due_date="2026-11-24")
    assert titles(ada, time_zone=WEST) == titles(ada, time_zone=EAST, due_before="2026-11-24") == ["a"]
