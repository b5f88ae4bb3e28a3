"""What Schemathesis is told beside schemathesis.toml: which failures are none, and why."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.generation.meta import CoveragePhaseData
from schemathesis.openapi.checks import RejectedPositiveData


@schemathesis.hook
def filter_failure(_: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Keep every failure, but for input that its schema allows and that what is stored refuses."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if response.status_code == 412:
        # RFC 9110, section 13.1.1: an If-Match that does not name the current revision. It takes luck to guess it.
        return "If-Match" not in case.headers
    # A cursor is opaque and signed: none is good but those that an earlier page gave, and never with an `offset`.
    refused = [error.get("name") for error in response.json().get("errors", [])]
    return "cursor" not in case.query or refused not in (["cursor"], ["offset"], ["offset", "cursor"])


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Leave out of the coverage phase's requests what would have them all refused, but where it is what they test.

    They have all parameters of an operation: with a made-up cursor, each would be a 400. So it would with entity tags:
    the phase makes headers of letters and digits only, finds none that is valid and takes one that is not.
    """
    if case.meta is None or not isinstance(case.meta.phase.data, CoveragePhaseData):
        return
    for values, name in ((case.query, "cursor"), (case.headers, "If-Match"), (case.headers, "If-None-Match")):
        if case.meta.phase.data.parameter != name:
            values.pop(name, None)
