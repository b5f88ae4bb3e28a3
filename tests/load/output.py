"""What a bench writes: tables on standard output, in Markdown; how far it is on standard error."""

import sys
from collections.abc import Iterable, Sequence
from statistics import median


def write(line: str = "") -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a table."""
    write()
    write(f"| {' | '.join(head)} |")
    write(f"|{'---|' * len(head)}")
    for row in rows:
        write(f"| {' | '.join(row)} |")
    write()


def progress(words: str) -> None:
    """Say what is under way, in place of what was."""
    sys.stderr.write(f"\r\033[K{words}" if sys.stderr.isatty() else f"{words}\n")
    sys.stderr.flush()


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median of some values, with the least and the greatest."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
