"""The contract, and whether the service conforms to it."""
