"""The results of the checks of `todo-api doctor`."""

from typing import Literal, NamedTuple

# Only a fault makes the exit status 1; advice and skipped checks do not.
Status = Literal["ok", "advice", "fault", "skip"]
Verdict = tuple[Status, str]


class Finding(NamedTuple):
    """The result of a check. For a fault, `words` also say how to correct it."""

    check: str
    status: Status
    words: str
