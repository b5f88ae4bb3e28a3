"""Validation by a schema: fast for valid input, and with all errors for invalid input."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from jsonschema_rs import Draft4Validator, ValidationError, ValidationErrorKind

from handlers.contract.errors import ContractError
from handlers.contract.formats import FORMATS
from handlers.contract.messages import REQUIRED, UNRECOGNISED, describe, of_type, one_of
from handlers.contract.read_only import SameAsInPath
from handlers.contract.schemas import SAME_AS_IN_PATH, Schema, branches

Place = tuple[str | int, ...]
"""The place of an error in a value: the keys and indexes that lead to it."""
InvalidValue = tuple[Place, str]
"""An error: its place, and the end of a sentence about it, such as "must be at most 100"."""

# Draft 4 has no uuid, and jsonschema-rs's own dates include a year 0, which Python and PostgreSQL refuse.
_CHECKS: dict[str, Callable[[str], bool]] = {n: one.is_valid for n, one in FORMATS.items() if not one.is_exact}
# Errors to leave out if there is another error at the same place that implies them, which is the value.
_IMPLIED_BY = {"enum": "type", "oneOf": "type", "maxLength": "format", "pattern": "minLength", SAME_AS_IN_PATH: "type"}
# Deeper than any schema, and far below Python's recursion limit.
_LEVELS = 32


class TooDeep(Exception):
    """A value is nested too deeply to be validated."""


class Validator:
    """A schema, compiled once.

    `is_valid` runs for every request, `errors` only for a rejected one.
    """

    def __init__(self, schema: Schema) -> None:
        """Compile a schema of Draft 4, as `draft4` returns it. Raises ContractError for one that is invalid."""
        self._schema = schema
        try:
            self._validator = Draft4Validator(
                dict(schema), formats=_CHECKS, validate_formats=True, keywords={SAME_AS_IN_PATH: SameAsInPath}
            )
        except (ValidationError, ValueError) as error:
            raise ContractError(f"a schema cannot be compiled: {error}") from error
        self.is_valid: Callable[[Any], bool] = self._validator.is_valid
        self._unions = {place: _Union.compile(one) for place, one in _discriminated(schema, ())}

    def errors(self, value: Any, most: int) -> list[InvalidValue]:
        """Return the errors of a value.

        If there are more than `most`, returns at least `most` of them. Checks only the first `most` items of a list:
        `draft4` accepts no schema that allows that many. Raises TooDeep.
        """
        value = _shortened(value, most)
        try:
            # Of two errors at one place, one may be implied by the other.
            found = list(islice(self._validator.iter_errors(value), 2 * most))
        except ValueError as error:
            # jsonschema-rs validates 255 levels.
            raise TooDeep from error
        kinds = {(tuple(error.instance_path), self._kind(error)) for error in found}
        own = [one for one in found if (tuple(one.instance_path), _IMPLIED_BY.get(self._kind(one))) not in kinds]
        return [invalid for error in own for invalid in self._describe(error, value, most)]

    def _kind(self, error: ValidationError) -> str:
        """Return the keyword that is violated: `format` also where a pattern checks it."""
        name: str = error.kind.name
        return "format" if name == "pattern" and "format" in self._schema_of(error) else name

    def _schema_of(self, error: ValidationError) -> Any:
        return _at(self._schema, tuple(error.schema_path)[:-1])

    def _describe(self, error: ValidationError, value: Any, most: int) -> Iterator[InvalidValue]:
        place, schema_place, schema = tuple(error.instance_path), tuple(error.schema_path)[:-1], self._schema_of(error)
        match error.kind:
            case ValidationErrorKind.Required(property=name):
                yield (*place, str(name)), REQUIRED
            case ValidationErrorKind.AdditionalProperties():
                # jsonschema-rs also names a required member that has no schema, so this looks in the schema itself.
                known = schema["properties"]
                yield from (((*place, name), UNRECOGNISED) for name in _at(value, place) if name not in known)
            case ValidationErrorKind.OneOfNotValid():
                errors = self._unions[schema_place].errors(_at(value, place), most)
                yield from ((place + inner, words) for inner, words in errors)
            case _:
                yield place, describe(error.kind, schema)


class _Union(NamedTuple):
    """A `oneOf`, whose errors are those of the schema that the value's discriminator names."""

    discriminator: str
    validators: Mapping[str, Validator]

    @classmethod
    def compile(cls, schema: Schema) -> "_Union":
        validators = {value: Validator(branch) for value, branch in branches(schema).items()}
        return cls(schema["discriminator"]["propertyName"], validators)

    def errors(self, value: Any, most: int) -> list[InvalidValue]:
        if not isinstance(value, dict):
            return [((), of_type("object"))]
        if self.discriminator not in value:
            return [((self.discriminator,), REQUIRED)]
        name = value[self.discriminator]
        if not isinstance(name, str) or name not in self.validators:
            return [((self.discriminator,), one_of(self.validators))]
        return self.validators[name].errors(value, most)


def _discriminated(schema: Any, place: Place) -> Iterator[tuple[Place, Schema]]:
    """Yield the schemas that have a discriminator, and where each is; those inside one are compiled with it."""
    if "discriminator" in schema:
        yield place, schema
        return
    for name, member in schema.get("properties", {}).items():
        yield from _discriminated(member, (*place, "properties", name))
    for number, part in enumerate(schema.get("allOf", ())):
        yield from _discriminated(part, (*place, "allOf", number))
    if "items" in schema:
        yield from _discriminated(schema["items"], (*place, "items"))


def _shortened(value: Any, most: int, levels: int = _LEVELS) -> Any:
    """Shorten the lists of a value: jsonschema-rs finds all errors before it yields one, 15 µs each."""
    if isinstance(value, list):
        value = value[:most]
        return [_shortened(item, most, levels - 1) for item in value] if levels else value
    if isinstance(value, dict) and levels:
        return {name: _shortened(member, most, levels - 1) for name, member in value.items()}
    return value


def _at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document
