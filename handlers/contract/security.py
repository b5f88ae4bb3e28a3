"""The contract's security: which operations need a bearer token."""

from collections.abc import Mapping
from typing import Any

from connexion.operations import AbstractOperation

from handlers.contract.errors import ContractError


def check_scheme(specification: Mapping[str, Any]) -> None:
    """Raise ContractError unless bearerAuth is the contract's only security scheme."""
    if specification["components"]["securitySchemes"].keys() != {"bearerAuth"}:
        raise ContractError("the only security scheme must be bearerAuth")


def needs_token(operation: AbstractOperation) -> bool:
    """Return whether an operation needs a token. Raises ContractError for any other security."""
    if operation.security not in ([], [{"bearerAuth": []}]):
        raise ContractError(f"the security of {operation.operation_id} must be bearerAuth or none")
    return bool(operation.security)
