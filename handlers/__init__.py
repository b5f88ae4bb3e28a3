import re
from pathlib import Path

from handlers.service import imports

# The contract's is the only one.
__version__ = re.findall(
    r"^  version: &version (\S+)$", (Path(__file__).parent.parent / "openapi.yaml").read_text(), re.MULTILINE
)[0]

imports.put_off()
