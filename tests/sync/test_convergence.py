"""Devices that edit offline, behind a hostile network, end with the same tasks as the server, and lose no edit."""

from pathlib import Path

from tests.support.postgres import private_postgres
from tests.support.sync.trial import run_trial


def test_devices_and_server_agree_and_no_edit_is_lost(tmp_path: Path) -> None:
    with private_postgres() as url:
        counts = run_trial(
            tmp_path,
            url,
            edits=600,
            at_once=1,
            disturbances=["purge_trash", "restart", "cut_listener", "crash_database"],
        )
    assert counts["conflicts"] < counts["edits"] / 2
