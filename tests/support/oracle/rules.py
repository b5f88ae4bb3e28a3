"""The rules between members that the contract states in keywords of its own."""

import json
import re
from typing import Any
from urllib.parse import parse_qsl
from uuid import UUID

from tests.support.oracle.sides import Difference, Request

_PLACE = re.compile(r"/operations/(\d+)/(id|if_revision|base|task|changes)(?:/(.+))?")
_FILTERS = {"id", "search", "completed", "priority", "tags", "due_before", "due_after", "due", "list_id", "parent_id"}
_WITHOUT_DATE = ("needs a due_date", "cannot be combined with due_date null")
_REMOVED = re.compile(r"/remove_tags/(\d+)")
_OF_A_RULE = re.compile(r".*/recurrence/[^/]+")
_PLACES = ("/before", "/after", "/at")
_COMBINED = re.compile(r"cannot be combined with (\w+)(?: and (\w+))?(?:: send only one of them)?")
_ONLY_IF = re.compile(r"is only allowed if (\w+) is (.+)")
_READ_ONLY = {"id", "user_id", "completed_at", "due_at", "created_at", "updated_at", "revision"}
_READ_ONLY |= {"rrule", "series_id", "occurrence_date", "next_task_id"}


def breaks_a_rule(request: Request, found: Difference) -> bool:
    """Recognise members that do not go together, or an operation of a batch with the id of an earlier one."""
    if found.kind != "error":
        return False
    if str(found.ours).startswith("must have at least one of"):
        # A value that is not UTF-8 is refused, and is no filter.
        given = parse_qsl(request.query.decode("latin-1"))
        return not any(name in _FILTERS and text and "\ufffd" not in text for name, text in given)
    if found.name in ("/add_tags", "/remove_tags"):
        return "tags" in json.loads(request.body)
    if _OF_A_RULE.fullmatch(found.name):
        return _do_not_go_together(_holder(json.loads(request.body), found.name), str(found.ours))
    if found.ours in _WITHOUT_DATE:
        return _holder(json.loads(request.body), found.name).get("due_date") is None
    if tag := _REMOVED.fullmatch(found.name):
        body = json.loads(request.body)
        return body["remove_tags"][int(tag[1])] in body.get("add_tags", ())
    place = _PLACE.fullmatch(found.name)
    if place is None:
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


def names_two_places(request: Request, found: Difference) -> bool:
    """Recognise a move to two places at once, which we reject."""
    combined = _COMBINED.fullmatch(str(found.ours))
    if found.kind != "error" or found.name not in _PLACES or combined is None:
        return False
    return bool({found.name[1:], *filter(None, combined.groups())} <= json.loads(request.body).keys())


def _do_not_go_together(rule: Any, words: str) -> bool:
    """Return whether a rule of recurrence really has what an error says of it."""
    if combined := _COMBINED.fullmatch(words):
        return combined[1] in rule
    only_if = _ONLY_IF.fullmatch(words)
    return only_if is not None and rule.get(only_if[1], "due") not in only_if[2].split(" or ")


def _holder(body: Any, pointer: str) -> Any:
    """Return the object that has the member to which a JSON pointer leads."""
    for step in pointer.split("/")[1:-1]:
        body = body[int(step)] if isinstance(body, list) else body[step]
    return body


def _id(value: Any) -> UUID | None:
    try:
        return UUID(value["id"])
    except (KeyError, TypeError, ValueError, AttributeError):
        return None
