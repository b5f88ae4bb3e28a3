"""Validation by a schema: fast for valid input, and with all errors for invalid input."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from typing import Any, NamedTuple

from jsonschema_rs import Draft4Validator, ValidationError, ValidationErrorKind

from handlers.contract.errors import ContractError
from handlers.contract.formats import FORMATS
from handlers.contract.messages import REQUIRED, UNRECOGNISED, describe, of_type, one_of
from handlers.contract.read_only import SameAsInPath
from handlers.contract.schemas import SAME_AS_IN_PATH, Schema, branches, limits_length
from handlers.contract.traversal import Place, at, shortened, unions, values_of, without_unions

InvalidValue = tuple[Place, str]
"""An error: its place, and the end of a sentence about it, such as "must be at most 100"."""

# Draft 4 has no uuid, and jsonschema-rs's own dates include a year 0, which Python and PostgreSQL refuse.
_CHECKS: dict[str, Callable[[str], bool]] = {n: one.is_valid for n, one in FORMATS.items() if not one.is_exact}
# Errors to leave out if there is another error at the same place that implies them, which is one of the values.
_IMPLIED_BY = {
    "enum": {"type"},
    "minimum": {"type", "enum"},
    "maximum": {"type", "enum"},
    "minLength": {"format"},
    "maxLength": {"format"},
    "pattern": {"minLength", "format"},
    SAME_AS_IN_PATH: {"type"},
}


class TooDeep(Exception):
    """A value is nested too deeply to be validated."""


class Validator:
    """A schema, compiled once.

    `is_valid` runs for every request, `errors` only for a rejected one.
    """

    def __init__(self, schema: Schema) -> None:
        """Compile a schema of Draft 4, as `draft4` returns it. Raises ContractError for one that is invalid."""
        self._schema = schema
        validator = _compile(schema)
        self.is_valid: Callable[[Any], bool] = validator.is_valid
        self._unions = {place: _Union.compile(one) for place, one in unions(schema)}
        # Jsonschema-rs would find all errors by each schema of a union, for every item of a list, before it yields one.
        self._outside = _compile(without_unions(schema)) if self._unions else validator

    def errors(self, value: Any, most: int) -> list[InvalidValue]:
        """Return the errors of a value, or the first `most` of them. Raises TooDeep.

        Of a list that is too long, it checks one item more than the list may have.
        """
        return list(islice(self.each_error(value, most), most))

    def each_error(self, value: Any, most: int) -> Iterator[InvalidValue]:
        """Yield the errors of a value, as `errors` does. The caller takes `most` at most."""
        value = shortened(value, self._schema, most)
        try:
            found = list(self._outside.iter_errors(value))
        except ValueError as error:
            # jsonschema-rs validates 255 levels.
            raise TooDeep from error
        # Of two errors at one place, one may be implied by the other.
        kinds = {(tuple(one.instance_path), self._kind(one)) for one in found}
        for one in found:
            if not any((tuple(one.instance_path), other) in kinds for other in _IMPLIED_BY.get(self._kind(one), ())):
                yield from self._describe(one, value)
        for schema_place, union in self._unions.items():
            for place, part in values_of(schema_place, value):
                yield from (((*place, *inner), words) for inner, words in union.each_error(part, most))

    def _kind(self, error: ValidationError) -> str:
        """Return the keyword that is violated: `format` also where a pattern checks that, and the length with it."""
        match error.kind:
            case ValidationErrorKind.Pattern(pattern=pattern) if limits_length(pattern):
                return "format"
        return str(error.kind.name)

    def _schema_of(self, error: ValidationError) -> Any:
        return at(self._schema, tuple(error.schema_path)[:-1])

    def _describe(self, error: ValidationError, value: Any) -> Iterator[InvalidValue]:
        place, schema = tuple(error.instance_path), self._schema_of(error)
        match error.kind:
            case ValidationErrorKind.Required(property=name):
                yield (*place, str(name)), REQUIRED
            case ValidationErrorKind.AdditionalProperties():
                # jsonschema-rs also names a required member that has no schema, so this looks in the schema itself.
                known = schema["properties"]
                yield from (((*place, name), UNRECOGNISED) for name in at(value, place) if name not in known)
            case _:
                yield place, describe(error.kind, schema, at(value, place))


class _Union(NamedTuple):
    """A `oneOf`, whose errors are those of the schema that the value's discriminator names."""

    discriminator: str
    validators: Mapping[str, Validator]

    @classmethod
    def compile(cls, schema: Schema) -> "_Union":
        validators = {value: Validator(branch) for value, branch in branches(schema).items()}
        return cls(schema["discriminator"]["propertyName"], validators)

    def each_error(self, value: Any, most: int) -> Iterator[InvalidValue]:
        name = value.get(self.discriminator) if isinstance(value, dict) else None
        if not isinstance(value, dict):
            yield (), of_type(value, "object")
        elif self.discriminator not in value:
            yield (self.discriminator,), REQUIRED
        elif not isinstance(name, str) or name not in self.validators:
            yield (self.discriminator,), one_of(self.validators)
        else:
            yield from self.validators[name].each_error(value, most)


def _compile(schema: Schema) -> Draft4Validator:
    try:
        return Draft4Validator(
            dict(schema), formats=_CHECKS, validate_formats=True, keywords={SAME_AS_IN_PATH: SameAsInPath}
        )
    except (ValidationError, ValueError) as error:
        raise ContractError(f"a schema cannot be compiled: {error}") from error
