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

from tests.support.oracle.sides import HEADERS, OPERATIONS, USER, Difference, Json, Request

SCHEMAS: dict[str, Json] = {
    parameter["name"]: parameter["schema"] for operation in OPERATIONS for parameter in operation.parameters
}
LISTS = {name for name, schema in SCHEMAS.items() if schema["type"] == "array"}
_UUID = "[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
Explanation = Callable[[Request, Difference], bool]


def _query_values(request: Request, name: str, encoding: str = "utf-8") -> list[str]:
    """Return the values of a query parameter; `encoding` decodes bytes that are not ASCII."""
    pairs = parse_qsl(request.query.decode(encoding, "replace"), keep_blank_values=True)
    return [text for key, text in pairs if key == name]


def _header_values(request: Request, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in request.headers if key.decode() == name.lower()]


def _content(request: Request) -> Mapping[str, Json]:
    """Return the media types that the body of a request's operation may have."""
    for operation in OPERATIONS:
        pattern = re.sub(r"\{[^}]*\}", "[^/]*", operation.path)
        if operation.method == request.method and re.fullmatch(pattern, request.path):
            return operation.content
    return {}


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
    """Recognise a UUID that we pass as an object, and stock Connexion as text."""
    return isinstance(found.ours, UUID) and bool(found.stock.lower() == str(found.ours))


def is_converted(request: Request, found: Difference) -> bool:
    """Recognise a body with dates as objects, text in NFC, defaults filled in, and read-only members left out."""
    if (found.kind, found.name) != ("argument", "body"):
        return False
    if not isinstance(found.ours, dict) or not isinstance(found.stock, dict):
        return False
    members = _schema(request)["properties"]
    expected = {name: member["default"] for name, member in members.items() if "default" in member} | {
        name: date.fromisoformat(value) if value and members[name].get("format") == "date" else value
        for name, value in _nfc(found.stock).items()
        if "readOnly" not in members[name]
    }
    # Compare representations, since in Python 1 == True == 1.0.
    return repr(sorted(found.ours.items())) == repr(sorted(expected.items()))


def is_normalised(_: Request, found: Difference) -> bool:
    """Recognise a parameter that we pass in NFC; for bodies, see `is_converted`."""
    if found.kind != "argument" or found.name == "body":
        return False
    return bool(found.ours == _nfc(found.stock) != found.stock)


def is_validated_in_nfc(request: Request, found: Difference) -> bool:
    """Recognise input of which either the text as sent or its NFC is valid, but not both."""
    if found.kind != "error" and not _only_we_accept(found):
        return False
    given: list[tuple[Json, Any]] = [(SCHEMAS[name], _query_values(request, name)) for name in LISTS]
    given += [(SCHEMAS[name], text) for name in SCHEMAS.keys() - LISTS for text in _query_values(request, name)]
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
        if found.name == name:
            return not _valid(name, ", ".join(lines))
        if _only_we_accept(found):
            return not _valid(name, lines[0])
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
    texts = [text for text in request.path.split("/") if not re.fullmatch(_UUID, text)]
    return found.kind == "error" and found.name == "task_id" and any(_valid("task_id", text) for text in texts)


def ends_in_a_line_feed(request: Request, found: Difference) -> bool:
    """Recognise text with a final line feed, which only Python's `$` allows."""
    texts = [text for name in ("cursor", "tags") for text in _query_values(request, name)]
    if found.name.startswith("/tags/"):
        texts = json.loads(request.body)["tags"]
    schema = SCHEMAS["cursor"] if found.name == "cursor" else SCHEMAS["tags"]["items"]
    is_rejected = found.kind == "error" and str(found.ours).endswith(f"must be {schema['title']}")
    return is_rejected and any(text.endswith("\n") and re.search(schema["pattern"], text) for text in texts)


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
        texts = _query_values(request, "tags", "latin-1")
        scalars = [(name, text) for name in ("search", "cursor") for text in _query_values(request, name, "latin-1")]
        return not _valid("tags", texts) or not all(_valid(name, text) for name, text in scalars)
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
    validator = Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)
    ignored = {name for name, one in schema["properties"].items() if "readOnly" in one}
    return not validator.is_valid(body) and validator.is_valid({name: body[name] for name in body.keys() - ignored})


def is_not_in_path(request: Request, found: Difference) -> bool:
    """Recognise an id in the body that is not the one in the path, which we reject."""
    if found.kind != "error" or found.name not in ("/id", "/user_id"):
        return False
    segment = request.path.split("/")[4 if found.name == "/id" else 2]
    return bool(json.loads(request.body)[found.name[1:]].lower() != segment.lower())


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
    """Return whether the body exceeds 64 KiB."""
    return len(request.body) > 65_536


def rejected(status: int, applies: Callable[[Request], bool]) -> Explanation:
    """Return a predicate: we responded with this status, and `applies` holds for the request."""
    return partial(_is_rejected, status, applies)


def _is_rejected(status: int, applies: Callable[[Request], bool], request: Request, found: Difference) -> bool:
    return found.kind == "status" and found.ours.status == status and applies(request)
