"""The operations: their effects and their responses."""
