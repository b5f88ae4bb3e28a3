"""The output of the bench: Markdown tables on standard output, progress on standard error."""

import sys
from collections.abc import Iterable, Sequence
from statistics import median


def write(line: str = "") -> None:
    """Write a line to standard output."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Write a Markdown table to standard output."""
    write()
    write(f"| {' | '.join(head)} |")
    write(f"|{'---|' * len(head)}")
    for row in rows:
        write(f"| {' | '.join(row)} |")
    write()


def progress(message: str) -> None:
    """Report the current step on standard error; on a terminal, overwrite the previous one."""
    sys.stderr.write(f"\r\033[K{message}" if sys.stderr.isatty() else f"{message}\n")
    sys.stderr.flush()


def spread(values: Sequence[float], digits: int) -> str:
    """Return the median of some values, followed by the least and the greatest."""
    return f"{median(values):,.{digits}f} ({min(values):,.{digits}f} to {max(values):,.{digits}f})"
