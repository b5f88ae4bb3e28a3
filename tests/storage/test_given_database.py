"""`make test-api` tests the service on a database that is given, and reports the tests that it leaves out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.support.given_database import REASONS, SLOW, WITHOUT_SERVER
from tests.support.postgres import new_database
from tests.support.server import ROOT

SPEAKS_HTTP = "tests/service/test_http.py"
LEFT_OUT = {
    "tests/faults/test_rolling_restart.py": SLOW,
    "tests/service/test_settings.py": REASONS["database"],
    "tests/storage/test_pgbouncer.py": REASONS["postgres"],
    "tests/storage/test_statements.py": WITHOUT_SERVER,
}


def run(directory: Path, files: list[str], **given: str) -> subprocess.CompletedProcess[str]:
    """Run the tests of these files with a worker of pytest-xdist, which passes on what it has left out."""
    options = ["-rp", "-n", "1", "-p", "no:cacheprovider", f"--basetemp={directory}/run"]
    command = [sys.executable, "-m", "pytest", *options, *files]
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), **given}
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=300, check=False)


def test_only_tests_that_speak_http_run_in_users_of_their_own(postgres: str, tmp_path: Path) -> None:
    given = new_database(postgres)
    done = run(tmp_path, [SPEAKS_HTTP, *LEFT_OUT], TEST_DATABASE_URL=given)
    assert done.returncode == 0, done.stdout
    assert set(re.findall(r"^PASSED (.*?)::", done.stdout, re.MULTILINE)) == {SPEAKS_HTTP}
    for file, reason in LEFT_OUT.items():
        assert re.search(rf"\d+ {re.escape(reason)}:\n(  tests/.*\n)*  {file} \(\d+\)\n", done.stdout), file
    with psycopg.connect(given) as connection:
        users = [user_id for (user_id,) in connection.execute("SELECT user_id FROM accounts")]
    assert users
    assert all(re.search("[0-9a-f]{32}", user_id) for user_id in users)


def test_the_service_takes_the_settings_of_the_given_database(postgres: str, tmp_path: Path) -> None:
    done = run(tmp_path, [SPEAKS_HTTP], TEST_DATABASE_URL=postgres, DATABASE_POOL_TIMEOUT="soon")
    assert done.returncode == 1
    assert "DATABASE_POOL_TIMEOUT must be" in done.stdout
