"""Batches: the checks of their operations that a schema cannot express."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from uuid import UUID

from handlers.responses.problems import InputError, invalid_input

Operation = Mapping[str, Any]
"""A `BatchOperation`, valid by its schema, and converted."""


def check_operations(operations: Sequence[Operation]) -> None:
    """Check what operations must have in common with each other and within themselves. Raises Problem 400."""
    errors: list[InputError] = []
    places: dict[UUID, str] = {}
    for number, operation in enumerate(operations):
        place = f"/operations/{number}"
        errors += [*_repeated_id(operation, place, places), *_other_ids(operation, place), *_base(operation, place)]
    if errors:
        raise invalid_input(errors)


def _repeated_id(operation: Operation, place: str, places: dict[UUID, str]) -> Iterator[InputError]:
    """Yield an error if the id of the operation has a place already."""
    if "id" in operation and (first := places.setdefault(operation["id"], place)) != place:
        yield _error(f"{place}/id", f"must not occur twice in a batch, and is also at {first}/id")


def _other_ids(operation: Operation, place: str) -> Iterator[InputError]:
    """Yield the errors of an `id` that is sent back as it was read."""
    for name in ("task", "changes"):
        if "id" in operation.get(name, {}) and operation[name]["id"] != operation["id"]:
            yield _error(f"{place}/{name}/id", "must be the same as the id of the operation")


def _base(operation: Operation, place: str) -> Iterator[InputError]:
    if "base" not in operation:
        return
    if "if_revision" in operation:
        yield _error(f"{place}/if_revision", "cannot be combined with base")
    changes, base = operation["changes"].keys() - {"id"}, operation["base"].keys()
    for name in sorted(changes ^ base):
        words = "is required, because it is in changes" if name in changes else "is not in changes"
        yield _error(f"{place}/base/{name}", words)


def _error(pointer: str, words: str) -> InputError:
    return {"in": "body", "pointer": pointer, "detail": words}
