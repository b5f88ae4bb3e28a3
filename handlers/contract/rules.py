"""Rules between members, which JSON Schema cannot express. They are keywords of the contract's own:

- `x-unique-ids: true`: no two items of an array have the same `id`.
- `x-not-with: {a: b}`: the members `a` and `b` of an object cannot be combined, unless one of them is null. Those of a
  circle, `{a: b, b: c, c: a}`, are one error.
- `x-needs: {a: b}`: the member `a`, unless it is null, needs the member `b`, which is not null.
- `x-not-with-null: {a: b}`: the member `a`, unless it is null, cannot be combined with a `b` that is null.
- `x-only-with: {a: {b: [c, d]}}`: the member `a`, unless it is null, is only allowed if the member `b` is c or d.
- `x-disjoint: {a: b}`: no item of the array `a` is in the array `b`.
- `x-same-members: {a: b}`: the member `a` has the members of `b`, all of them except for the `readOnly` ones.
- `x-same-ids: [a]`: an `id` in the member `a` is the `id` of the object.

They are also checked in values that are invalid by the rest of their schema, so that a client gets all errors at once.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from typing import Any
from uuid import UUID

from handlers.contract.errors import ContractError, listed
from handlers.contract.formats import FORMATS
from handlers.contract.schemas import Schema, branches, read_only_members
from handlers.contract.validator import InvalidValue

Rule = Callable[[Any], Iterator[InvalidValue]]


def rule(schema: Schema) -> Rule | None:
    """Return a function that yields the errors of a JSON value, or None if the schema has no rules.

    `schema` is of Draft 4, as `draft4` returns it. The value need not be valid.
    """
    rules = [make(schema) for keyword, make in _KEYWORDS.items() if keyword in schema]
    rules += [_in_member(name, one) for name, part in schema.get("properties", {}).items() if (one := rule(part))]
    if "items" in schema and (one := rule(schema["items"])):
        rules.append(_in_items(one, schema["maxItems"]))
    rules += [one for part in schema.get("allOf", ()) if (one := rule(part))]
    if "oneOf" in schema and (one := _in_branch(schema)):
        rules.append(one)
    return (lambda value: (error for one in rules for error in one(value))) if rules else None


def _in_member(name: str, inner: Rule) -> Rule:
    def errors(value: Any) -> Iterator[InvalidValue]:
        if isinstance(value, dict) and name in value:
            yield from (((name, *place), words) for place, words in inner(value[name]))

    return errors


def _in_items(inner: Rule, most: int) -> Rule:
    def errors(value: Any) -> Iterator[InvalidValue]:
        for number, item in enumerate(value[:most] if isinstance(value, list) else ()):
            yield from (((number, *place), words) for place, words in inner(item))

    return errors


def _in_branch(schema: Schema) -> Rule | None:
    name = schema["discriminator"]["propertyName"]
    rules = {kind: one for kind, branch in branches(schema).items() if (one := rule(branch))}

    def errors(value: Any) -> Iterator[InvalidValue]:
        kind = value.get(name) if isinstance(value, dict) else None
        if isinstance(kind, str) and kind in rules:
            yield from rules[kind](value)

    return errors if rules else None


def _unique_ids(schema: Schema) -> Rule:
    def errors(value: Any) -> Iterator[InvalidValue]:
        first: dict[UUID, int] = {}
        for number, item in enumerate(value[: schema["maxItems"]] if isinstance(value, list) else ()):
            found = _id(item)
            if found and first.setdefault(found, number) != number:
                yield (number, "id"), f"must not occur twice, and is also that of item {first[found] + 1}"

    return errors


def _only_with(schema: Schema) -> Rule:
    conditions = [(name, *one) for name, others in schema["x-only-with"].items() for one in others.items()]
    _check_names(schema, "x-only-with", [name for condition in conditions for name in condition[:2]])
    refused = [(name, other, _values_except(schema, other, allowed), allowed) for name, other, allowed in conditions]
    defaults = {name: member["default"] for name, member in schema["properties"].items() if "default" in member}

    def errors(value: Any) -> Iterator[InvalidValue]:
        whole = defaults | value if isinstance(value, dict) else {}
        for name, other, values, allowed in refused:
            if whole.get(name) is not None and other in whole and whole[other] in values:
                yield (name,), f"is only allowed if {other} is {' or '.join(allowed)}"

    return errors


def _values_except(schema: Schema, name: str, allowed: Collection[str]) -> list[str]:
    """Return the other values of a member. One that it cannot have is an error of its own, and breaks no rule."""
    if "enum" not in schema["properties"][name]:
        raise ContractError(f"'x-only-with' depends on {name}, which has no enum")
    return [value for value in schema["properties"][name]["enum"] if value not in allowed]


def _of_pairs(schema: Schema, keyword: str, is_broken: Callable[[dict[str, Any], str, str], bool], words: str) -> Rule:
    """Return the rule of a keyword `{a: b}`, whose error says `words` about `a`, with the name of `b`."""
    pairs = _pairs(schema, keyword)

    def errors(value: Any) -> Iterator[InvalidValue]:
        for name, other in pairs:
            if isinstance(value, dict) and is_broken(value, name, other):
                yield (name,), words.format(other)

    return errors


def _not_with(schema: Schema) -> Rule:
    pairs = schema["x-not-with"]
    if {*pairs} == {*pairs.values()}:
        return _at_most_one(schema, [*pairs])

    def has_both(given: dict[str, Any], name: str, other: str) -> bool:
        return given.get(name) is not None and given.get(other) is not None

    return _of_pairs(schema, "x-not-with", has_both, "cannot be combined with {}")


def _at_most_one(schema: Schema, names: Sequence[str]) -> Rule:
    _check_names(schema, "x-not-with", names)

    def errors(value: Any) -> Iterator[InvalidValue]:
        given = [name for name in names if value.get(name) is not None] if isinstance(value, dict) else []
        if len(given) > 1:
            yield (given[0],), f"cannot be combined with {' and '.join(given[1:])}: send only one of them"

    return errors


def _needs(schema: Schema) -> Rule:
    def lacks(given: dict[str, Any], name: str, other: str) -> bool:
        return given.get(name) is not None and given.get(other) is None

    return _of_pairs(schema, "x-needs", lacks, "needs a {}")


def _not_with_null(schema: Schema) -> Rule:
    def meets_null(given: dict[str, Any], name: str, other: str) -> bool:
        return given.get(name) is not None and given.get(other, ...) is None

    return _of_pairs(schema, "x-not-with-null", meets_null, "cannot be combined with {} null")


def _disjoint(schema: Schema) -> Rule:
    pairs = _pairs(schema, "x-disjoint")
    most = max(schema["properties"][name]["maxItems"] for pair in pairs for name in pair)

    def errors(value: Any) -> Iterator[InvalidValue]:
        for name, other in pairs:
            items, others = (_items_of(value, one, most) for one in (name, other))
            for number, item in enumerate(items):
                if item in others:
                    yield (name, number), f"must not be in {other} too"

    return errors


def _items_of(value: Any, name: str, most: int) -> list[Any]:
    items = value.get(name) if isinstance(value, dict) else None
    return items[:most] if isinstance(items, list) else []


def _same_members(schema: Schema) -> Rule:
    pairs = _pairs(schema, "x-same-members")
    changeable = {name: _changeable(schema["properties"][name]) for pair in pairs for name in pair}

    def errors(value: Any) -> Iterator[InvalidValue]:
        for name, other in pairs:
            if isinstance(value, dict) and all(isinstance(value.get(one), dict) for one in (name, other)):
                given, wanted = (value[one].keys() & changeable[one] for one in (name, other))
                yield from (((name, one), f"is required, because it is in {other}") for one in sorted(wanted - given))
                yield from (((name, one), f"is not in {other}") for one in sorted(given - wanted))

    return errors


def _same_ids(schema: Schema) -> Rule:
    def errors(value: Any) -> Iterator[InvalidValue]:
        own = _id(value)
        for name in schema["x-same-ids"]:
            if own and _id(value.get(name)) not in (None, own):
                yield (name, "id"), f"must be the same as the id beside {name}"

    return errors


_KEYWORDS: dict[str, Callable[[Schema], Rule]] = {
    "x-unique-ids": _unique_ids,
    "x-not-with": _not_with,
    "x-needs": _needs,
    "x-not-with-null": _not_with_null,
    "x-only-with": _only_with,
    "x-disjoint": _disjoint,
    "x-same-members": _same_members,
    "x-same-ids": _same_ids,
}


def _id(value: Any) -> UUID | None:
    """Return the `id` of an object, None if it is absent or invalid. A UUID may be written in either case."""
    text = value.get("id") if isinstance(value, dict) else None
    return UUID(text) if isinstance(text, str) and FORMATS["uuid"].is_valid(text) else None


def _pairs(schema: Schema, keyword: str) -> list[tuple[str, str]]:
    pairs = [*schema[keyword].items()]
    _check_names(schema, keyword, [name for pair in pairs for name in pair])
    return pairs


def _check_names(schema: Schema, keyword: str, names: Iterable[str]) -> None:
    if unknown := set(names) - schema["properties"].keys():
        raise ContractError(f"'{keyword}' names {listed(unknown)}, which the schema does not have")


def _changeable(schema: Schema) -> set[str]:
    """Return the members of an object that a client may set."""
    return set(schema["properties"]) - read_only_members(schema)
