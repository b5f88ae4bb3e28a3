"""Clients that are generated from the contract."""
