"""Schema Objects of OpenAPI 3.0, compiled once to JSON Schema Draft 4, and their faults told in plain words."""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any
from uuid import UUID

from jsonschema_rs import Draft4Validator, ValidationError, ValidationErrorKind

Schema = Mapping[str, Any]
Place = tuple[str | int, ...]
"""Where in an instance a fault is: the keys and indexes that lead there."""

_ANNOTATIONS = {"title", "description", "example", "default"}
_ASSERTIONS = {"type", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"}
_ASSERTIONS |= {"minItems", "maxItems", "uniqueItems", "required"}
_TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
# What another fault at the same place says already, and which.
_TOLD_BY = {"enum": "type", "maxLength": "format", "pattern": "minLength"}


class ContractError(Exception):
    """The contract and the code do not agree. The message is a sentence for whoever changed one of them."""


class TooDeep(Exception):
    """An instance is nested too deeply to be validated."""


def _is_date(text: str) -> bool:
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def _is_uuid(text: str) -> bool:
    return re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text) is not None


# Draft 4 knows no uuid, and jsonschema-rs's own date takes a year 0 that Python and PostgreSQL refuse.
_FORMATS: dict[str, Callable[[str], bool]] = {"date": _is_date, "uuid": _is_uuid}
_FORMAT_WORDS = {"date": "a day that exists, written YYYY-MM-DD", "uuid": "a UUID"}
_GREATEST = {"int32": 2**31 - 1, "int64": 2**63 - 1}
CONVERTERS: dict[str, Callable[[str], Any]] = {"date": date.fromisoformat, "uuid": UUID}
"""By format: from valid text to the type that handlers work with."""


def draft4(schema: Schema) -> dict[str, Any]:
    """Translate a Schema Object (OpenAPI 3.0.3, section 4.7.24), its references resolved, to JSON Schema Draft 4.

    Raises ContractError for whatever would not be checked.
    """
    translated: dict[str, Any] = {}
    for keyword, value in schema.items():
        match keyword:
            case "properties":
                translated[keyword] = {name: draft4(member) for name, member in value.items()}
            case "items":
                translated[keyword] = draft4(value)
            case "allOf":
                translated[keyword] = [draft4(part) for part in value]
            case "additionalProperties" if value is False:
                translated[keyword] = value
            case "nullable":
                pass
            case _ if keyword in _ANNOTATIONS | _ASSERTIONS:
                translated[keyword] = value
            case _:
                raise ContractError(f"the keyword '{keyword}: {value}' is not supported in the schema of a request")
    if translated.get("type", "string") not in _TYPE_WORDS:
        raise ContractError(f"the type '{schema['type']}' is not supported in the schema of a request")
    if translated.get("type") == "integer" and translated.get("format") in _GREATEST:
        translated |= _bounds(translated.pop("format"), translated)
    if translated.get("format", "date") not in _FORMATS:
        raise ContractError(f"the format '{schema['format']}' is not supported in the schema of a request")
    if "pattern" in translated and "title" not in translated:
        raise ContractError(f"the pattern '{schema['pattern']}' needs a title that says in words what it takes")
    if schema.get("nullable"):
        translated["type"] = [schema["type"], "null"]
    return translated


def _bounds(integer_format: str, schema: Schema) -> dict[str, int]:
    """Return an integer's bounds, narrowed to its format (OpenAPI 3.0.3, section 4.4), which Draft 4 does not know."""
    greatest = _GREATEST[integer_format]
    least = -greatest - 1
    return {
        "minimum": max(least, schema.get("minimum", least)),
        "maximum": min(greatest, schema.get("maximum", greatest)),
    }


class Validator:
    """A schema compiled once.

    `is_valid` is for every request; only a refused one pays for `errors`.
    """

    def __init__(self, schema: Schema) -> None:
        """Compile a schema of Draft 4, as `draft4` returns it. Raises ContractError when it is not one."""
        self._schema = schema
        try:
            self._validator = Draft4Validator(dict(schema), formats=_FORMATS, validate_formats=True)
        except (ValidationError, ValueError) as error:
            raise ContractError(f"a schema cannot be compiled: {error}") from error
        self.is_valid: Callable[[Any], bool] = self._validator.is_valid

    def errors(self, instance: Any, most: int) -> list[tuple[Place, str]]:
        """Return the faults of an instance: of each its place, and a sentence's end such as "must be at most 100".

        Of more than `most`, some are left out, but there are as many at least. Of a list, only the first `most` items
        are looked at: none that is taken has more. Raises TooDeep.
        """
        instance = _shortened(instance, most)
        try:
            # Of two at one place, one may be left out.
            found = list(islice(self._validator.iter_errors(instance), 2 * most))
        except ValueError as error:
            # jsonschema-rs takes 255 levels.
            raise TooDeep from error
        kinds = {(tuple(error.instance_path), error.kind.name) for error in found}
        told = (error for error in found if (tuple(error.instance_path), _TOLD_BY.get(error.kind.name)) not in kinds)
        return [fault for error in told for fault in self._faults(error, instance)]

    def _faults(self, error: ValidationError, instance: Any) -> Iterator[tuple[Place, str]]:
        place = tuple(error.instance_path)
        match error.kind:
            case ValidationErrorKind.Required(property=name):
                yield (*place, str(name)), "is required"
            case ValidationErrorKind.AdditionalProperties():
                # jsonschema-rs names a required member that has no schema too, so the schema itself is asked.
                known = self._subschema(error)["properties"]
                yield from (((*place, name), "is not known here") for name in _at(instance, place) if name not in known)
            case _:
                yield place, _words(error.kind, self._subschema(error))

    def _subschema(self, error: ValidationError) -> Schema:
        subschema: Any = _at(self._schema, tuple(error.schema_path)[:-1])
        return dict(subschema)


def _shortened(instance: Any, most: int) -> Any:
    """Cut the lists of an object: jsonschema-rs finds all faults before it yields one, 15 µs each."""
    if not isinstance(instance, dict):
        return instance
    return {name: value[:most] if isinstance(value, list) else value for name, value in instance.items()}


def _at(document: Any, place: Place) -> Any:
    for step in place:
        document = document[step]
    return document


def _words(kind: ValidationErrorKind, schema: Schema) -> str:
    match kind:
        case ValidationErrorKind.Type():
            types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
            return "must be " + " or ".join(_TYPE_WORDS[name] for name in types)
        case ValidationErrorKind.Enum(options=options):
            return "must be one of " + ", ".join(map(str, options))
        case ValidationErrorKind.Format(format=name):
            return f"must be {_FORMAT_WORDS[name]}"
        case ValidationErrorKind.Pattern():
            return f"must be {schema['title']}"
        case ValidationErrorKind.MinLength(limit=1):
            return "must not be empty"
        case ValidationErrorKind.MinLength(limit=limit):
            return f"must have at least {limit:,} characters"
        case ValidationErrorKind.MaxLength(limit=limit):
            return f"must have at most {limit:,} characters"
        case ValidationErrorKind.Minimum(limit=limit):
            return f"must be at least {limit}"
        case ValidationErrorKind.Maximum(limit=limit):
            return f"must be at most {limit}"
        case ValidationErrorKind.MinItems(limit=limit):
            return f"must have at least {limit} items"
        case ValidationErrorKind.MaxItems(limit=limit):
            return f"must have at most {limit} items"
        case ValidationErrorKind.UniqueItems():
            return "must not have the same item twice"
    raise ContractError(f"there are no words for the fault '{kind.name}'")
