"""Synchronisation: what has changed, and the moment at which it does."""
