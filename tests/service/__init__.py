"""The process, as an operator runs it."""
