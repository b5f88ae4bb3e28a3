"""Devices that edit offline and synchronise at once, while the service and PostgreSQL crash: of 10,000 edits, none is
lost."""

from pathlib import Path

import pytest

from tests.support.postgres import private_postgres
from tests.support.sync.effects import EFFECTS
from tests.support.sync.network import FATES
from tests.support.sync.trial import DISTURBANCES, run_trial

CONFLICTS = (
    *("conflict", "not-found", "no-such-list", "no-such-parent", "list-of-parent", "series-moved-on"),
    *("parent-cycle", "too-deep", "recurring-subtask"),
)
"""Why the service rejects an edit, by the types of its problems."""


@pytest.mark.slow
def test_after_10_000_edits_devices_and_server_agree_and_no_edit_is_lost(tmp_path: Path) -> None:
    with private_postgres() as url:
        counts = run_trial(tmp_path, url, edits=10_000, at_once=3, calm_rounds=11)
    assert all(counts[name] for name in (*DISTURBANCES, *FATES, "resets", *EFFECTS, *CONFLICTS))
    assert 0 < counts["conflicts"] < counts["edits"] / 2
