"""The operator's settings, read once."""
