"""Idempotency keys: conversion of the header, and the header of a repeated answer."""

from collections.abc import Mapping

from storage.idempotency import Key

_REPLAYED = {"Idempotency-Replayed": "true"}


def key_of(idempotency_key: str | None, fingerprint: bytes | None) -> Key | None:
    """Return the key of a request, None if it has none. It is the same with and without double quotes."""
    if idempotency_key is None or fingerprint is None:
        return None
    return Key(idempotency_key.strip('"'), fingerprint)


def replay_headers(*, is_replayed: bool) -> Mapping[str, str]:
    """Return the headers that say whether an answer repeats an earlier one."""
    return _REPLAYED if is_replayed else {}
