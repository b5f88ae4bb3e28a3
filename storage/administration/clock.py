"""Compares another machine's clock with ours."""


def ahead(theirs: float, before: float, after: float) -> float:
    """Return the least number of seconds that a clock can be ahead of ours; negative if it is behind.

    `theirs` is its reading, made while ours went from `before` to `after`, all in seconds since the epoch. The clocks
    count as equal if the reading lies between the two.
    """
    return max(theirs - after, 0.0) + min(theirs - before, 0.0)
