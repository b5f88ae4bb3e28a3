"""The machine: its cores, and how much CPU time and memory a process uses."""

import os
import platform
import re
import resource
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import orjson

from tests.support.server import ROOT

_TICKS = os.sysconf("SC_CLK_TCK")
_LIBRARIES = (
    "connexion",
    "uvicorn",
    "uvloop",
    "psycopg",
    "sqlalchemy",
    "orjson",
    "pyjwt",
    "fastapi",
    "pydantic",
    "asyncpg",
)
_NODE_MODULES = ROOT / "tests" / "node_modules"
_PACKAGES = ("fastify", "@fastify/jwt", "pg")

cores = sorted(os.sched_getaffinity(0))


def describe(postgresql: str) -> list[str]:
    """Return lines that describe the machine and the versions of the software on it."""
    model = re.search(r"^model name\s*: (.*)", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    lines = [
        f"{model[1] if model else platform.processor()}, {len(cores)} cores, {platform.system()} {platform.release()}",
        f"Python {platform.python_version()}, PostgreSQL {postgresql}",
        ", ".join(f"{name} {version(name)}" for name in _LIBRARIES),
    ]
    return [*lines, _describe_node()] if has_fastify() else lines


def has_fastify() -> bool:
    """Return whether Node.js and the packages in `tests/package.json` are installed."""
    return shutil.which("node") is not None and (_NODE_MODULES / "fastify").exists()


def _describe_node() -> str:
    node = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout.strip()
    files = [_NODE_MODULES / name / "package.json" for name in _PACKAGES]
    versions = [orjson.loads(file.read_bytes())["version"] for file in files]
    packages = [f"{name} {number}" for name, number in zip(_PACKAGES, versions, strict=True)]
    return f"Node.js {node.removeprefix('v')}, {', '.join(packages)}"


def allow_descriptors(count: int) -> None:
    """Let this process, and those that it starts, have so many open files.

    Raises RuntimeError if `ulimit -Hn` is lower.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < count:
        raise RuntimeError(f"{count:,} open files are needed, and `ulimit -Hn` allows {hard:,}.")
    if soft != resource.RLIM_INFINITY and soft < count:
        resource.setrlimit(resource.RLIMIT_NOFILE, (count, hard))


@contextmanager
def on_core(number: int) -> Iterator[None]:
    """Bind this process, and every process that it starts in this context, to one core, unless there is only one."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {cores[number]} if len(cores) > 1 else before)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def processes(pid: int) -> list[int]:
    """Return the ids of a process and all its descendants."""
    children = [
        int(child) for task in Path(f"/proc/{pid}/task").iterdir() for child in (task / "children").read_text().split()
    ]
    return [pid, *(one for child in children for one in processes(child))]


def parent_of(pid: int) -> int:
    """Return the id of a process's parent."""
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[1])


def cpu_seconds(pid: int) -> float:
    """Return the CPU time, user and system, of a process and all its descendants, in seconds.

    It includes descendants that have ended, such as PostgreSQL's parallel workers.
    """
    stats = [Path(f"/proc/{one}/stat").read_text().rpartition(") ")[2].split() for one in processes(pid)]
    return sum(int(ticks) for fields in stats for ticks in fields[11:15]) / _TICKS


def proportional_bytes(pid: int) -> int:
    """Return the proportional set size of a process in bytes: its own memory, and its share of what others share."""
    found = re.search(r"^Pss:\s*(\d+) kB", Path(f"/proc/{pid}/smaps_rollup").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 if found else 0


def resident_megabytes(pid: int) -> float:
    """Return the resident set size of a process, in millions of bytes."""
    found = re.search(r"^VmRSS:\s*(\d+) kB", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    return int(found[1]) * 1024 / 1e6 if found else 0.0
