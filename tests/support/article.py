"""What a documentation page shows."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Collects the text of each row of the tables, and of each block of code."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.rows: list[str] = []
        self.blocks: list[str] = []
        self._open: list[str] | None = None
        self.feed(page)

    def handle_starttag(self, tag: str, _attrs: list[tuple[str, str | None]]) -> None:
        """Begin a row or a block."""
        if tag in ("tr", "pre"):
            self._open = self.rows if tag == "tr" else self.blocks
            self._open.append("")

    def handle_endtag(self, tag: str) -> None:
        """End a row or a block."""
        if tag in ("tr", "pre"):
            self._open = None

    def handle_data(self, data: str) -> None:
        """Add text to what is open."""
        if self._open is not None:
            self._open[-1] += data
