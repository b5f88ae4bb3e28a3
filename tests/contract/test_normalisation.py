"""Normalisation as the contract declares it: which text it reaches, what it leaves alone, and what it costs."""

from typing import Any
from unicodedata import normalize

import pytest
from hypothesis import given
from hypothesis import strategies as st

from handlers.contract.errors import ContractError
from handlers.contract.normalisation import nfc, normaliser
from handlers.contract.schemas import draft4
from tests.support.marks import cost

TEXT = {"type": "string", "x-normalization": "NFC"}
PLAIN = {"type": "string"}
OBJECT = {"type": "object", "properties": {"text": TEXT, "plain": PLAIN}}
E_ACUTE = "e\u0301"


def normalised(schema: dict[str, Any], value: Any) -> Any:
    """Return a value with its text normalised as a Schema Object declares."""
    normalise = normaliser(draft4(schema))
    assert normalise is not None
    return normalise(value)


def branch(kind: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema of a `oneOf` that the discriminator `kind` chooses, with a member `text`."""
    properties = {"kind": {"type": "string", "enum": [kind]}, "text": schema}
    return {"type": "object", "required": ["kind"], "properties": properties}


ONE_OF: dict[str, Any] = {
    "oneOf": [branch("marked", TEXT), branch("plain", PLAIN)],
    "discriminator": {"propertyName": "kind", "mapping": {"marked": "#/a", "plain": "#/b"}},
}


@pytest.mark.parametrize(
    ("schema", "value", "expected"),
    [
        (TEXT, E_ACUTE, "é"),
        ({**TEXT, "nullable": True}, None, None),
        (
            OBJECT,
            {"text": E_ACUTE, "plain": E_ACUTE, "more": E_ACUTE},
            {"text": "é", "plain": E_ACUTE, "more": E_ACUTE},
        ),
        ({"allOf": [OBJECT]}, {"text": E_ACUTE}, {"text": "é"}),
        ({"type": "array", "maxItems": 2, "items": OBJECT}, [{"text": E_ACUTE}, {}], [{"text": "é"}, {}]),
        (ONE_OF, {"kind": "marked", "text": E_ACUTE}, {"kind": "marked", "text": "é"}),
        (ONE_OF, {"kind": "plain", "text": E_ACUTE}, {"kind": "plain", "text": E_ACUTE}),
    ],
)
def test_normalisation_reaches_the_text_that_its_schema_marks(schema: Any, value: Any, expected: Any) -> None:
    assert normalised(schema, value) == expected


@pytest.mark.parametrize("schema", [TEXT, OBJECT, {"type": "array", "maxItems": 2, "items": TEXT}, ONE_OF])
@pytest.mark.parametrize("value", [None, 1, True, [], [1, None], {}, {"text": 1, "kind": []}, {"kind": "x"}])
def test_a_value_of_another_type_is_left_for_validation(schema: Any, value: Any) -> None:
    assert normalised(schema, value) == value


@pytest.mark.parametrize(("letter", "code_points"), [("é", 2), ("\u1faf", 4)])
def test_text_that_is_too_long_in_either_form_is_left_as_it_is(letter: str, code_points: int) -> None:
    text = normalize("NFD", letter) * (40 // code_points)
    assert len(text) == 40
    schema = {**TEXT, "maxLength": 10}
    assert normalised(schema, text) == letter * (40 // code_points)
    assert normalised(schema, text + "x") == text + "x"


def test_of_a_list_that_is_too_long_one_item_more_than_allowed_is_kept() -> None:
    schema = {"type": "array", "maxItems": 2, "items": TEXT}
    assert normalised(schema, [E_ACUTE] * 1000) == ["é"] * 3


@pytest.mark.parametrize("schema", [PLAIN, ONE_OF["oneOf"][1], {"type": "array", "maxItems": 2, "items": PLAIN}])
def test_a_schema_without_marked_text_costs_nothing(schema: Any) -> None:
    assert normaliser(draft4(schema)) is None


@pytest.mark.parametrize("schema", [{**TEXT, "x-normalization": "NFD"}, {**TEXT, "type": "integer"}])
def test_a_normalisation_that_is_not_supported_is_rejected(schema: dict[str, str]) -> None:
    with pytest.raises(ContractError, match=r"the keyword 'x-normalization: NF[CD]' is not supported"):
        draft4(schema)


# Marks of several classes, letters that decompose into several marks, Hangul, and letters that NFC replaces.
MARKS = "\u0301\u0323\u0327\u0344\u05b0\u3099\U0001d165aé\u1ec7\u1e69\u1100\u1161\u11a8\uac01\u212b\u0958\U0001d160"


@given(text=st.text(MARKS, min_size=257, max_size=600) | st.text(max_size=300))
def test_text_of_any_length_gets_its_normalization_form_c(text: str) -> None:
    assert nfc(text) == normalize("NFC", text)


def test_four_times_as_many_marks_cost_about_four_times_as_much() -> None:
    # Sixteen times with an insertion sort: a body full of marks would stop the server for a second.
    assert cost(nfc, 32_000) < 9 * cost(nfc, 8_000)
