"""The rules between members that the contract states in keywords of its own, for the operations of a batch."""

import json
import re
from typing import Any
from uuid import UUID

from tests.support.oracle.sides import Difference, Request

_PLACE = re.compile(r"/operations/(\d+)/(id|if_revision|base|task|changes)(?:/(.+))?")
_READ_ONLY = {"id", "user_id", "completed_at", "created_at", "updated_at", "revision"}


def breaks_a_rule(request: Request, found: Difference) -> bool:
    """Recognise an operation that does not go together with itself or with an earlier one."""
    place = _PLACE.fullmatch(found.name)
    if found.kind != "error" or place is None:
        return False
    operations = json.loads(request.body)["operations"]
    number, member, inner = int(place[1]), place[2], place[3]
    operation = operations[number]
    if member == "id":
        return _id(operation) in [_id(one) for one in operations[:number]]
    if member == "if_revision":
        return "base" in operation
    if member == "base":
        changes = operation["changes"].keys() - _READ_ONLY
        return (inner in operation["base"]) != (inner in changes)
    return inner == "id" and _id(operation[member]) != _id(operation)


def _id(value: Any) -> UUID | None:
    try:
        return UUID(value["id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
