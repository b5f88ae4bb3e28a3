"""Schema Objects of OpenAPI 3.0, translated to JSON Schema Draft 4 for jsonschema-rs.

Only keywords that are checked are accepted: any other keyword is an error at startup, never ignored.
"""

import re
from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from handlers.contract.errors import ContractError, listed
from handlers.contract.formats import FORMATS
from handlers.contract.messages import TYPE_WORDS

Schema = Mapping[str, Any]

_ANNOTATIONS = {"title", "description", "example", "default"}
_ASSERTIONS = {"type", "enum", "format", "pattern", "minLength", "maxLength", "minimum", "maximum"}
_ASSERTIONS |= {"minItems", "maxItems", "uniqueItems", "required"}
_RULES = {"x-unique-ids", "x-disjoint", "x-same-members", "x-same-ids"}
_RULES |= {"x-not-with", "x-only-with", "x-needs", "x-not-with-null"}
SAME_AS_IN_PATH = "same as in the path"
"""A keyword of the translated schemas, which only the validator knows."""
_IN_PATH = {"id", "user_id"}
# The validator finds the errors of all items before it reports one, and each takes some µs.
_MOST_ITEMS = 1000
_LITERAL = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]")
_WITHOUT_END = re.compile(r"[*+]|\{[0-9]+,\}")
_GREATEST = {"int32": 2**31 - 1, "int64": 2**63 - 1}


def draft4(schema: Schema, in_path: Collection[str] = _IN_PATH) -> dict[str, Any]:
    """Translate a Schema Object (OpenAPI 3.0.3, section 4.7.24), its references resolved, to JSON Schema Draft 4.

    `in_path` are those of the members `id` and `user_id` that the path has: a `readOnly` member of that name must be
    the same. If the path has no `id`, as in a batch, the rule `x-same-ids` checks it, see `rules.py`.
    Raises ContractError for everything that would not be checked.
    """
    translated: dict[str, Any] = {}
    for keyword, value in schema.items():
        match keyword:
            case "properties":
                translated[keyword] = {name: _member(name, member, in_path) for name, member in value.items()}
            case "items":
                translated[keyword] = draft4(value, in_path)
            case "allOf" | "oneOf":
                translated[keyword] = [draft4(part, in_path) for part in value]
            case "additionalProperties" if value is False:
                translated[keyword] = value
            case "nullable":
                pass
            case "x-normalization" if value == "NFC" and schema.get("type") == "string":
                translated[keyword] = value
            case "discriminator" if "oneOf" in schema:
                translated[keyword] = value
            case _ if keyword in _ANNOTATIONS | _ASSERTIONS | _RULES:
                translated[keyword] = value
            case _:
                raise ContractError(f"the keyword '{keyword}: {value}' is not supported in the schema of a request")
    _check_parts(translated)
    _check_oneof(translated)
    return _with_type(schema, translated)


def _member(name: str, schema: Schema, in_path: Collection[str]) -> dict[str, Any]:
    """Translate the schema of a member, which may be `readOnly`: see `read_only.py`."""
    if schema.get("readOnly") is not True:
        return draft4(schema, in_path)
    if name not in _IN_PATH:
        return {"readOnly": True}
    own = draft4({keyword: value for keyword, value in schema.items() if keyword != "readOnly"}, in_path)
    return {**own, "readOnly": True, **({SAME_AS_IN_PATH: name} if name in in_path else {})}


def read_only_members(schema: Schema) -> set[str]:
    """Return the members that are `readOnly`; `schema` is as `draft4` returns it."""
    return {name for name, member in schema.get("properties", {}).items() if "readOnly" in member}


def _with_type(schema: Schema, translated: dict[str, Any]) -> dict[str, Any]:
    """Translate the types and formats of OpenAPI that Draft 4 lacks."""
    if translated.get("type", "string") not in TYPE_WORDS:
        raise ContractError(f"the type '{schema['type']}' is not supported in the schema of a request")
    if translated.get("type") == "integer" and translated.get("format") in _GREATEST:
        translated |= _bounds(translated.pop("format"), translated)
    if translated.get("format", "date") not in FORMATS:
        raise ContractError(f"the format '{schema['format']}' is not supported in the schema of a request")
    if "pattern" in translated and "title" not in translated:
        raise ContractError(f"the pattern '{schema['pattern']}' needs a title that describes it")
    if "format" in translated and FORMATS[translated["format"]].is_exact:
        translated |= _pattern_of(translated["format"], translated)
    if schema.get("nullable"):
        if "type" not in schema:
            raise ContractError("nullable is only supported in a schema that has a type")
        translated["type"] = [schema["type"], "null"]
    return translated


def _pattern_of(text_format: str, schema: Schema) -> dict[str, str]:
    """Return a pattern that checks a format, and the title that describes it."""
    if "pattern" in schema:
        raise ContractError(f"a schema with the format '{text_format}' cannot also have a pattern")
    one = FORMATS[text_format]
    return {"pattern": f"^(?:{one.pattern.pattern})$", "title": one.words}


@cache
def limits_length(pattern: str) -> bool:
    """Return whether a pattern matches no text beyond some length."""
    return not _WITHOUT_END.search(_LITERAL.sub("", pattern))


def _bounds(integer_format: str, schema: Schema) -> dict[str, int]:
    """Return an integer's bounds, narrowed to its format (OpenAPI 3.0.3, section 4.4), which Draft 4 does not have."""
    greatest = _GREATEST[integer_format]
    least = -greatest - 1
    return {
        "minimum": max(least, schema.get("minimum", least)),
        "maximum": min(greatest, schema.get("maximum", greatest)),
    }


def _check_parts(schema: Schema) -> None:
    """Raise ContractError for a combination whose errors would be lost, or whose members would not be converted."""
    if schema.keys() & {"allOf", "oneOf"} and (beside := schema.keys() & {"properties", "required", "items", "format"}):
        raise ContractError(f"{sorted(beside)} must be inside the allOf or oneOf, not next to it")
    for keyword, needed in ("properties", "object"), ("items", "array"):
        if keyword in schema and schema.get("type") != needed:
            raise ContractError(f"a schema with '{keyword}' must have the type {needed}")
    if required := read_only_members(schema).intersection(schema.get("required", ())):
        raise ContractError(f"{listed(required)} cannot be both readOnly and required in a request")
    if schema.get("format") in FORMATS and schema.get("type") != "string":
        raise ContractError(f"a schema with the format '{schema['format']}' must have the type string")
    if schema.get("type") == "array" and not 0 < schema.get("maxItems", 0) <= _MOST_ITEMS:
        raise ContractError(f"an array in a request must have a maxItems of at most {_MOST_ITEMS:,}")


def branches(schema: Schema) -> dict[str, Schema]:
    """Return the schemas of a `oneOf` by the discriminator's values; `schema` is as `draft4` returns it."""
    name = schema["discriminator"]["propertyName"]
    return {branch["properties"][name]["enum"][0]: branch for branch in schema["oneOf"]}


def _check_oneof(schema: Schema) -> None:
    """Raise ContractError unless the discriminator alone decides which schema of a `oneOf` applies.

    Then exactly one schema can match, and its errors are the ones to report. The references in a mapping are not
    compared, because they have already been resolved.
    """
    if "oneOf" not in schema:
        return
    name = schema.get("discriminator", {}).get("propertyName")
    if name is None:
        raise ContractError("oneOf is only supported with a discriminator")
    for branch in schema["oneOf"]:
        values = branch.get("properties", {}).get(name, {}).get("enum", ())
        if branch.get("type") != "object" or len(values) != 1 or name not in branch.get("required", ()):
            raise ContractError(
                f"each schema of a oneOf must be an object that requires '{name}', an enum of one value"
            )
    named = branches(schema).keys()
    if len(named) < len(schema["oneOf"]):
        raise ContractError(f"two schemas of a oneOf have the same value of '{name}'")
    if named != schema["discriminator"].get("mapping", {}).keys():
        raise ContractError(f"the mapping of the discriminator '{name}' must name the values that its schemas have")
