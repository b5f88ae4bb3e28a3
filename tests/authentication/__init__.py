"""Tokens: which ones the service accepts, and why it rejects the others."""
