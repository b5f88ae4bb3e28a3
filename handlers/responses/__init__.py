"""Responses and problem documents, and the state of a request."""
