"""Resources: conversion of storage's rows to the contract's schemas, and back."""

from collections.abc import Callable
from typing import Any

from handlers.resources.lists import list_resource
from handlers.resources.preferences import preferences_resource
from handlers.resources.tasks import task_resource

SERIALISERS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "list": list_resource,
    "preferences": preferences_resource,
    "task": task_resource,
}
"""Functions that serialise a resource's current state for a problem document, by its name in storage's errors."""
