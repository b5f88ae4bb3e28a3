"""`make test-api` tests the service on a database that is given, and reports the tests that it leaves out."""

import os
import re
import subprocess
import sys
from pathlib import Path

import psycopg

from tests.support.given_database import REASONS, WITHOUT_SERVER
from tests.support.postgres import new_database
from tests.support.server import ROOT

FILES = ["tests/contract/test_version.py", "tests/operations/test_search.py", "tests/service/test_http.py"]


def test_only_tests_that_speak_http_use_the_given_database_and_in_users_of_their_own(
    postgres: str, tmp_path: Path
) -> None:
    given = new_database(postgres)
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "TEST_DATABASE_URL": given}
    # With a worker of pytest-xdist, which passes on what it has left out.
    options = ["-n", "1", "-p", "no:cacheprovider", f"--basetemp={tmp_path}/run"]
    command = [sys.executable, "-m", "pytest", *options, *FILES]
    done = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout
    for reason, file in (
        (REASONS["database"], "tests/service/test_http.py"),
        (REASONS["postgres"], "tests/operations/test_search.py"),
        (WITHOUT_SERVER, "tests/contract/test_version.py"),
    ):
        assert f" {reason}:\n  {file} (" in done.stdout
    with psycopg.connect(given) as connection:
        users = [user_id for (user_id,) in connection.execute("SELECT user_id FROM accounts")]
    assert users
    assert all(re.search("[0-9a-f]{32}", user_id) for user_id in users)
