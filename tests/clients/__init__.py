"""Clients that generators make of the contract."""
