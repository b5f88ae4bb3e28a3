"""Path, query and header parameters: conversion from text to typed arguments."""

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from starlette.types import Scope

from handlers.contract.conversion import Convert, converter, default_of
from handlers.contract.errors import ContractError, listed
from handlers.contract.messages import UNRECOGNISED
from handlers.contract.normalisation import normaliser
from handlers.contract.rules import rule
from handlers.contract.schemas import Schema, draft4
from handlers.contract.traversal import Place
from handlers.contract.validator import Validator
from handlers.responses.problems import MOST_ERRORS, InputError

_LONGEST_NAME = 120
_SUPPORTED = {"name", "in", "required", "description", "schema", "example", "style", "explode"}
# Python's int() also accepts underscores, blanks and digits of any script, and fails on more than 4,300 digits.
_INTEGER = re.compile(r"-?[0-9]{1,4000}")
_PAIR = re.compile(rb"[^&]+")
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")
_BYTES = {b"%02x" % number: bytes((number,)) for number in range(256)}


def _integer(text: str) -> int | str:
    return int(text) if _INTEGER.fullmatch(text) else text


def _boolean(text: str) -> bool | str:
    return {"true": True, "false": False}.get(text, text)


# A value of another type stays text, so that the validator reports it together with all other errors.
_FROM_TEXT: dict[str, Callable[[str], Any]] = {"string": str, "integer": _integer, "boolean": _boolean}


@dataclass(frozen=True, slots=True)
class Parameter:
    """A Parameter Object (OpenAPI 3.0.3, section 4.7.12), compiled.

    `name` is the name for clients, `argument` that for the handler. `from_text` turns the text of one occurrence into
    a JSON value. `convert`, unless it is None, converts a valid JSON value to the type that the handler takes, which is
    also that of `default`.
    """

    name: str
    location: str
    argument: str
    required: bool
    schema: Schema
    repeatable: bool
    from_text: Callable[[str], Any]
    convert: Convert | None
    default: Any

    @classmethod
    def compile(cls, declared: Mapping[str, Any]) -> "Parameter":
        """Compile the declaration. Raises ContractError if it is not supported."""
        name, location, schema = declared["name"], declared["in"], draft4(declared["schema"])
        repeatable = schema.get("type") == "array"
        single = schema["items"] if repeatable else schema
        if rule(schema):
            raise ContractError("rules between members are only supported in a body")
        _check(declared, single.get("type", "string"), repeatable=repeatable)
        return cls(
            name=name,
            location=location,
            argument=name.lower().replace("-", "_"),
            required=declared.get("required", False),
            schema=schema,
            repeatable=repeatable,
            from_text=_FROM_TEXT[single.get("type", "string")],
            convert=converter(schema),
            default=default_of(schema) if "default" in schema else None,
        )


def _check(declared: Mapping[str, Any], single_type: Any, *, repeatable: bool) -> None:
    """Raise ContractError for a parameter that is not supported."""
    name, location = declared["name"], declared["in"]
    if unsupported := declared.keys() - _SUPPORTED:
        raise ContractError(f"parameter '{name}': {sorted(unsupported)} is not supported")
    if location not in ("query", "path", "header") or (repeatable and location != "query"):
        raise ContractError(f"parameter '{name}': this schema is not supported in {location}")
    if declared.get("style", "form") != "form" or declared.get("explode", True) is not True:
        raise ContractError(f"parameter '{name}': only style form with explode is supported")
    if not isinstance(single_type, str) or single_type not in _FROM_TEXT:
        raise ContractError(f"parameter '{name}': the type '{single_type}' is not supported")


class Parameters:
    """All parameters of one operation."""

    def __init__(self, declared: Iterable[Mapping[str, Any]], at_least_one: Collection[str] = ()) -> None:
        """Compile the declaration. Raises ContractError if it is not supported.

        A request must have one of the query parameters in `at_least_one`, if these are any, and not empty.
        """
        parameters = [Parameter.compile(one) for one in declared]
        self._by_argument = {parameter.argument: parameter for parameter in parameters}
        if len(self._by_argument) < len(parameters):
            raise ContractError("two parameters have the same name as arguments of the handler")
        self._path = [parameter for parameter in parameters if parameter.location == "path"]
        self._query = {parameter.name: parameter for parameter in parameters if parameter.location == "query"}
        # Of more pairs than can be valid, as many as errors are reported.
        self._most_pairs = sum(p.schema.get("maxItems", 1) for p in self._query.values()) + MOST_ERRORS + 1
        self._header = {p.name.lower().encode(): p for p in parameters if p.location == "header"}
        self._defaults = {parameter.argument: parameter.default for parameter in parameters}
        self._converted = [(p.argument, p.convert) for p in parameters if p.convert is not None]
        if unknown := set(at_least_one) - self._query.keys():
            raise ContractError(f"x-at-least-one names {listed(unknown)}, which is no query parameter")
        self._at_least_one = [self._query[name].argument for name in at_least_one]
        self._words = f"must have at least one of {', '.join(at_least_one)}"
        schema = _object_schema(parameters)
        self._normalise = normaliser(schema)
        self._validator = Validator(schema)

    @property
    def arguments(self) -> set[str]:
        """The names of the handler's arguments for the parameters."""
        return set(self._by_argument)

    def read(self, scope: Scope) -> tuple[dict[str, Any], list[InputError]]:
        """Return the handler's arguments, with defaults filled in, and all errors.

        The scope's `path_params` are those of the path. If there are errors, do not use the arguments.
        """
        given: dict[str, Any] = {p.argument: p.from_text(scope["path_params"][p.name]) for p in self._path}
        errors: list[InputError] = []
        if self._header:
            self._read_header(scope["headers"], given)
        if scope["query_string"]:
            self._read_query(scope["query_string"], given, errors)
        if self._at_least_one and not any(given.get(name) not in (None, "") for name in self._at_least_one):
            errors.append({"in": "query", "detail": self._words})
        if self._normalise is not None:
            given = self._normalise(given)
        if not self._validator.is_valid(given):
            errors += [self._error(place, words) for place, words in self._validator.errors(given, MOST_ERRORS + 1)]
        if errors:
            return given, errors
        for argument, convert in self._converted:
            if argument in given:
                given[argument] = convert(given[argument])
        return self._defaults | given, errors

    def _read_header(self, headers: Sequence[tuple[bytes, bytes]], given: dict[str, Any]) -> None:
        for name, value in headers:
            parameter = self._header.get(name)
            if parameter is None:
                continue
            text = value.decode("latin-1")
            # A list-based field may be split over several lines (RFC 9110, section 5.3).
            given[parameter.argument] = f"{given[parameter.argument]}, {text}" if parameter.argument in given else text

    def _read_query(self, query: bytes, given: dict[str, Any], errors: list[InputError]) -> None:
        for pair in islice(_PAIR.finditer(query), self._most_pairs):
            encoded_name, _, encoded_value = pair[0].partition(b"=")
            name, value = _decode(encoded_name), _decode(encoded_value)
            parameter = self._query.get(name) if name is not None else None
            if parameter is None:
                shown = name if name is not None else encoded_name.decode("latin-1")
                errors.append({"in": "query", "name": _shorten(shown), "detail": UNRECOGNISED})
            elif value is None:
                errors.append({"in": "query", "name": parameter.name, "detail": "must be percent-encoded UTF-8"})
            elif parameter.repeatable:
                given.setdefault(parameter.argument, []).append(parameter.from_text(value))
            elif parameter.argument in given:
                errors.append({"in": "query", "name": parameter.name, "detail": "must not be given more than once"})
            else:
                given[parameter.argument] = parameter.from_text(value)

    def _error(self, place: Place, words: str) -> InputError:
        parameter = self._by_argument[str(place[0])]
        nth = f"value {int(place[1]) + 1} " if len(place) > 1 else ""
        return {"in": parameter.location, "name": parameter.name, "detail": nth + words}


def _object_schema(parameters: Iterable[Parameter]) -> dict[str, Any]:
    """Return one schema for all parameters together, so that one call validates them."""
    properties = {parameter.argument: parameter.schema for parameter in parameters}
    required = [parameter.argument for parameter in parameters if parameter.required]
    return {"type": "object", "properties": properties} | ({"required": required} if required else {})


def _decode(encoded: bytes) -> str | None:
    """Decode application/x-www-form-urlencoded (WHATWG URL, section 5.1); return None if the bytes are not UTF-8."""
    try:
        # Python's own function takes twenty times as long for percent signs that escape nothing.
        return _ESCAPE.sub(_byte, encoded.replace(b"+", b" ")).decode()
    except UnicodeDecodeError:
        return None


def _byte(escape: re.Match[bytes]) -> bytes:
    return _BYTES[escape[1].lower()]


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST_NAME else text[: _LONGEST_NAME - 1] + "…"
