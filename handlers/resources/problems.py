"""The errors of storage, as the problem documents that a client sees."""

from typing import Any

from handlers.resources import SERIALISERS
from handlers.resources.idempotency import replay_headers
from handlers.responses.entity_tags import strong
from handlers.responses.problems import RETRY_AFTER, Problem, invalid_input
from storage.errors import (
    Busy,
    Conflict,
    Full,
    Gone,
    ImpossibleRecurrence,
    KeyReused,
    LimitReached,
    ListOfParent,
    ListTooLarge,
    NoDueDate,
    NoNextOccurrence,
    NoSuchAnchor,
    NoSuchList,
    NoSuchParent,
    NotFound,
    OpenSubtasks,
    ParentCycle,
    PreconditionFailed,
    RecurringSubtask,
    SeriesMovedOn,
    SyncReset,
    TooDeep,
    TooMany,
    TooManyTags,
    TooManyWatchers,
    Unavailable,
)

_RESET = (
    "The sync_token is no longer valid. Keep the edits that you have not sent yet, download everything again without a "
    "token, and apply these edits to it."
)


_ANCHORS = {
    "task": (
        "The id in before or after must be that of another task, with the list_id and the parent_id that the moved "
        "task will have. That task may have been moved or deleted. Read the tasks again."
    ),
    "list": (
        "The id in before or after must be that of another list. That list may have been deleted. Read the lists again."
    ),
}

_UNFIT: dict[type[Exception], tuple[str, str]] = {
    NoDueDate: ("no-due-date", "The task has no due date. Send a due_date with the due_time, time_zone or recurrence."),
    NoSuchList: ("no-such-list", "There is no list with this list_id. It may have been deleted."),
    NoSuchParent: ("no-such-parent", "There is no task with this parent_id. It may have been deleted."),
    ParentCycle: ("parent-cycle", "A task cannot be a subtask of itself or of one of its subtasks."),
    TooDeep: ("too-deep", "There would be more than three levels of tasks."),
    ListOfParent: (
        "list-of-parent",
        "A subtask is in the list of its parent. Leave out list_id, or send a parent_id of null with it.",
    ),
    RecurringSubtask: (
        "recurring-subtask",
        "A subtask cannot recur. Clear the recurrence, or keep the task at the top.",
    ),
    SeriesMovedOn: (
        "series-moved-on",
        "The next occurrence and its subtasks are no longer what completing this task makes: they have been changed, "
        "completed or deleted since, or this task has been changed. Take that back first, or send keep_next=true to "
        "reopen the task outside of its series.",
    ),
}


def problem_of(error: Exception, reason: str | None = None) -> Problem | None:
    """Return the problem document of an error of storage, None for any other error.

    `reason` is a sentence about why the request's precondition failed, unless it is that the resource has changed.
    """
    match error:
        case NotFound(resource=resource):
            return Problem(404, f"There is no such {resource}.")
        case Conflict(resource=resource, current=current, members=members):
            return _conflict(resource, current, members)
        case TooMany() | LimitReached() | ListTooLarge():
            return Problem(409, _limit(error), kind="too-many")
        case TooManyTags():
            return Problem(409, "A task would have more than 20 tags.", kind="too-many-tags")
        case Gone(resource=resource):
            detail = f"The {resource} was created by this request earlier, and has been deleted since."
            return Problem(410, detail, headers=replay_headers(is_replayed=True))
        case SyncReset():
            return Problem(410, _RESET, kind="sync-reset")
        case PreconditionFailed(resource=resource, current=None):
            return Problem(412, reason or f"There is no such {resource}.", extensions={resource: None})
        case PreconditionFailed(resource=resource, current=current):
            headers = {"ETag": strong(current.revision)}
            has = "have" if resource == "preferences" else "has"
            detail = reason or f"The {resource} {has} changed."
            return Problem(412, detail, headers=headers, extensions=_state(resource, current))
        case KeyReused():
            return Problem(422, "This Idempotency-Key was used for another request.")
        case TooManyWatchers():
            return Problem(429, "You have too many streams and waiting requests.", headers=RETRY_AFTER)
        case Full():
            return Problem(503, "The server has too many streams and waiting requests.", headers=RETRY_AFTER)
        case Busy():
            return Problem(503, "Too many of your requests are still being processed.", headers=RETRY_AFTER)
        case Unavailable():
            return Problem(503, "The database is not responding.", headers=RETRY_AFTER)
    return _problem_of_plan(error)


def _problem_of_plan(error: Exception) -> Problem | None:
    match error:
        case OpenSubtasks(number=number):
            detail = f"The task has {number:,} open subtask{'s' if number > 1 else ''}."
            return Problem(409, detail, kind="open-subtasks", extensions={"open_subtasks": number})
        case NoSuchAnchor(resource=kind):
            return Problem(409, _ANCHORS[kind], kind="no-such-anchor")
        case ImpossibleRecurrence(member=member, detail=detail):
            pointer = "/recurrence" if member is None else f"/recurrence/{member}"
            return invalid_input([{"in": "body", "pointer": pointer, "detail": detail}])
        case NoNextOccurrence():
            return Problem(409, str(error), kind="no-next-occurrence")
    if type(error) in _UNFIT:
        kind, detail = _UNFIT[type(error)]
        return Problem(409, detail, kind=kind)
    return None


def _limit(error: TooMany | LimitReached | ListTooLarge) -> str:
    """Return which limit stands in the way, and what to do about it."""
    match error:
        case TooMany(resource=resource, limit=limit):
            return f"More than {limit:,} {resource}s match. Narrow the filters."
        case LimitReached(resource=resource, limit=limit):
            return f"A user may have {limit:,} {resource}s. Delete one first."
        case ListTooLarge(limit=limit):
            return f"The list has more than {limit:,} tasks. Delete some of them first."


def _conflict(resource: str, current: Any, members: Any) -> Problem:
    state = {} if current is None else _state(resource, current)
    if members:
        names = " and ".join(filter(None, [", ".join(members[:-1]), members[-1]]))
        verb = "has" if len(members) == 1 else "have"
        detail = f"{names} {verb} changed since the client read the {resource}."
        return Problem(409, detail, extensions={"members": [*members], **state})
    if current is None:
        return Problem(
            409, f"The {resource} with this id is deleted. Restore it if it is in the trash, or choose another id."
        )
    return Problem(409, f"There is a {resource} with this id already.", extensions=state)


def _state(resource: str, current: Any) -> dict[str, Any]:
    return {resource: SERIALISERS[resource](current)}
