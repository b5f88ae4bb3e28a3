"""What is wrong with the contract, or with a handler that does not match it."""


class ContractError(Exception):
    """The contract and the code disagree. The message is a sentence for the developer who changed one of them."""
