"""Members that only the server sets, `readOnly` in the contract: a client may send them back as it read them.

`draft4` lets such a member have any value, and `converter` leaves it out. `id` and `user_id` must be those in the path.
"""

import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from handlers.contract.formats import FORMATS
from handlers.contract.schemas import SAME_AS_IN_PATH, Schema

IN_PATH: ContextVar[Mapping[str, str]] = ContextVar("IN_PATH")
"""`id` and `user_id` as text, from the path of the request whose body is being validated."""


class SameAsInPath:
    """The keyword that `draft4` gives to `id` and `user_id`, as jsonschema-rs calls it."""

    def __init__(self, schema: Schema, member: str, _: Sequence[str | int]) -> None:
        self._member = member
        formats = [part["format"] for part in (schema, *schema.get("allOf", ())) if "format" in part]
        self._convert = FORMATS[formats[0]].convert if formats else str

    def validate(self, value: Any) -> None:
        """Raise ValueError if a value is not that in the path."""
        if not self._is_same(value, IN_PATH.get()[self._member]):
            raise ValueError

    def _is_same(self, value: Any, text: str) -> bool:
        try:
            # A UUID may have upper-case letters in one place and lower-case letters in the other.
            return bool(self._convert(str(value)) == self._convert(text))
        except (ValueError, OverflowError):
            # One of the two is invalid, which is reported as an error of its own.
            return True


def parameters_by_member(path: str) -> dict[str, str]:
    """Return which parameters of a path template are the `user_id` and the `id` of the resource, if it has them."""
    names = re.findall(r"{([^}]+)}", path)
    owner = {"user_id": "user_id"} if "user_id" in names else {}
    return owner | ({"id": names[-1]} if path.endswith("}") else {})


def members_in_path(schema: Schema) -> set[str]:
    """Return the members that must be the same as in the path; `schema` is as `draft4` returns it."""
    parts = [*schema.get("properties", {}).values(), *schema.get("allOf", ()), *schema.get("oneOf", ())]
    parts += [schema["items"]] if "items" in schema else []
    own = {schema[SAME_AS_IN_PATH]} if SAME_AS_IN_PATH in schema else set()
    return own.union(*map(members_in_path, parts))
