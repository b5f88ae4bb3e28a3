"""The errors that storage raises. They know nothing of HTTP; `handlers/middleware/errors.py` translates them."""

from collections.abc import Sequence
from typing import Any


class NotFound(Exception):
    """The user has no such row. `resource` is the kind of row, such as "task"."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


class PreconditionFailed(Exception):
    """The row has a revision that the caller does not accept.

    `resource` is the kind of row, such as "task"; `current` is the current row, which has a `revision`, or None if the
    caller required a row that is not there.
    """

    def __init__(self, resource: str, current: Any) -> None:
        super().__init__(resource)
        self.resource = resource
        self.current = current


class Conflict(Exception):
    """Another write, or a row that is there already, stands in the way.

    `current` is that row, or None if it is deleted. `members` are the columns whose values the caller did not expect.
    """

    def __init__(self, resource: str, current: Any = None, members: Sequence[str] = ()) -> None:
        super().__init__(resource)
        self.resource = resource
        self.current = current
        self.members = members


class NoSuchAnchor(Exception):
    """The row to move another one before or after is not where that one is to be, or is not there at all."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


class TooMany(Exception):
    """More rows match than one call may change, which is `limit`."""

    def __init__(self, resource: str, limit: int) -> None:
        super().__init__(resource)
        self.resource = resource
        self.limit = limit


class LimitReached(Exception):
    """The user has as many of these rows as a user may have, which is `limit`."""

    def __init__(self, resource: str, limit: int) -> None:
        super().__init__(resource)
        self.resource = resource
        self.limit = limit


class ListTooLarge(Exception):
    """A list has more tasks than one call may delete, which is `limit`."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.limit = limit


class NoSuchList(Exception):
    """A task would be in a list that the user does not have, or has deleted."""


class NoSuchParent(Exception):
    """A task would be a subtask of one that the user does not have, or has deleted."""


class ParentCycle(Exception):
    """A task would be a subtask of itself or of one of its own subtasks."""


class TooDeep(Exception):
    """A task would be deeper than the third level, or one of its subtasks would."""


class ListOfParent(Exception):
    """A subtask would be in another list than its parent."""


class RecurringSubtask(Exception):
    """A task would be a subtask and recur."""


class OpenSubtasks(Exception):
    """A task would be completed that has open subtasks, `number` of them with those below."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self.number = number


class HasRelatives(Exception):
    """A single statement cannot write the task, because it has subtasks, or has had some, or has a parent."""


class TooManyTags(Exception):
    """A task would have more tags than it may have."""


class NoDueDate(Exception):
    """A task would have a due time, a time zone or a recurrence without a due date."""


class ImpossibleRecurrence(Exception):
    """A task's rule of recurrence does not go with its due date.

    `member` is the member of the rule that is wrong, or None if it is the rule as a whole; `detail` is the end of a
    sentence that begins with it.
    """

    def __init__(self, member: str | None, detail: str) -> None:
        super().__init__(member, detail)
        self.member = member
        self.detail = detail


class SeriesMovedOn(Exception):
    """A completed occurrence cannot be reopened: the next one has changed or is gone."""


class NoNextOccurrence(Exception):
    """No occurrence follows that could be skipped to. The message is a sentence for the client."""


class KeyReused(Exception):
    """The idempotency key belongs to another request."""


class Gone(Exception):
    """The row that the first request with this idempotency key created has been deleted since."""

    def __init__(self, resource: str) -> None:
        super().__init__(resource)
        self.resource = resource


class SyncReset(Exception):
    """The database cannot tell what has changed since a sync token."""


class TooManyWatchers(Exception):
    """The user waits for changes in as many places as one user may."""


class Full(Exception):
    """The process waits for changes on behalf of as many clients as it can."""


class Unavailable(Exception):
    """The database does not respond, or not in time. Whether a write was made is unknown."""


class Busy(Unavailable):
    """Too many statements of the same user are running. This one had no effect."""


class UnsuitableDatabase(Exception):
    """The database responds but cannot serve. The message is a sentence for the operator."""
