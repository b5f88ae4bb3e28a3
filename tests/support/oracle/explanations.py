"""Whether a difference between the service and stock Connexion is a wanted one: as narrowly as can be told."""

import json
import re
from collections.abc import Callable
from datetime import date
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes
from uuid import UUID

from jsonschema import Draft4Validator

from tests.support.oracle.sides import HEADERS, OPERATIONS, USER, Difference, Json, Request

SCHEMAS: dict[str, Json] = {
    parameter["name"]: parameter["schema"] for operation in OPERATIONS for parameter in operation.parameters
}
LISTS = {name for name, schema in SCHEMAS.items() if schema["type"] == "array"}
MEDIA_TYPES = {operation.method: list(operation.content) for operation in OPERATIONS if operation.content}
Explains = Callable[[Request, Difference], bool]


def _given(request: Request, name: str, encoding: str = "utf-8") -> list[str]:
    """Return what a query gives for a name; its bytes beyond ASCII are read in that encoding."""
    pairs = parse_qsl(request.query.decode(encoding, "replace"), keep_blank_values=True)
    return [text for key, text in pairs if key == name]


def _lines(request: Request, name: str) -> list[str]:
    return [value.decode("latin-1") for key, value in request.headers if key.decode() == name.lower()]


def _valid(name: str, value: Any) -> bool:
    """Say what stock Connexion's validator thinks of a parameter's value."""
    return bool(Draft4Validator(SCHEMAS[name], format_checker=Draft4Validator.FORMAT_CHECKER).is_valid(value))


def _refused(found: Difference, kind: str) -> bool:
    """Say whether stock Connexion takes, for a parameter of that type, what we refuse."""
    return found.kind == "error" and SCHEMAS.get(found.name, {}).get("type") == kind


def _accepted(found: Difference) -> bool:
    """Say whether stock Connexion refuses what we take."""
    return found.kind == "status" and (found.ours.status, found.stock.status) == (204, 400)


def is_date(_: Request, found: Difference) -> bool:
    return isinstance(found.ours, date) and bool(found.stock == found.ours.isoformat())


def is_uuid(_: Request, found: Difference) -> bool:
    return isinstance(found.ours, UUID) and bool(found.stock.lower() == str(found.ours))


def is_split(request: Request, found: Difference) -> bool:
    for name in LISTS:
        ours = _given(request, name)
        stock = ",".join(ours).split(",")
        if not ours or ours == stock:
            continue
        if _accepted(found) and not _valid(name, stock):
            return True
        if found.name == name and found.kind == "argument":
            return bool((found.ours, found.stock) == (ours, stock))
        if found.name == name and found.kind == "error":
            return not _valid(name, ours) and bool(found.stock[name] == stock)
    return False


def is_repeated(request: Request, found: Difference) -> bool:
    return found.kind == "error" and found.name not in LISTS and len(_given(request, found.name)) > 1


def is_combined(request: Request, found: Difference) -> bool:
    for argument, name in HEADERS.items():
        lines = _lines(request, name)
        if len(lines) < 2:
            continue
        if found.name == argument:
            return bool((found.ours, found.stock) == (", ".join(lines), lines[0]))
        if found.name == name:
            return not _valid(name, ", ".join(lines))
        if _accepted(found):
            return not _valid(name, lines[0])
    return False


def is_pythons_integer(request: Request, found: Difference) -> bool:
    texts = [text for text in _given(request, found.name) if not re.fullmatch("-?[0-9]+", text)]
    return _refused(found, "integer") and any(re.fullmatch(r"\s*[+-]?\d+(_\d+)*\s*", text) for text in texts)


def is_boolean_in_capitals(request: Request, found: Difference) -> bool:
    texts = [text for text in _given(request, found.name) if text not in ("true", "false")]
    return _refused(found, "boolean") and any(text.lower() in ("true", "false") for text in texts)


def is_pythons_uuid(request: Request, found: Difference) -> bool:
    text = request.path.rpartition("/")[2]
    is_ascii = re.fullmatch("[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", text)
    return found.kind == "error" and found.name == "task_id" and _valid("task_id", text) and not is_ascii


def is_pythons_end(request: Request, found: Difference) -> bool:
    texts = [text for name in ("cursor", "tags") for text in _given(request, name)]
    if found.name.startswith("/tags/"):
        texts = json.loads(request.body)["tags"]
    schema = SCHEMAS["cursor"] if found.name == "cursor" else SCHEMAS["tags"]["items"]
    is_refused = found.kind == "error" and str(found.ours).endswith(f"must be {schema['title']}")
    return is_refused and any(text.endswith("\n") and re.search(schema["pattern"], text) for text in texts)


def is_not_utf_8(request: Request, found: Difference) -> bool:
    try:
        unquote_to_bytes(request.query).decode()
    except UnicodeDecodeError:
        return found.kind == "error" and found.ours == "must be UTF-8, percent-encoded"
    return False


def is_raw(request: Request, found: Difference) -> bool:
    if request.query.isascii():
        return False
    if _accepted(found):
        texts = _given(request, "tags", "latin-1")
        scalars = [(name, text) for name in ("search", "cursor") for text in _given(request, name, "latin-1")]
        return not _valid("tags", texts) or not all(_valid(name, text) for name, text in scalars)
    ours, stock = _given(request, found.name), _given(request, found.name, "latin-1")
    return found.kind == "argument" and (found.ours, found.stock) in [(ours, stock), *zip(ours, stock, strict=True)]


def is_json_for_python_only(request: Request, found: Difference) -> bool:
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
    media_type = _media_type(request)
    declared = MEDIA_TYPES.get(request.method, [])
    if media_type in declared or media_type.lower() not in declared:
        return False
    if found.kind == "error":
        return found.name.startswith("/") and bool(found.stock["body"] == request.body)
    return (found.kind, found.name) == ("argument", "body") and bool(found.stock == request.body)


def is_too_much_for_stock(request: Request, found: Difference) -> bool:
    if found.kind != "status" or found.stock.status != 500:
        return False
    try:
        json.loads(request.body.decode())
    except json.JSONDecodeError:
        return False
    except (ValueError, RecursionError):
        return True
    return False


def is_chunked(request: Request, found: Difference) -> bool:
    return request.chunked and request.body != b"" and _accepted(found)


def is_another_users(request: Request) -> bool:
    return request.path.split("/")[2] != USER


def _media_type(request: Request) -> str:
    """Return the first media type, as it is written."""
    return "".join(_lines(request, "Content-Type")[:1]).partition(";")[0]


def has_no_media_type(request: Request) -> bool:
    return not _lines(request, "Content-Type")


def has_two_media_types(request: Request) -> bool:
    return len(_lines(request, "Content-Type")) > 1


def has_an_encoding(request: Request) -> bool:
    return _lines(request, "Content-Encoding") not in ([], ["identity"])


def has_a_charset(request: Request) -> bool:
    charset = re.search("charset=(.*)", "".join(_lines(request, "Content-Type")))
    return charset is not None and charset[1].lower() != "utf-8"


def has_an_undeclared_media_type(request: Request) -> bool:
    return _media_type(request).lower() not in ["", *MEDIA_TYPES[request.method]]


def is_too_large(request: Request) -> bool:
    return len(request.body) > 65_536


def answered(status: int, is_so: Callable[[Request], bool]) -> Explains:
    """Return a check that we answered with that status, and were right."""
    return partial(_is_answered, status, is_so)


def _is_answered(status: int, is_so: Callable[[Request], bool], request: Request, found: Difference) -> bool:
    return found.kind == "status" and found.ours.status == status and is_so(request)
