"""Conversion of valid JSON for handlers: dates, times and UUIDs instead of text, and defaults filled in."""

from collections.abc import Callable, Mapping
from typing import Any

from handlers.contract.errors import ContractError
from handlers.contract.formats import FORMATS
from handlers.contract.schemas import Schema, branches, read_only_members
from handlers.contract.validator import Validator

Convert = Callable[[Any], Any]


def converter(schema: Schema) -> Convert | None:
    """Return a function that converts the valid values of a schema, or None if they need no conversion.

    `schema` is of Draft 4, as `draft4` returns it. Members that are absent get the schema's default, if it has one,
    and members that are `readOnly` are left out; null stays null. The function returns a new value and does not change
    its argument.
    """
    convert = _converter(schema)
    if convert is None or "null" not in schema.get("type", ()):
        return convert
    return lambda value: None if value is None else convert(value)


def _converter(schema: Schema) -> Convert | None:
    if "oneOf" in schema:
        return _by_discriminator(schema)
    if "allOf" in schema:
        return _only(list(filter(None, map(converter, schema["allOf"]))))
    if "properties" in schema:
        return _members(schema["properties"], read_only_members(schema))
    if "items" in schema:
        return _items(converter(schema["items"]))
    return FORMATS[schema["format"]].convert if "format" in schema else None


def _members(properties: Mapping[str, Schema], left_out: set[str]) -> Convert | None:
    converters = [(name, convert) for name, schema in properties.items() if (convert := converter(schema))]
    defaults = {name: default_of(schema) for name, schema in properties.items() if "default" in schema}
    if not converters and not defaults and not left_out:
        return None

    def convert_members(value: dict[str, Any]) -> dict[str, Any]:
        converted = defaults | value
        for name, convert in converters:
            if name in value:
                converted[name] = convert(value[name])
        for name in left_out:
            converted.pop(name, None)
        return converted

    return convert_members


def default_of(schema: Schema) -> Any:
    """Return the default of a schema that has one, converted. Raises ContractError for one that cannot be used."""
    if isinstance(schema["default"], list | dict):
        # All requests would share it.
        raise ContractError("a default must not be a list or an object")
    if not Validator(schema).is_valid(schema["default"]):
        raise ContractError(f"the default {schema['default']!r} is not valid by its own schema")
    convert = converter(schema)
    return schema["default"] if convert is None else convert(schema["default"])


def _items(convert: Convert | None) -> Convert | None:
    return None if convert is None else lambda values: [convert(value) for value in values]


def _by_discriminator(schema: Schema) -> Convert | None:
    name = schema["discriminator"]["propertyName"]
    converters = {value: convert for value, branch in branches(schema).items() if (convert := converter(branch))}
    if not converters:
        return None
    return lambda value: converters[value[name]](value) if value[name] in converters else value


def _only(converters: list[Convert]) -> Convert | None:
    if len(converters) > 1:
        raise ContractError("only one schema of an allOf can have members or a format that are converted")
    return converters[0] if converters else None
