"""Predicates that recognise the wanted differences between the service and stock Connexion, as narrowly as possible."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date
from functools import partial
from typing import Any
from unicodedata import normalize
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import UUID

from jsonschema import Draft4Validator

from tests.support.conformance import CONTRACT
from tests.support.oracle.converted import at, converted, in_order, texts_in, without_read_only
from tests.support.oracle.sides import HEADERS, OPERATIONS, USER, Difference, Json, Operation, Request

SCHEMAS: dict[str, Json] = {
    parameter["name"]: parameter["schema"] for operation in OPERATIONS for parameter in operation.parameters
}
LISTS = {name for name, schema in SCHEMAS.items() if schema["type"] == "array"}
TITLED = [one for one in CONTRACT["components"]["schemas"].values() if {"title", "pattern"} <= one.keys()]
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
Explanation = Callable[[Request, Difference], bool]


def _query_values(request: Request, name: str, encoding: str = "utf-8") -> list[str]:
    """Return the values of a query parameter; `encoding` decodes bytes that are not ASCII."""
    pairs = parse_qsl(request.query.decode(encoding, "replace"), keep_blank_values=True)
    return [text for key, text in pairs if key == name]


def _header_values(request: Request, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in request.headers if key.decode() == name.lower()]


def _operation(request: Request) -> Operation | None:
    for operation in OPERATIONS:
        pattern = re.sub(r"\{[^}]*\}", "[^/]*", operation.path)
        if operation.method == request.method and re.fullmatch(pattern, request.path):
            return operation
    return None


def _content(request: Request) -> Mapping[str, Json]:
    """Return the media types that the body of a request's operation may have."""
    operation = _operation(request)
    return {} if operation is None else operation.content


def _schemas(request: Request, location: str) -> dict[str, Json]:
    """Return the schemas of the operation's parameters in this location, by their names."""
    operation = _operation(request)
    parameters = [] if operation is None else operation.parameters
    return {parameter["name"]: parameter["schema"] for parameter in parameters if parameter["in"] == location}


def _given(request: Request, encoding: str = "utf-8") -> list[tuple[Json, Any]]:
    """Return the schema and the value of each query parameter, of a list all values together."""
    given: list[tuple[Json, Any]] = []
    for name, schema in _schemas(request, "query").items():
        texts = _query_values(request, name, encoding)
        given += [(schema, texts)] if name in LISTS else [(schema, text) for text in texts]
    return given


def _schema(request: Request) -> Json:
    """Return the schema of the body that a request's operation takes."""
    return next(iter(_content(request).values()))["schema"]


def _valid(name: str, value: Any) -> bool:
    """Return whether stock Connexion's validator accepts a parameter's value."""
    return _accepts(SCHEMAS[name], value)


def _accepts(schema: Json, value: Any) -> bool:
    return bool(Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER).is_valid(value))


def _only_we_reject(found: Difference, kind: str) -> bool:
    """Return whether we reject what stock Connexion accepts for a parameter of this type."""
    return found.kind == "error" and SCHEMAS.get(found.name, {}).get("type") == kind


def _only_we_accept(found: Difference) -> bool:
    """Return whether stock Connexion rejects a request that we accept."""
    return found.kind == "status" and (found.ours.status, found.stock.status) == (204, 400)


def _nfc(value: Any) -> Any:
    """Return a JSON value with all of its text in NFC."""
    match value:
        case str():
            return normalize("NFC", value)
        case list():
            return [_nfc(item) for item in value]
        case dict():
            return {name: _nfc(member) for name, member in value.items()}
    return value


def _json(body: bytes) -> Any:
    """Return a body, None if it is not JSON."""
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return None


def is_date(_: Request, found: Difference) -> bool:
    """Recognise a date that we pass as an object, and stock Connexion as text."""
    return isinstance(found.ours, date) and bool(found.stock == found.ours.isoformat())


def is_uuid(_: Request, found: Difference) -> bool:
    """Recognise UUIDs that we pass as objects, and stock Connexion as text."""
    ours = found.ours if isinstance(found.ours, list) else [found.ours]
    stock = found.stock if isinstance(found.stock, list) else [found.stock]
    return all(isinstance(one, UUID) for one in ours) and [text.lower() for text in stock] == list(map(str, ours))


def is_converted(request: Request, found: Difference) -> bool:
    """Recognise a body with dates as objects, text in NFC, defaults filled in, and read-only members left out."""
    if (found.kind, found.name) != ("argument", "body"):
        return False
    if not isinstance(found.ours, dict) or not isinstance(found.stock, dict):
        return False
    expected = converted(_schema(request), _nfc(found.stock))
    # Compare representations, since in Python 1 == True == 1.0.
    return bool(in_order(found.ours) == in_order(expected))


def is_normalised(_: Request, found: Difference) -> bool:
    """Recognise a parameter that we pass in NFC; for bodies, see `is_converted`."""
    if found.kind != "argument" or found.name == "body":
        return False
    return bool(found.ours == _nfc(found.stock) != found.stock)


def is_validated_in_nfc(request: Request, found: Difference) -> bool:
    """Recognise input of which either the text as sent or its NFC is valid, but not both."""
    if found.kind != "error" and not _only_we_accept(found):
        return False
    given = _given(request)
    if request.body:
        given += [(content["schema"], _json(request.body)) for content in _content(request).values()]
    return any(_accepts(schema, value) != _accepts(schema, _nfc(value)) for schema, value in given)


def is_split_at_commas(request: Request, found: Difference) -> bool:
    """Recognise list items that stock Connexion splits at commas."""
    for name in LISTS:
        ours = _query_values(request, name)
        stock = ",".join(ours).split(",")
        if not ours or ours == stock:
            continue
        if _only_we_accept(found) and not _valid(name, stock):
            return True
        if found.name == name and found.kind == "argument":
            return bool((found.ours, found.stock) == (_nfc(ours), stock))
        if found.name == name and found.kind == "error":
            return not _valid(name, ours) and bool(found.stock[name] == stock)
    return False


def is_repeated(request: Request, found: Difference) -> bool:
    """Recognise a repeated scalar parameter, which we reject."""
    return found.kind == "error" and found.name not in LISTS and len(_query_values(request, found.name)) > 1


def is_joined(request: Request, found: Difference) -> bool:
    """Recognise a header on several lines, of which stock Connexion reads only the first."""
    for argument, name in HEADERS.items():
        lines = _header_values(request, name)
        if len(lines) < 2:
            continue
        if found.name == argument:
            return bool((found.ours, found.stock) == (", ".join(lines), lines[0]))
        schema = _schemas(request, "header")[name]
        if found.name == name:
            return not _accepts(schema, ", ".join(lines))
        if _only_we_accept(found):
            return not _accepts(schema, lines[0])
    return False


def is_python_integer(request: Request, found: Difference) -> bool:
    """Recognise an integer that only Python's `int` accepts."""
    texts = [text for text in _query_values(request, found.name) if not re.fullmatch("-?[0-9]+", text)]
    return _only_we_reject(found, "integer") and any(re.fullmatch(r"\s*[+-]?\d+(_\d+)*\s*", text) for text in texts)


def is_capitalised_boolean(request: Request, found: Difference) -> bool:
    """Recognise a boolean with upper-case letters, which we reject."""
    texts = [text for text in _query_values(request, found.name) if text not in ("true", "false")]
    return _only_we_reject(found, "boolean") and any(text.lower() in ("true", "false") for text in texts)


def is_python_uuid(request: Request, found: Difference) -> bool:
    """Recognise a UUID that only Python's `UUID` accepts."""
    texts = [*request.path.split("/"), *_query_values(request, "id"), *texts_in(at(_json(request.body), found.name))]
    odd = [text for text in texts if not re.fullmatch(_UUID, text)]
    is_rejected = found.kind == "error" and found.ours.endswith("must be a UUID")
    return is_rejected and any(_valid("task_id", text) for text in odd)


def ends_in_a_line_feed(request: Request, found: Difference) -> bool:
    """Recognise text with a final line feed, which only Python's `$` allows."""
    if found.kind != "error":
        return False
    texts = [*_query_values(request, found.name), *texts_in(at(_json(request.body), found.name))]
    patterns = [one["pattern"] for one in TITLED if found.ours.endswith(f"must be {one['title']}")]
    return any(text.endswith("\n") and re.search(pattern, text) for text in texts for pattern in patterns)


def is_not_utf_8(request: Request, found: Difference) -> bool:
    """Recognise a query that is not UTF-8, which we reject."""
    try:
        unquote_to_bytes(request.query).decode()
    except UnicodeDecodeError:
        return found.kind == "error" and found.ours == "must be percent-encoded UTF-8"
    return False


def has_raw_bytes(request: Request, found: Difference) -> bool:
    """Recognise a query with unencoded bytes, which stock Connexion decodes as Latin-1."""
    if request.query.isascii():
        return False
    if _only_we_accept(found):
        return not all(_accepts(schema, value) for schema, value in _given(request, "latin-1"))
    ours, stock = _nfc(_query_values(request, found.name)), _query_values(request, found.name, "latin-1")
    return found.kind == "argument" and (found.ours, found.stock) in [(ours, stock), *zip(ours, stock, strict=True)]


def is_json_only_to_python(request: Request, found: Difference) -> bool:
    """Recognise a body that only Python's `json` accepts."""
    if found.kind != "error" or found.name != "/" or not found.ours.startswith("is not JSON"):
        return False
    constants: list[str] = []
    try:
        value = json.loads(request.body, parse_constant=constants.append)
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return True
    except ValueError:
        return False
    return bool(constants)


def is_unvalidated(request: Request, found: Difference) -> bool:
    """Recognise a media type with upper-case letters, whose body stock Connexion does not validate."""
    media_type = _media_type(request)
    declared = list(_content(request))
    if media_type in declared or media_type.lower() not in declared:
        return False
    if found.kind == "error":
        return found.name.startswith("/") and bool(found.stock["body"] == request.body)
    return (found.kind, found.name) == ("argument", "body") and bool(found.stock == request.body)


def makes_stock_fail(request: Request, found: Difference) -> bool:
    """Recognise a body on which stock Connexion fails with a 500."""
    if found.kind != "status" or found.stock.status != 500:
        return False
    try:
        json.loads(request.body.decode())
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):
        return True
    return False


def is_read_only(request: Request, found: Difference) -> bool:
    """Recognise a body that is only valid without its read-only members, whose values we ignore."""
    if not _only_we_accept(found) or not _content(request):
        return False
    schema, body = _schema(request), json.loads(request.body)
    return not _accepts(schema, body) and _accepts(schema, without_read_only(schema, body))


def is_not_in_path(request: Request, found: Difference) -> bool:
    """Recognise an id in the body that is not the one in the path, which we reject."""
    if found.kind != "error" or found.ours != "must be the same as in the path":
        return False
    segment = request.path.split("/")[4 if found.name == "/id" else 2]
    return bool(at(json.loads(request.body), found.name).lower() != segment.lower())


def is_chunked(request: Request, found: Difference) -> bool:
    """Recognise a chunked body, which stock Connexion ignores."""
    return request.chunked and request.body != b"" and _only_we_accept(found)


def is_for_another_user(request: Request) -> bool:
    """Return whether the path belongs to another user."""
    return request.path.split("/")[2] != USER


def _media_type(request: Request) -> str:
    """Return the first media type, without its parameters."""
    return "".join(_header_values(request, "Content-Type")[:1]).partition(";")[0]


def has_no_media_type(request: Request) -> bool:
    """Return whether Content-Type is missing."""
    return not _header_values(request, "Content-Type")


def has_two_media_types(request: Request) -> bool:
    """Return whether Content-Type is given twice."""
    return len(_header_values(request, "Content-Type")) > 1


def has_an_encoding(request: Request) -> bool:
    """Return whether the body has a content coding other than `identity`."""
    return _header_values(request, "Content-Encoding") not in ([], ["identity"])


def has_a_charset(request: Request) -> bool:
    """Return whether the media type names a charset other than UTF-8."""
    charset = re.search("charset=(.*)", "".join(_header_values(request, "Content-Type")))
    return charset is not None and charset[1].lower() != "utf-8"


def has_an_undeclared_media_type(request: Request) -> bool:
    """Return whether the operation does not declare the media type."""
    return _media_type(request).lower() not in ["", *_content(request)]


def is_too_large(request: Request) -> bool:
    """Return whether the body exceeds the operation's limit."""
    operation = _operation(request)
    return operation is not None and len(request.body) > operation.limit


def rejected(status: int, applies: Callable[[Request], bool]) -> Explanation:
    """Return a predicate: we responded with this status, and `applies` holds for the request."""
    return partial(_is_rejected, status, applies)


def _is_rejected(status: int, applies: Callable[[Request], bool], request: Request, found: Difference) -> bool:
    return found.kind == "status" and found.ours.status == status and applies(request)
