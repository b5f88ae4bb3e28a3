"""Hooks for Schemathesis, which schemathesis.toml loads: which failures to ignore, and why."""

from typing import Any

import schemathesis
from schemathesis import Case, HookContext, Response
from schemathesis.core.failures import Failure
from schemathesis.generation.meta import CoveragePhaseData
from schemathesis.openapi.checks import RejectedPositiveData


@schemathesis.hook
def filter_failure(_: HookContext, failure: Failure, case: Case[Any], response: Response) -> bool:
    """Ignore a failure if the input satisfied its schema, but the stored data made it invalid; keep all others."""
    if not isinstance(failure, RejectedPositiveData):
        return True
    if response.status_code == 412:
        # RFC 9110, section 13.1.1: If-Match does not list the current revision, which Schemathesis can only guess.
        return "If-Match" not in case.headers
    # A cursor is opaque and signed: only one from an earlier page is valid, and never together with `offset`.
    rejected = [error.get("name") for error in response.json().get("errors", [])]
    return "cursor" not in case.query or rejected not in (["cursor"], ["offset"], ["offset", "cursor"])


@schemathesis.hook
def before_call(_: HookContext, case: Case[Any], __: dict[str, Any]) -> None:
    """Remove cursors and entity tags from requests of the coverage phase, unless the request tests that parameter.

    The phase sends every parameter of an operation, and an invented cursor would make each request a 400. So would an
    entity tag: the phase builds header values from letters and digits only, so none of its entity tags is valid.
    """
    if case.meta is None or not isinstance(case.meta.phase.data, CoveragePhaseData):
        return
    for values, name in ((case.query, "cursor"), (case.headers, "If-Match"), (case.headers, "If-None-Match")):
        if case.meta.phase.data.parameter != name:
            values.pop(name, None)
