"""Runs the tests that speak only HTTP against a database that is given: `TEST_DATABASE_URL=... make test-api`."""

import os
from collections import Counter
from typing import Any

import pytest

GIVEN = os.environ.get("TEST_DATABASE_URL", "")
"""The URL of the database, or nothing: then every test runs, on a private PostgreSQL."""
SETTINGS = {name: value for name, value in os.environ.items() if GIVEN and name.startswith("DATABASE_")}
"""The settings of services that use it, such as `DATABASE_PREPARED_STATEMENTS=false`."""

# The first of these fixtures that a test uses decides. `server` alone does not make a test use the others.
REASONS = {
    "database": "query the database themselves, or start a service of their own for its settings, log or processes",
    "postgres": "need a PostgreSQL of their own, to create databases, change its settings or disturb it",
    "server": "",
}
WITHOUT_SERVER = "send no request to the service: they check code and documents, or start all that they need"
SLOW = "take minutes: `make faults` runs them, on a PostgreSQL of their own"


def reason_to_leave_out(item: pytest.Item) -> str:
    """Return why a test does not run against a database that is given, or nothing if it does."""
    if item.get_closest_marker("slow"):
        return SLOW
    used = getattr(item, "fixturenames", ())
    return next((reason for fixture, reason in REASONS.items() if fixture in used), WITHOUT_SERVER)


class GivenDatabase:
    """A pytest plugin that leaves out the other tests, and reports which, and why."""

    def __init__(self) -> None:
        self._left_out: Counter[tuple[str, str]] = Counter()

    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out tests, and count them by reason and file."""
        reasons = {item: reason_to_leave_out(item) for item in items}
        left_out = {item: reason for item, reason in reasons.items() if reason}
        for item, reason in left_out.items():
            self._left_out[reason, str(item.path.relative_to(config.rootpath))] += 1
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take over what a worker of pytest-xdist left out: each of them collects all tests."""
        output = getattr(node, "workeroutput", {}).get("left_out", ())
        self._left_out |= Counter({(reason, file): number for reason, file, number in output})

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """In a worker, hand over what it left out."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["left_out"] = [[*key, number] for key, number in self._left_out.items()]

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Report the tests that were left out: by reason, how many in which file."""
        terminalreporter.section(f"{self._left_out.total()} tests left out")
        for why in dict.fromkeys(reason for reason, _ in sorted(self._left_out)):
            files = {file: number for (reason, file), number in sorted(self._left_out.items()) if reason == why}
            terminalreporter.write_line(f"{sum(files.values())} {why}:")
            for file, number in files.items():
                terminalreporter.write_line(f"  {file} ({number})")
