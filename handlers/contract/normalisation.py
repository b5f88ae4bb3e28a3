"""Text as people see it: normalised, where the contract says `x-normalization: NFC`, before it is validated."""

import re
from collections.abc import Callable, Mapping
from functools import partial, reduce
from typing import Any
from unicodedata import combining, is_normalized, normalize

from handlers.contract.schemas import Schema, branches

Normalise = Callable[[Any], Any]
# In code points. Up to here, `normalize` takes less than 0.1 ms whatever the text.
_SHORT = 256
# A letter in Normalization Form C stands for at most four code points.
_MOST_IN_ONE = 4
# Classes of marks, none of which is 0. `normalize` sorts fewer marks than that faster.
_MARKS = re.compile(rb"[^\0]{32,}")
_decomposed = partial(normalize, "NFD")


def normaliser(schema: Schema) -> Normalise | None:
    """Return a function that normalises the text in a JSON value, or None if the schema marks no text.

    `schema` is of Draft 4, as `draft4` returns it. The value need not be valid: what has another type stays as it is.
    The function may change its argument.
    """
    if "x-normalization" in schema:
        return _unless_longer(_MOST_IN_ONE * schema["maxLength"]) if "maxLength" in schema else nfc
    if "properties" in schema:
        return _members(schema["properties"])
    if "items" in schema:
        return _items(normaliser(schema["items"]), schema["maxItems"])
    if "oneOf" in schema:
        return _by_discriminator(schema)
    return _one_after_another(list(filter(None, map(normaliser, schema.get("allOf", ())))))


def nfc(value: Any) -> Any:
    """Return text in Normalization Form C (Unicode Standard Annex 15), and any other value as it is."""
    if not isinstance(value, str) or value.isascii():
        return value
    return normalize("NFC", value if len(value) <= _SHORT or is_normalized("NFC", value) else _in_order(value))


def _unless_longer(limit: int) -> Normalise:
    """Return a function that normalises text of at most `limit` code points. Longer text is invalid in either form."""
    return lambda value: value if isinstance(value, str) and len(value) > limit else nfc(value)


def _in_order(text: str) -> str:
    """Return an equivalent text, decomposed, with long runs of marks in canonical order (The Unicode Standard, D109).

    `normalize` itself sorts by insertion: a second for a body of marks in the wrong order.
    """
    letters = "".join(map(_decomposed, text))
    parts: list[str] = []
    end = 0
    for run in _MARKS.finditer(bytes(map(combining, letters))):
        parts += letters[end : run.start()], *sorted(letters[run.start() : run.end()], key=combining)
        end = run.end()
    return "".join([*parts, letters[end:]])


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


def _items(normalise: Normalise | None, limit: int) -> Normalise | None:
    if normalise is None:
        return None
    # A list that is too long stays too long.
    return lambda value: [normalise(item) for item in value[: limit + 1]] if isinstance(value, list) else value


def _by_discriminator(schema: Schema) -> Normalise | None:
    name = schema["discriminator"]["propertyName"]
    normalisers = {kind: normalise for kind, branch in branches(schema).items() if (normalise := normaliser(branch))}

    def normalise_branch(value: Any) -> Any:
        kind = value.get(name) if isinstance(value, dict) else None
        return normalisers[kind](value) if isinstance(kind, str) and kind in normalisers else value

    return normalise_branch if normalisers else None


def _one_after_another(normalisers: list[Normalise]) -> Normalise | None:
    return reduce(lambda first, second: lambda value: second(first(value)), normalisers) if normalisers else None
