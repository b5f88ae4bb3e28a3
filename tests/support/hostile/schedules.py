"""Schedules that are deceptive: rules that are impossible or immense, and times at the ends of all years."""

from tests.support.hostile.case import JSON, Case, post

RULES: dict[str, tuple[bytes, int]] = {
    "empty": (b"{}", 400),
    "a list": (b'["daily"]', 400),
    "RRULE": (b'"FREQ=DAILY"', 400),
    "RRULE as a member": (b'{"rrule": "FREQ=DAILY"}', 400),
    "in upper case": (b'{"frequency": "DAILY"}', 400),
    "every second": (b'{"frequency": "secondly"}', 400),
    "interval 0": (b'{"frequency": "daily", "interval": 0}', 400),
    "interval -1": (b'{"frequency": "daily", "interval": -1}', 400),
    "interval 999": (b'{"frequency": "yearly", "interval": 999}', 201),
    "interval 1000": (b'{"frequency": "daily", "interval": 1000}', 400),
    "interval 1e400": (b'{"frequency": "daily", "interval": 1e400}', 400),
    "interval of 400 digits": (b'{"frequency": "daily", "interval": 1%b}' % (b"0" * 399), 400),
    "interval 1.5": (b'{"frequency": "daily", "interval": 1.5}', 400),
    "interval true": (b'{"frequency": "daily", "interval": true}', 400),
    "count 0": (b'{"frequency": "daily", "count": 0}', 400),
    "count of 2 to the power of 63": (b'{"frequency": "daily", "count": 9223372036854775808}', 400),
    "count and until": (b'{"frequency": "daily", "count": 1, "until": "2026-12-24"}', 400),
    "until before it begins": (b'{"frequency": "daily", "until": "0001-01-01"}', 400),
    "until 9999-12-31": (b'{"frequency": "daily", "until": "9999-12-31"}', 201),
    "until a timestamp": (b'{"frequency": "daily", "until": "2026-12-24T00:00:00Z"}', 400),
    "until 30 February": (b'{"frequency": "daily", "until": "2027-02-30"}', 400),
    "no weekdays": (b'{"frequency": "weekly", "weekdays": []}', 400),
    "eight weekdays": (b'{"frequency": "weekly", "weekdays": [%b]}' % b",".join([b'"monday"'] * 8), 400),
    "a weekday twice": (b'{"frequency": "weekly", "weekdays": ["monday", "monday"]}', 400),
    "weekdays by number": (b'{"frequency": "weekly", "weekdays": [1]}', 400),
    "weekdays of a month": (b'{"frequency": "monthly", "weekdays": ["monday"]}', 400),
    "day 0": (b'{"frequency": "monthly", "month_day": 0}', 400),
    "day 32": (b'{"frequency": "monthly", "month_day": 32}', 400),
    "day -2": (b'{"frequency": "monthly", "month_day": -2}', 400),
    "day 31 of November": (b'{"frequency": "yearly", "month_day": 31}', 400),
    "day and weekday": (
        b'{"frequency": "monthly", "month_day": 1, "nth_weekday": {"nth": 1, "weekday": "monday"}}',
        400,
    ),
    "the zeroth weekday": (b'{"frequency": "monthly", "nth_weekday": {"nth": 0, "weekday": "monday"}}', 400),
    "the sixth weekday": (b'{"frequency": "monthly", "nth_weekday": {"nth": 6, "weekday": "monday"}}', 400),
    "every 999th fifth Monday": (
        b'{"frequency": "monthly", "interval": 999, "nth_weekday": {"nth": 5, "weekday": "monday"}}',
        201,
    ),
    "from nowhere": (b'{"frequency": "daily", "from": "creation"}', 400),
    "missed, from completion": (b'{"frequency": "daily", "from": "completion", "missed": "keep"}', 400),
    "prototype": (b'{"frequency": "daily", "__proto__": {"interval": 2}}', 400),
    "a rule in a rule": (b'{"frequency": {"frequency": "daily"}}', 400),
    "U+0000": (b'{"frequency": "daily\\u0000"}', 400),
    "2,000 members": (b"{%b}" % b",".join(b'"%d": 1' % number for number in range(2_000)), 400),
}

TITLE = "completed at once"
# Each is completed at once, so that the next occurrence is made too.
TASKS: dict[str, tuple[bytes, int]] = {
    "daily on the last day": (b'"due_date": "9999-12-31", "recurrence": {"frequency": "daily"}', 400),
    "daily on the last day but one": (b'"due_date": "9999-12-30", "recurrence": {"frequency": "daily"}', 201),
    "daily on the first day": (b'"due_date": "0001-01-01", "recurrence": {"frequency": "daily"}', 201),
    "monthly since the year 1": (
        b'"due_date": "0001-01-31", "recurrence": {"frequency": "monthly", "missed": "keep"}',
        201,
    ),
    "yearly on 29 February, left out": (
        b'"due_date": "9996-02-29", "recurrence": {"frequency": "yearly", "interval": 7, "month_end": "skip"}',
        400,
    ),
    "in the last minute of all": (
        b'"due_date": "9999-12-31", "due_time": "23:59", "time_zone": "Pacific/Niue"',
        201,
    ),
    "in the first minute of all": (
        b'"due_date": "0001-01-01", "due_time": "00:00", "time_zone": "Pacific/Kiritimati"',
        201,
    ),
    "without a date": (b'"recurrence": {"frequency": "daily"}', 400),
    "with a date of null": (b'"due_date": null, "recurrence": {"frequency": "daily"}', 400),
    "in the year 0": (b'"due_date": "0000-01-01", "recurrence": {"frequency": "daily"}', 400),
    "at 24:00": (b'"due_date": "2026-11-24", "due_time": "24:00"', 400),
    "at 23:60": (b'"due_date": "2026-11-24", "due_time": "23:60"', 400),
    "at a time with seconds": (b'"due_date": "2026-11-24", "due_time": "09:00:00"', 400),
    "at a time of other digits": ('"due_date": "2026-11-24", "due_time": "\u0660\u0669:00"'.encode(), 400),
}

CASES = [
    *(
        Case(
            f"rule: {name}",
            post(b'{"title": "t", "due_date": "2026-11-24", "recurrence": %b}' % rule, JSON),
            (status,),
        )
        for name, (rule, status) in RULES.items()
    ),
    *(
        Case(
            f"schedule: {name}",
            post(b'{"title": "%b", "completed": true, %b}' % (TITLE.encode(), members), JSON),
            (status,),
        )
        for name, (members, status) in TASKS.items()
    ),
]
