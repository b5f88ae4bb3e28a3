"""Which operations a program has called through a generated client: it prints `called GET /health` for each request."""

import re

from tests.support.conformance import DECLARED, PATHS

OPERATIONS = {operation for operation, _ in DECLARED}


def operations_called(output: str) -> set[str]:
    """Return the operationIds of the requests that a program has printed."""
    return {operation_of(method, path) for method, path in re.findall(r"^called (\S+) (\S+)$", output, re.MULTILINE)}


def operation_of(method: str, path: str) -> str:
    """Return the operationId of a request."""
    (item,) = (item for item in PATHS if item.has(path))
    return item.operation_id(method)
