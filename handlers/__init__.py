"""HTTP: one module for each tag of the contract, and one folder for each part of the server."""

import re
from pathlib import Path

# The contract is the only place that states the version.
__version__ = re.findall(
    r"^  version: &version (\S+)$", (Path(__file__).parent.parent / "openapi.yaml").read_text(), re.MULTILINE
)[0]
