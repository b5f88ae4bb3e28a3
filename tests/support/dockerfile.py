"""Builds the image of the Dockerfile in a directory: faster than a container engine, and without one."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.server import ROOT


def instructions() -> list[tuple[str, str]]:
    """Return the Dockerfile's instructions and their arguments, in order."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in lines)]


def context() -> list[Path]:
    """Return the paths, relative to the project, of the files that `.dockerignore` lets into the build context."""
    first, *others = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    allowed = {line[1:] for line in others if line.startswith("!")}
    excluded = {line.removeprefix("**/") for line in others if line.startswith("**/")}
    assert len(allowed) + len(excluded) == len(others)
    files = [
        file.relative_to(ROOT)
        for name in allowed
        for file in (ROOT / name, *(ROOT / name).rglob("*"))
        if file.is_file()
    ]
    return [file for file in files if not excluded & set(file.parts)]


@dataclass
class Image:
    """The result of a build stage: the root of its file system, and how to run it."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    user: str = "root"
    command: dict[str, Any] = field(default_factory=dict)

    def path(self, path: str) -> Path:
        """Return where an absolute path of the image is on this machine."""
        return self.root / path.lstrip("/")

    def mapped(self, text: str) -> str:
        """Replace the image's directories `/venv` and `/app` in a text by where they are on this machine."""
        return re.sub(r"(?<!\w)/(?=(venv|app)\b)", f"{self.root}/", text)


def build(directory: Path, python: str) -> Image:
    """Build the image in a directory; `python` creates its virtual environments. Raises CalledProcessError."""
    stages: dict[str, Image] = {}
    image = Image(directory)
    for name, arguments in instructions():
        match name:
            case "FROM":
                image = Image(directory / str(len(stages)))
                image.root.mkdir()
                stages[arguments.rpartition(" AS ")[2]] = image
            case "COPY":
                *sources, target = arguments.split()
                _copy(sources, image.path(target), stages)
            case "RUN" if not arguments.startswith("useradd "):
                command = shlex.split(image.mapped(arguments))
                assert command[0].rpartition("/")[2] in ("python", "chmod"), (
                    f"cannot run outside a container: {arguments}"
                )
                interpreter = python if command[2] == "venv" else sys.executable
                command[0] = {"python": interpreter}.get(command[0], command[0])
                subprocess.run(command, cwd=image.root, check=True, capture_output=True)
            case "ENV":
                pairs = (pair.split("=", 1) for pair in image.mapped(arguments).split())
                image.environment |= {key: value.replace("$PATH", os.environ["PATH"]) for key, value in pairs}
            case "WORKDIR":
                image.working_directory = arguments
            case "USER":
                image.user = arguments
            case "ENTRYPOINT" | "CMD":
                image.command[name] = json.loads(arguments)
            case "HEALTHCHECK":
                image.command[name] = json.loads(arguments.partition("CMD ")[2])
    return image


def _copy(sources: list[str], target: Path, stages: dict[str, Image]) -> None:
    if sources[0].startswith("--from="):
        origin = stages[sources.pop(0).removeprefix("--from=")]
        shutil.copytree(origin.path(sources[0]), target, symlinks=True, copy_function=os.link)
        return
    for source in sources:
        files = [file for file in context() if file.is_relative_to(source)]
        assert files, f"{source} is not in the context"
        for file in files:
            # COPY keeps the name of a file, and the layout of a folder.
            place = target / (file.name if file == Path(source) else file.relative_to(source))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, place)
