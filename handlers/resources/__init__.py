"""Rows as the contract shows them."""

from collections.abc import Callable
from typing import Any

from handlers.resources.tasks import task_resource

SERIALISERS: dict[str, Callable[[Any], dict[str, Any]]] = {"task": task_resource}
"""By the name that storage's errors give a resource: how its current state is written into a problem document."""
