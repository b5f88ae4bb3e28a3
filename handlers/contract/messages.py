"""Error messages about values, which a frontend can show: each is the end of a sentence, such as "must be a UUID"."""

from collections.abc import Iterable, Mapping
from typing import Any

from jsonschema_rs import ValidationErrorKind

from handlers.contract.errors import ContractError
from handlers.contract.formats import FORMATS

REQUIRED = "is required"
UNRECOGNISED = "is not a recognised name"
TYPE_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


def one_of(options: Iterable[object]) -> str:
    """Return the message for a value that is not one of these options."""
    names = ["null" if option is None else str(option) for option in options]
    return f"must be {'one of ' if len(names) > 1 else ''}{', '.join(names)}"


def of_type(value: object, *types: str) -> str:
    """Return the message for a value of the wrong type; `types` are JSON Schema's names of the allowed types.

    It names a null, because clients send null for members that have no value, and a number such as 1.0.
    """
    not_whole = ", without a decimal point or an exponent" if isinstance(value, float) and value % 1 == 0 else ""
    return "must be " + " or ".join(TYPE_WORDS[name] for name in types) + not_whole + _not_null(value)


def describe(kind: ValidationErrorKind, schema: Mapping[str, Any], value: Any) -> str:
    """Return the message for an error that jsonschema-rs found in a value. Raises ContractError if there is none."""
    match kind:
        case ValidationErrorKind.Type() if any(isinstance(option, str) for option in schema.get("enum", ())):
            return one_of(schema["enum"]) + _not_null(value)
        case ValidationErrorKind.Type():
            return of_type(value, *(schema["type"] if isinstance(schema["type"], list) else [schema["type"]]))
        case ValidationErrorKind.Enum(options=options):
            return one_of(options)
        case ValidationErrorKind.Format(format=name):
            return FORMATS[name].explain(value) + _or_null(schema, value)
        case ValidationErrorKind.Pattern():
            return f"must be {schema['title']}{_or_null(schema, value)}"
        case ValidationErrorKind.MinLength(limit=1) | ValidationErrorKind.MinItems(limit=1):
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
            return "must not contain the same item twice"
        case ValidationErrorKind.Custom():
            return "must be the same as in the path"
    raise ContractError(f"there is no message for the error '{kind.name}'")


def _not_null(value: Any) -> str:
    return ", not null" if value is None else ""


def _or_null(schema: Mapping[str, Any], value: Any) -> str:
    """Return that null is allowed, if the value is empty: forms send an empty text for what has not been filled in.

    Others send the words that filters have for null.
    """
    return ", or null" if value in ("", "inbox", "none") and "null" in schema.get("type", ()) else ""
