"""Text as people see it: normalised, where the contract says `x-normalization: NFC`, before it is validated."""

from collections.abc import Callable, Mapping
from functools import reduce
from itertools import groupby
from typing import Any
from unicodedata import combining, is_normalized, normalize

from handlers.contract.schemas import Schema, branches

Normalise = Callable[[Any], Any]
# In code points. Up to here, `normalize` takes less than 0.1 ms whatever the text.
_SHORT = 256


def normaliser(schema: Schema) -> Normalise | None:
    """Return a function that normalises the text in a JSON value, or None if the schema marks no text.

    `schema` is of Draft 4, as `draft4` returns it. The value need not be valid: what has another type stays as it is.
    The function may change its argument.
    """
    if "x-normalization" in schema:
        return nfc
    if "properties" in schema:
        return _members(schema["properties"])
    if "items" in schema:
        return _items(normaliser(schema["items"]))
    if "oneOf" in schema:
        return _by_discriminator(schema)
    return _one_after_another(list(filter(None, map(normaliser, schema.get("allOf", ())))))


def nfc(value: Any) -> Any:
    """Return text in Normalization Form C (Unicode Standard Annex 15), and any other value as it is."""
    if not isinstance(value, str) or value.isascii():
        return value
    return normalize("NFC", value if len(value) <= _SHORT or is_normalized("NFC", value) else _in_order(value))


def _in_order(text: str) -> str:
    """Return an equivalent text, decomposed, with its marks in canonical order (The Unicode Standard, D109).

    `normalize` itself sorts by insertion: a second for a body of marks in the wrong order.
    """
    letters = "".join(normalize("NFD", letter) for letter in text)
    runs = groupby(letters, lambda letter: combining(letter) > 0)
    return "".join(letter for _, run in runs for letter in sorted(run, key=combining))


def _members(properties: Mapping[str, Schema]) -> Normalise | None:
    normalisers = [(name, normalise) for name, schema in properties.items() if (normalise := normaliser(schema))]
    if not normalisers:
        return None

    def normalise_members(value: Any) -> Any:
        if isinstance(value, dict):
            for name, normalise in normalisers:
                if name in value:
                    value[name] = normalise(value[name])
        return value

    return normalise_members


def _items(normalise: Normalise | None) -> Normalise | None:
    if normalise is None:
        return None
    return lambda value: [normalise(item) for item in value] if isinstance(value, list) else value


def _by_discriminator(schema: Schema) -> Normalise | None:
    name = schema["discriminator"]["propertyName"]
    normalisers = {kind: normalise for kind, branch in branches(schema).items() if (normalise := normaliser(branch))}

    def normalise_branch(value: Any) -> Any:
        kind = value.get(name) if isinstance(value, dict) else None
        return normalisers[kind](value) if isinstance(kind, str) and kind in normalisers else value

    return normalise_branch if normalisers else None


def _one_after_another(normalisers: list[Normalise]) -> Normalise | None:
    return reduce(lambda first, second: lambda value: second(first(value)), normalisers) if normalisers else None
