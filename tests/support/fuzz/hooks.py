"""Hooks for Schemathesis, which schemathesis.toml loads: which failures to ignore, and why."""

import re
from typing import Any

import schemathesis
from hypothesis import strategies as st
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.generation.meta import CoveragePhaseData, ExamplesPhaseData, StatefulPhaseData
from schemathesis.openapi.checks import RejectedPositiveData, UndefinedStatusCode, UseAfterFree

# What the contract says in words only, because OpenAPI 3.0 has no keyword for it.
_IN_WORDS = re.compile(
    "must have at least one of|cannot be combined with|must not be in add_tags too|must not occur twice in a batch"
    "|must be the same as the id beside|is not in changes|is required, because it is in changes"
    "|is only allowed if|because due_date is in|must not be before due_date|has no date after due_date"
    "|needs a due_date|must be a time of day|must be the name of a time zone"
)
_GUESSED = {"If-Match", "If-None-Match"}
_INVENTED = {"list_id", "parent_id", "recurrence"}
_OF_OTHERS = {"id", "user_id", "due_time", "time_zone"}

# Without these, nearly all values of the contract's own formats would be refused.
schemathesis.openapi.format("time-of-day", st.times().map("{:%H:%M}".format))
schemathesis.openapi.format("time-zone", st.sampled_from(["Europe/Berlin", "UTC", "Pacific/Niue", "Asia/Kathmandu"]))


@schemathesis.hook
def filter_failure(_: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Ignore a failure if the input satisfied its schema, but the stored data made it invalid; keep all others."""
    match failure:
        case UseAfterFree():
            # Schemathesis does not know that a task can be restored; test_fuzzing.py does.
            return False
        case UndefinedStatusCode():
            # The server matches no path that contains a line feed or an encoded slash.
            return response.status_code != 404 or not re.search("(?i)%0a|%2f", response.request.url or "")
        case RejectedPositiveData():
            return not _is_state(case, response)
    return True


def _is_state(case: Case[Any], response: Response) -> bool:
    """Return whether valid input was rejected because of what is stored, or for what the contract says in words."""
    if response.status_code == 412:
        # RFC 9110, section 13.1.1: If-Match does not list the current revision, which Schemathesis can only guess.
        return bool(_GUESSED & case.headers.keys())
    if response.status_code in (410, 422) and "Idempotency-Key" in case.headers:
        return True
    if response.status_code == 410:
        # A sync token is opaque. One that Schemathesis invents belongs to no history of the user.
        return "sync_token" in case.query
    errors = response.json().get("errors", [])
    if errors and all(_IN_WORDS.search(error["detail"]) for error in errors):
        return True
    # A cursor is opaque and signed: only one from an earlier page is valid, and never together with `offset`.
    rejected = [error.get("name") for error in errors]
    return "cursor" in case.query and rejected in (["cursor"], ["offset"], ["offset", "cursor"])


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Remove values that would have each request rejected, unless the request tests that parameter.

    The coverage phase sends every parameter of an operation, and an invented cursor would make each request a 400. So
    would an entity tag: the phase builds header values from letters and digits only, so none of its entity tags is
    valid. The contract's example of an Idempotency-Key would make all requests but the first a 422. An invented sync
    token would make each request a 410. No request waits for longer than a second. In the stateful phase, which builds
    on tasks that it has created, an invented list or parent would make each creation a 409, and few invented rules of
    recurrence fit an invented date. A replacement rarely has the ids of its path, or a date for its time,
    and an invented `If-None-Match` contradicts the `If-Match` of the link.
    """
    if case.query.get("wait") in range(2, 31):
        case.query["wait"] = 1
    phase = case.meta.phase.data if case.meta is not None else None
    if isinstance(phase, StatefulPhaseData) and isinstance(case.body, dict):
        case.body.update(dict.fromkeys(_INVENTED & case.body.keys()))
        if case.method == "PUT":
            case.headers.pop("If-None-Match", None)
            for name in _OF_OTHERS & case.body.keys():
                del case.body[name]
    if not isinstance(phase, CoveragePhaseData | ExamplesPhaseData):
        return
    invented = [(case.query, "cursor"), (case.headers, "If-Match"), (case.headers, "If-None-Match")]
    for values, name in [
        *(invented if isinstance(phase, CoveragePhaseData) else []),
        (case.headers, "Idempotency-Key"),
        (case.query, "sync_token"),
    ]:
        if phase.parameter != name:
            values.pop(name, None)
