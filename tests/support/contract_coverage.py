"""Checks every answer that a test gets, and tells which answers of the contract no test has got."""

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.support.conformance import DECLARED, PRODUCED, Pair, check, check_async


class ContractCoverage:
    """A pytest plugin. A run of all tests fails while the contract has an answer that none of them got."""

    def __init__(self, config: pytest.Config) -> None:
        chosen = ("keyword", "markexpr", "lf", "deselect", "ignore", "ignore_glob")
        whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
        self._whole = whole and not any(config.getoption(option, None) for option in chosen)
        self._told = self._whole or config.get_verbosity() >= 0
        patch = pytest.MonkeyPatch()
        config.add_cleanup(patch.undo)
        for client, hook in (httpx.Client, check), (httpx.AsyncClient, check_async):
            patch.setattr(client, "__init__", _hooked(client.__init__, hook))

    @pytest.hookimpl(optionalhook=True)
    def pytest_testnodedown(self, node: Any) -> None:
        """Take what a process of pytest-xdist has seen; one that crashed tells nothing."""
        PRODUCED.update(map(tuple, getattr(node, "workeroutput", {}).get("produced", ())))

    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Hand over what was seen, or fail when something is missing."""
        output = getattr(session.config, "workeroutput", None)
        if output is not None:
            output["produced"] = sorted(PRODUCED)
        elif self._whole and _missing() and exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Say, in a run of all tests or with -v, how much of the contract was seen and what was not."""
        if not self._told:
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
        # All is plain HTTP here: to load the authorities that are trusted would take 30 ms each time.
        make(self, *args, **kwargs | {"verify": False})
        self.event_hooks["response"].append(hook)

    return make_hooked
