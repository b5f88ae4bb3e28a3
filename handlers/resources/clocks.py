"""Lists that depend on the clock: which do, and what changes in their entity tag as time goes by."""

from storage.clocks import Clock
from storage.driver.query import Connection
from storage.preferences import Reading, read_clock

_DIGITS = 7


async def clock_for(
    connection: Connection, user_id: str, due: str | None, time_zone: str | None, sort_by: str = ""
) -> Reading | None:
    """Return the user's clock, at the cost of one query, if these parameters of a request need it, else None."""
    if due in (None, "none") and sort_by != "due_at":
        return None
    return await read_clock(connection, user_id, time_zone)


def clock_in(reading: Reading | None) -> Clock | None:
    """Return the clock, if one was read."""
    return reading.clock if reading else None


def tick(due: str | None, reading: Reading | None) -> str:
    """Return digits that stay the same as long as the filter `due` finds the same tasks, if none is written."""
    if due in (None, "none") or reading is None:
        return ""
    # Nothing that is due on a day is overdue before the minute of the next midnight.
    number = reading.clock.minutes() if due == "overdue" else reading.clock.today.toordinal()
    return f"{number % 10**_DIGITS:0{_DIGITS}}"
