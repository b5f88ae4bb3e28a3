"""Programs for Node.js."""

import os
import subprocess
from pathlib import Path

from tests.support.better_auth import NODE_MODULES


def run(directory: Path, command: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run Node.js or a command that one of the npm packages provides."""
    path = f"{NODE_MODULES / '.bin'}:{os.environ['PATH']}"
    return subprocess.run(
        [command, *arguments],
        cwd=directory,
        env={"PATH": path} | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=150,
        check=False,
    )
