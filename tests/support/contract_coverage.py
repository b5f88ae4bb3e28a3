"""Checks every response that a test receives, and reports the declared responses that no test received."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.conformance import DECLARED, PRODUCED, Pair, check, check_async
from tests.support.given_database import GIVEN


class ContractCoverage:
    """A pytest plugin that makes a run of all tests fail if they did not receive every declared response."""

    def __init__(self, config: pytest.Config) -> None:
        chosen = ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob")
        whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        self._whole = whole and not GIVEN and not any(config.getoption(option, None) for option in chosen)
        self._reports = self._whole or config.get_verbosity() >= 0
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        for client, hook in (httpx.Client, check), (httpx.AsyncClient, check_async):
            patch.setattr(client, "__init__", _hooked(client.__init__, hook))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Collect the pairs that a worker of pytest-xdist produced; a worker that crashed has none."""
        PRODUCED.update(map(tuple, getattr(node, "workeroutput", {}).get("produced", ())))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """In a worker, hand over the produced pairs; in the main process, fail if some are missing."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["produced"] = sorted(PRODUCED)
        elif self._whole and _missing() and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """In a run of all tests, or with -v, report how many declared pairs were produced, and which were not."""
        if not self._reports:
            return
        missing = _missing()
        seen = f"{len(DECLARED) - len(missing)} of" if missing else "all"
        line = f"contract: {seen} {len(DECLARED)} (operation, status) pairs produced"
        if missing:
            line += "; missing: " + ", ".join(f"{operation} {status}" for operation, status in missing)
        terminalreporter.write_line(line, red=self._whole and bool(missing))


def _missing() -> list[Pair]:
    return sorted(DECLARED - PRODUCED)


def _hooked(make: Callable[..., None], hook: Callable[..., Any]) -> Callable[..., None]:
    def make_hooked(self: Any, *args: Any, **kwargs: Any) -> None:
        # The tests use plain HTTP only. Loading the trusted certificate authorities would take 30 ms for each client.
        make(self, *args, **kwargs | {"verify": False})
        self.event_hooks["response"].append(hook)

    return make_hooked
