"""The contract's rules between members: they hold whatever else is wrong with a value, and wherever it stands."""

from typing import Any

import pytest

from handlers.contract.errors import ContractError
from handlers.contract.parameters import Parameter
from handlers.contract.rules import rule
from handlers.contract.schemas import draft4

ID = "01a207b0-58d6-7c52-9f0e-3d2a8f6b7c41"
OTHER = "01a207a8-2f10-7b11-a4c3-5e8f1d0c9b22"
MEMBERS = {"type": "object", "properties": {"a": {}, "b": {}, "revision": {"readOnly": True}}}
EDIT: dict[str, Any] = {
    "type": "object",
    "properties": {"id": {"type": "string", "format": "uuid"}, "old": MEMBERS, "new": MEMBERS, "force": {}},
    "x-not-with": {"force": "old"},
    "x-same-members": {"old": "new"},
    "x-same-ids": ["new"],
}
EDITS = {"type": "array", "maxItems": 10, "x-unique-ids": True, "items": EDIT}


def errors(schema: dict[str, Any], value: Any) -> dict[tuple[str | int, ...], str]:
    """Return the errors of a value by their places."""
    check = rule(draft4(schema, ()))
    assert check is not None
    found = [*check(value)]
    assert len(dict(found)) == len(found)
    return dict(found)


@pytest.mark.parametrize("value", [None, 1, "text", [], [[]], {}, {"old": 1}, {"old": {}, "new": []}, {"id": []}])
@pytest.mark.parametrize("schema", [EDIT, EDITS], ids=["object", "array"])
def test_a_value_of_another_type_has_no_errors_of_rules(schema: dict[str, Any], value: Any) -> None:
    assert errors(schema, value) == errors(schema, [value]) == {}


@pytest.mark.parametrize(
    ("value", "needs", "not_with_null"),
    [
        ({"a": 1}, True, False),
        ({"a": 1, "b": None}, True, True),
        ({"a": 1, "b": 1}, False, False),
        ({"a": None}, False, False),
        ({"a": None, "b": None}, False, False),
        ({}, False, False),
    ],
)
def test_a_member_can_need_another_one(value: dict[str, Any], needs: bool, not_with_null: bool) -> None:
    members: dict[str, Any] = {"type": "object", "properties": {"a": {}, "b": {}}}
    assert errors({**members, "x-needs": {"a": "b"}}, value) == ({("a",): "needs a b"} if needs else {})
    words = {("a",): "cannot be combined with b null"}
    assert errors({**members, "x-not-with-null": {"a": "b"}}, value) == (words if not_with_null else {})


def test_two_members_cannot_be_combined() -> None:
    assert errors(EDIT, {"force": 1, "old": 1}) == {("force",): "cannot be combined with old"}
    assert errors(EDIT, {"force": 1, "old": None}) == errors(EDIT, {"force": None, "old": 1}) == {}
    assert errors(EDIT, {"force": 1}) == errors(EDIT, {"old": {}}) == {}


def test_a_member_depends_on_the_value_of_another() -> None:
    b, c = ({"type": "string", "enum": values} for values in (["x", "y", "z"], ["on", "off"]))
    properties = {"a": {}, "b": b, "c": {**c, "default": "on"}}
    schema = {"type": "object", "properties": properties, "x-only-with": {"a": {"b": ["x", "y"], "c": ["on"]}}}
    assert errors(schema, {"a": 1, "b": "y"}) == errors(schema, {"a": 1, "b": "x", "c": "on"}) == {}
    assert errors(schema, {"b": "z", "c": "off"}) == errors(schema, {"a": 1}) == errors(schema, 1) == {}
    assert errors(schema, {"a": 1, "b": "z"}) == {("a",): "is only allowed if b is x or y"}
    assert errors(schema, {"a": None, "b": "z"}) == {}
    assert errors(schema, {"a": 1, "c": "off"}) == {("a",): "is only allowed if c is on"}


@pytest.mark.parametrize("value", ["w", "", None, 1, [], {}])
def test_a_value_that_a_member_cannot_have_allows_what_depends_on_it(value: Any) -> None:
    properties = {"a": {}, "b": {"type": "string", "enum": ["x", "y"]}}
    schema = {"type": "object", "properties": properties, "x-only-with": {"a": {"b": ["x"]}}}
    assert errors(schema, {"a": 1, "b": value}) == {}


def test_members_of_which_only_one_may_be_sent_are_one_error() -> None:
    properties: dict[str, Any] = {"a": {}, "b": {}, "c": {}}
    schema = {"type": "object", "properties": properties, "x-not-with": {"a": "b", "b": "c", "c": "a"}}
    assert errors(schema, {"a": 1}) == errors(schema, {}) == errors(schema, "abc") == {}
    assert errors(schema, {"a": 1, "b": None, "c": None}) == {}
    assert errors(schema, {"a": 1, "c": 1}) == {("a",): "cannot be combined with c: send only one of them"}
    assert errors(schema, {"c": 1, "b": 1}) == {("b",): "cannot be combined with c: send only one of them"}
    words = "cannot be combined with b and c: send only one of them"
    assert errors(schema, {"a": 1, "b": 1, "c": 1}) == {("a",): words}


def test_a_member_has_the_same_members_as_another() -> None:
    assert errors(EDIT, {"old": {"a": 1, "c": 1}, "new": {"a": 2, "revision": 1}}) == {}
    assert errors(EDIT, {"old": {"a": 1}, "new": {"b": 2}}) == {
        ("old", "b"): "is required, because it is in new",
        ("old", "a"): "is not in new",
    }


def test_an_id_inside_is_the_id_outside_however_it_is_written() -> None:
    assert errors(EDIT, {"id": ID, "new": {"id": ID.upper()}}) == {}
    assert errors(EDIT, {"id": ID, "new": {"id": OTHER}}) == {("new", "id"): "must be the same as the id beside new"}
    assert errors(EDIT, {"id": "no", "new": {"id": OTHER}}) == errors(EDIT, {"id": ID, "new": {"id": "no"}}) == {}


def test_an_id_occurs_once_in_an_array() -> None:
    values = [{"id": ID}, {"id": "no"}, {"id": "no"}, {}, {}, {"id": ID.upper()}]
    assert errors(EDITS, values) == {(5, "id"): "must not occur twice, and is also that of item 1"}
    assert errors(EDITS, [{}] * 10 + [{"id": ID}] * 2) == {}


def test_rules_apply_inside_members_and_items() -> None:
    schema = {"type": "object", "properties": {"edits": {"allOf": [EDITS]}}}
    found = errors(schema, {"edits": [{}, {"force": 1, "old": {}}]})
    assert found == {("edits", 1, "force"): "cannot be combined with old"}


def test_the_discriminator_decides_which_rules_apply() -> None:
    kinds: list[dict[str, Any]] = [
        {
            **EDIT,
            "required": ["kind"],
            "properties": {**EDIT["properties"], "kind": {"type": "string", "enum": ["edit"]}},
        },
        {"type": "object", "required": ["kind"], "properties": {"kind": {"type": "string", "enum": ["other"]}}},
    ]
    discriminator = {"propertyName": "kind", "mapping": {"edit": "#/edit", "other": "#/other"}}
    union = {"oneOf": kinds, "discriminator": discriminator}
    wrong = {"force": 1, "old": {}}
    assert errors(union, {"kind": "edit", **wrong}) == {("force",): "cannot be combined with old"}
    others: list[Any] = ["other", "unknown", 1, [], None]
    for kind in others:
        assert errors(union, {"kind": kind, **wrong}) == errors(union, wrong) == errors(union, kind) == {}


def test_a_schema_without_rules_costs_nothing() -> None:
    assert rule(draft4({"type": "object", "properties": {"a": MEMBERS, "b": {"type": "array", "maxItems": 1}}})) is None


@pytest.mark.parametrize(
    ("keyword", "value"),
    [
        ("x-not-with", {"old": "nothing"}),
        ("x-same-members", {"old": "nothing"}),
        ("x-only-with", {"old": {"nothing": []}}),
        ("x-only-with", {"nothing": {"old": []}}),
        ("x-not-with", {"old": "nothing", "nothing": "old"}),
    ],
)
def test_a_rule_about_a_member_that_does_not_exist_is_an_error(keyword: str, value: dict[str, Any]) -> None:
    with pytest.raises(ContractError, match=f"'{keyword}' names nothing, which the schema does not have"):
        rule(draft4({**EDIT, keyword: value}, ()))


def test_a_rule_about_the_value_of_a_member_that_may_have_any_is_an_error() -> None:
    with pytest.raises(ContractError, match="'x-only-with' depends on old, which has no enum"):
        rule(draft4({**EDIT, "x-only-with": {"force": {"old": []}}}, ()))


def test_a_parameter_cannot_have_rules() -> None:
    schema = {"type": "array", "maxItems": 10, "x-unique-ids": True, "items": {"type": "string"}}
    with pytest.raises(ContractError, match="rules between members are only supported in a body"):
        Parameter.compile({"name": "id", "in": "query", "schema": schema, "style": "form", "explode": True})


def test_no_item_of_an_array_is_in_another() -> None:
    texts = {"type": "array", "maxItems": 3, "items": {"type": "string"}}
    schema = {"type": "object", "properties": {"a": texts, "b": texts}, "x-disjoint": {"a": "b"}}
    assert errors(schema, {"a": ["x", "y", "z"], "b": ["z", "x"]}) == {
        ("a", 0): "must not be in b too",
        ("a", 2): "must not be in b too",
    }
    assert errors(schema, {"a": ["x"]}) == errors(schema, {"a": ["x"], "b": 1}) == errors(schema, 1) == {}
