"""HTTP: a module for each tag of the contract, and a folder for each part of what serves them."""

import re
from pathlib import Path

# The contract's version is the only one.
__version__ = re.findall(
    r"^  version: &version (\S+)$", (Path(__file__).parent.parent / "openapi.yaml").read_text(), re.MULTILINE
)[0]
