"""Preferences: conversion of a row to the contract's `Preferences`."""

from typing import Any

from storage.preferences import Preferences


def preferences_resource(preferences: Preferences) -> dict[str, Any]:
    """Return a row as the contract's `Preferences`."""
    return preferences._asdict()
