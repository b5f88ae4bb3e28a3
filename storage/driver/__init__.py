"""Connections, the pool that lends them, and how a statement is run on one."""
