"""Tags: conversion of storage's rows to the contract's `Tag`."""

from typing import Any

from storage.tags import Tag


def tag_resource(tag: Tag) -> dict[str, Any]:
    """Return a row as the contract's `Tag`."""
    return tag._asdict()
