"""The errors of storage, as the problem documents that a client sees."""

from typing import Any

from handlers.resources import SERIALISERS
from handlers.resources.idempotency import replay_headers
from handlers.responses.entity_tags import strong
from handlers.responses.problems import RETRY_AFTER, Problem
from storage.errors import (
    Busy,
    Conflict,
    Gone,
    KeyReused,
    NotFound,
    PreconditionFailed,
    TooMany,
    TooManyTags,
    Unavailable,
)


def problem_of(error: Exception, mistake: str | None = None) -> Problem | None:
    """Return the problem document of an error of storage, None for any other error.

    `mistake` is a sentence about what makes the request's precondition fail in any case.
    """
    match error:
        case NotFound(resource=resource):
            return Problem(404, f"There is no such {resource}.")
        case Conflict(resource=resource, current=current, members=members):
            return _conflict(resource, current, members)
        case TooMany(resource=resource, limit=limit):
            return Problem(409, f"More than {limit:,} {resource}s match. Narrow the filters.", kind="too-many")
        case TooManyTags():
            return Problem(409, "A task would have more than 20 tags.", kind="too-many-tags")
        case Gone(resource=resource):
            detail = f"The {resource} was created by this request earlier, and has been deleted since."
            return Problem(410, detail, headers=replay_headers(is_replayed=True))
        case PreconditionFailed(resource=resource, current=None):
            return Problem(412, mistake or f"There is no such {resource}.", extensions={resource: None})
        case PreconditionFailed(resource=resource, current=current):
            headers = {"ETag": strong(current.revision)}
            detail = mistake or f"The {resource} has changed."
            return Problem(412, detail, headers=headers, extensions=_state(resource, current))
        case KeyReused():
            return Problem(422, "This Idempotency-Key was used for another request.")
        case Busy():
            return Problem(503, "Too many of your requests are still being processed.", headers=RETRY_AFTER)
        case Unavailable():
            return Problem(503, "The database is not responding.", headers=RETRY_AFTER)
    return None


def _conflict(resource: str, current: Any, members: Any) -> Problem:
    if current is None:
        return Problem(409, f"The {resource} is deleted. Restore it, or choose another id.")
    if not members:
        return Problem(409, f"There is a {resource} with this id already.", extensions=_state(resource, current))
    names = " and ".join(filter(None, [", ".join(members[:-1]), members[-1]]))
    verb = "has" if len(members) == 1 else "have"
    detail = f"{names} {verb} changed since the client read the {resource}."
    return Problem(409, detail, extensions={"members": [*members], **_state(resource, current)})


def _state(resource: str, current: Any) -> dict[str, Any]:
    return {resource: SERIALISERS[resource](current)}
