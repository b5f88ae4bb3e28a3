"""The operations that a program calls with a generated client.

The program prints a line for each request, such as `called GET /health`.
"""

import re

from tests.support.conformance import DECLARED, PATHS

OPERATIONS = {operation for operation, _ in DECLARED}


def operations_called(output: str) -> set[str]:
    """Return the operationIds of the requests in a program's output."""
    return {operation_of(method, path) for method, path in re.findall(r"^called (\S+) (\S+)$", output, re.MULTILINE)}


def operation_of(method: str, path: str) -> str:
    """Return the operationId of a request to a path of the contract."""
    return next(item for item in PATHS if item.has(path)).operation_id(method)
