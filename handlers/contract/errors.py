"""Errors in the contract, and in handlers that do not match it."""

from collections.abc import Iterable


class ContractError(Exception):
    """The contract and the code disagree. The message is a sentence for the developer who changed one of them."""


def listed(names: Iterable[str]) -> str:
    """Return names as a message lists them."""
    return ", ".join(sorted(names))
