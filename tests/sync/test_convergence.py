"""Devices that edit offline, behind a hostile network, end with the same tasks as the server, and lose no edit."""

from pathlib import Path

from tests.support.postgres import private_postgres
from tests.support.sync.trial import DISTURBANCES, run_trial


def test_devices_and_server_agree_and_no_edit_is_lost(tmp_path: Path) -> None:
    with private_postgres() as url:
        counts = run_trial(tmp_path, url, edits=450, at_once=1, calm_rounds=3)
    assert all(counts[name] for name in DISTURBANCES)
    assert 0 < counts["conflicts"] < counts["edits"] / 2
