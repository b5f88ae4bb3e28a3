"""README.md as a script: its sections, their code blocks, and the commands that a reader types.

A `sh` block runs in the shell of its section. A block whose first line is a comment with a file name becomes that
file. A `text`, `json` or `http` block directly after a `sh` block is the expected output of the latter. An HTML comment
before a block marks an exception:

    <!-- keeps running -->      it runs in a separate terminal until the tests end
    <!-- in DIRECTORY -->       it runs in a copy of that directory, where `npm test` must pass after the section
    <!-- tested by FILE -->     that file tests it; it does not run here
"""

import re
from typing import NamedTuple

from tests.support.server import ROOT

README = (ROOT / "README.md").read_text()
OUTPUT = {"text", "json", "http"}
MARK = "<<< the end of a block >>>"
_BLOCK = re.compile(
    r"(?:^ *<!-- (?P<note>[^\n]*) -->\n)?^(?P<indent> *)```(?P<language>\w*)\n(?P<text>.*?)^(?P=indent)```$",
    flags=re.MULTILINE | re.DOTALL,
)
_FILE = re.compile(r"(?://|#) ([\w./-]*\.[\w.]+)\n")
# Values that differ from run to run.
_VARYING = {
    "id": r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}",
    "request": r"\b[0-9a-f]{32}\b",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z",
    "date": r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT",
    "token": r"\beyJ[\w-]+\.[\w-]+\.[\w-]+",
}


class Block(NamedTuple):
    """A fenced block. `note` is the HTML comment before it, `output` the expected output in the block after it."""

    language: str
    text: str
    note: str
    output: str | None = None

    @property
    def file(self) -> str | None:
        """The path of the file that the block becomes, or None."""
        found = _FILE.match(self.text)
        return found[1] if found and self.language != "sh" else None

    @property
    def script(self) -> str:
        """The commands that a reader types for it in the section's shell; empty if it does not run there."""
        if self.file:
            return f"mkdir -p $(dirname {self.file})\ncat > {self.file} <<'END OF FILE'\n{self.text}END OF FILE\n"
        if self.language != "sh" or self.note == "keeps running" or self.note.startswith("tested by "):
            return ""
        if self.note.startswith("in "):
            return f"cp -R {self.note[3:]} ~/app\ncd ~/app\n{self.text}"
        return self.text


class Section(NamedTuple):
    """The text under one heading of the second level."""

    title: str
    blocks: list[Block]

    @property
    def typed(self) -> list[Block]:
        """The blocks that run in the section's shell."""
        return [block for block in self.blocks if block.script]

    @property
    def script(self) -> str:
        """All commands of the section, which print MARK after each block."""
        check = "npm test\n" if any(block.note.startswith("in ") for block in self.blocks) else ""
        return "".join(f"{block.script}echo '{MARK}'\n" for block in self.typed) + check


def sections(text: str) -> list[Section]:
    """Return the sections of a Markdown document."""
    return [Section(part.partition("\n")[0], _blocks(part)) for part in re.split(r"^## ", text, flags=re.MULTILINE)[1:]]


def _blocks(text: str) -> list[Block]:
    blocks: list[Block] = []
    end = 0
    for found in _BLOCK.finditer(text):
        # Only the indentation of the fence is removed; any other is part of the output that the block shows.
        content = re.sub(f"^{found['indent']}", "", found["text"], flags=re.MULTILINE)
        block = Block(found["language"], content, found["note"] or "")
        if block.language in OUTPUT and blocks and not text[end : found.start()].strip():
            blocks[-1] = blocks[-1]._replace(output=block.text)
        else:
            blocks.append(block)
        end = found.end()
    return blocks


def comparable(output: str) -> str:
    """Replace each value that varies, such as an id or a time, by a name: equal values get equal names."""
    names: dict[str, str] = {}
    for kind, pattern in _VARYING.items():
        for value in re.findall(pattern, output):
            names.setdefault(value, f"<{kind} {len(names)}>")
    for value, name in names.items():
        output = output.replace(value, name)
    return "\n".join(line.rstrip() for line in output.strip().splitlines())
