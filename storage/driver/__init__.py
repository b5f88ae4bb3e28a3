"""Connections, the pool that lends them, and the statements that run on them."""
