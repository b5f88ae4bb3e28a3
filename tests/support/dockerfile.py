"""What a container engine does with our Dockerfile, done in a directory: where there is no engine, and faster."""

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
    """Return the instructions of the Dockerfile with their arguments, in their order."""
    text = (ROOT / "Dockerfile").read_text().replace("\\\n", " ")
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    return [(name, arguments) for name, _, arguments in (line.partition(" ") for line in lines)]


def context() -> list[Path]:
    """Return the files that `.dockerignore` lets into a build, relative to the project."""
    first, *others = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if not line.startswith("#")]
    assert first == "*"
    allowed = {line[1:] for line in others if line.startswith("!")}
    refused = {line.removeprefix("**/") for line in others if line.startswith("**/")}
    assert len(allowed) + len(refused) == len(others)
    files = [
        file.relative_to(ROOT)
        for name in allowed
        for file in (ROOT / name, *(ROOT / name).rglob("*"))
        if file.is_file()
    ]
    return [file for file in files if not refused & set(file.parts)]


@dataclass
class Image:
    """What a build leaves: the root of its file system, and how it is to be run."""

    root: Path
    environment: dict[str, str] = field(default_factory=dict)
    working_directory: str = "/"
    user: str = "root"
    command: dict[str, Any] = field(default_factory=dict)

    def path(self, path: str) -> Path:
        """Return where a path of the image's is."""
        return self.root / path.lstrip("/")

    def mapped(self, text: str) -> str:
        """Return a text with the image's own directories where they are."""
        return re.sub(r"(?<!\w)/(?=(venv|app)\b)", f"{self.root}/", text)


def build(directory: Path, python: str) -> Image:
    """Follow the instructions in a directory; environments are made by this Python. Raises CalledProcessError."""
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
                words = shlex.split(image.mapped(arguments))
                assert words[0].rpartition("/")[2] in ("python", "chmod"), f"not for this machine: {arguments}"
                words[0] = {"python": python if words[2] == "venv" else sys.executable}.get(words[0], words[0])
                subprocess.run(words, cwd=image.root, check=True, capture_output=True)
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
            # A file keeps its name, a folder's files their places in it.
            place = target / (file.name if file == Path(source) else file.relative_to(source))
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / file, place)
