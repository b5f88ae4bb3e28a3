"""Writes that Python has to decide: what they write depends on the row in a way that SQL cannot express.

Most rows need no such decision. So a write is first tried as a single statement, which leaves the row alone if it needs
one, and returns it. `until_unchanged` then decides from that row, and writes only if the row still has its revision.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar

from storage.errors import PreconditionFailed

Row = TypeVar("Row")
Result = TypeVar("Result")


async def until_unchanged(
    row: Row, revisions: Sequence[int] | None, write: Callable[[Row], Awaitable[Result]]
) -> Result:
    """Call `write` with the row, and again with the newest one as long as another write comes in between.

    `write` decides and runs a statement that requires the `revision` of the row that it is given. It raises
    PreconditionFailed if the row has another one. That is raised here too if the caller does not accept that revision:
    `revisions` has those that it accepts, and None accepts any. Other errors of `write` are passed on.
    """
    while True:
        try:
            return await write(row)
        except PreconditionFailed as error:
            if error.current is None or (revisions is not None and error.current.revision not in revisions):
                raise
            row = error.current
