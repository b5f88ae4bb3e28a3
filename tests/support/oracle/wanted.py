"""What the service reads otherwise than stock Connexion, each with its reason: nothing else may differ.

That a refusal tells all faults, and stock Connexion's the first, is none of these: both refuse.
"""

from typing import NamedTuple

from tests.support.oracle.explanations import (
    Explains,
    answered,
    has_a_charset,
    has_an_encoding,
    has_an_undeclared_media_type,
    has_no_media_type,
    has_two_media_types,
    is_another_users,
    is_boolean_in_capitals,
    is_chunked,
    is_combined,
    is_date,
    is_json_for_python_only,
    is_not_utf_8,
    is_pythons_end,
    is_pythons_integer,
    is_pythons_uuid,
    is_raw,
    is_repeated,
    is_split,
    is_too_large,
    is_too_much_for_stock,
    is_unvalidated,
    is_uuid,
)
from tests.support.oracle.sides import USER, Request

JSON = (b"content-type", b"application/json")
TASKS = f"/api/{USER}/tasks"
ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"


class Wanted(NamedTuple):
    """A difference that is wanted: why, whether it explains one that was found, and a request that shows it."""

    why: str
    explains: Explains
    example: Request


WANTED = {
    "dates are objects": Wanted(
        "A handler gets what storage takes; stock Connexion leaves them text.",
        is_date,
        Request("GET", TASKS, b"due_after=2026-01-31"),
    ),
    "UUIDs are objects": Wanted(
        "As dates are.",
        is_uuid,
        Request("GET", f"{TASKS}/{ID}"),
    ),
    "commas are ordinary characters": Wanted(
        "The contract says `explode`: one value for each time that a list is named. A tag may have a comma.",
        is_split,
        Request("GET", TASKS, b"tags=a,b"),
    ),
    "a scalar is given once": Wanted(
        "Which of two was meant is not for us to guess; stock Connexion takes the last.",
        is_repeated,
        Request("GET", TASKS, b"limit=1&limit=2"),
    ),
    "a header in several lines is one list": Wanted(
        "RFC 9110, section 5.3, has them joined; stock Connexion sees the first only.",
        is_combined,
        Request("GET", f"/api/{USER}/tags", headers=((b"if-none-match", b'"1"'), (b"if-none-match", b'"2"'))),
    ),
    "integers are written in ASCII digits": Wanted(
        "JSON's integers, not Python's int(), which takes blanks, underscores, a plus and the digits of all scripts.",
        is_pythons_integer,
        Request("GET", TASKS, b"limit=1_0"),
    ),
    "booleans are written in small letters": Wanted(
        "The contract's booleans are true and false, as JSON's.",
        is_boolean_in_capitals,
        Request("GET", TASKS, b"completed=True"),
    ),
    "UUIDs are written in ASCII digits": Wanted(
        "RFC 9562, not Python's UUID(), which takes underscores and the digits of all scripts.",
        is_pythons_uuid,
        Request("GET", f"{TASKS}/{ID[:-1]}\u0661"),
    ),
    "text ends where its pattern does": Wanted(
        "The contract's patterns are ECMA's, where `$` is the end; Python's lets a line feed follow.",
        is_pythons_end,
        Request("GET", TASKS, b"cursor=a%0A"),
    ),
    "a query is UTF-8": Wanted(
        "Stock Connexion searches for U+FFFD instead.",
        is_not_utf_8,
        Request("GET", TASKS, b"search=%FF"),
    ),
    "a query's bytes beyond ASCII are UTF-8 too": Wanted(
        "Browsers percent-encode them, some other clients do not; stock Connexion reads Latin-1.",
        is_raw,
        Request("GET", TASKS, "search=Ä".encode()),
    ),
    "JSON is RFC 8259's": Wanted(
        "NaN is none, and text with half a surrogate pair cannot be written as UTF-8.",
        is_json_for_python_only,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "\\ud800"}'),
    ),
    "a media type is the same in capitals": Wanted(
        "RFC 9110, section 8.3.1; stock Connexion takes such a body, but neither validates nor parses it.",
        is_unvalidated,
        Request("POST", TASKS, headers=((b"content-type", b"Application/JSON"),), body=b'{"title": "t"}'),
    ),
    "no body is a fault of the server's": Wanted(
        "Stock Connexion fails on what is no UTF-8, and on integers too long for Python.",
        is_too_much_for_stock,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "\xff"}'),
    ),
    "a body may be chunked": Wanted(
        "RFC 9112, section 7.1; stock Connexion sees no body without a Content-Length.",
        is_chunked,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "t"}', chunked=True),
    ),
    "another user's paths are forbidden": Wanted(
        "Before anything is validated; stock Connexion knows no owners.",
        answered(403, is_another_users),
        Request("GET", "/api/grace/tasks"),
    ),
    "a body has a media type": Wanted(
        "Stock Connexion guesses, and hands over bytes.",
        answered(415, has_no_media_type),
        Request("POST", TASKS, body=b'{"title": "t"}'),
    ),
    "a body has one media type": Wanted(
        "What proxies and servers read differently is a way round either; stock Connexion takes the first.",
        answered(415, has_two_media_types),
        Request("POST", TASKS, headers=(JSON, JSON), body=b'{"title": "t"}'),
    ),
    "a body is not encoded": Wanted(
        "It would have to be decoded, within bounds; stock Connexion takes it as it is.",
        answered(415, has_an_encoding),
        Request("POST", TASKS, headers=(JSON, (b"content-encoding", b"gzip")), body=b'{"title": "t"}'),
    ),
    "a body is UTF-8": Wanted(
        "RFC 8259, section 8.1; stock Connexion validates it in the charset, and reads it in another.",
        answered(415, has_a_charset),
        Request(
            "POST", TASKS, headers=((b"content-type", b"application/json;charset=latin-1"),), body=b'{"title": "t"}'
        ),
    ),
    "a media type is looked at first": Wanted(
        "What the body is comes before whether all is valid, so that 400 can tell all faults at once.",
        answered(415, has_an_undeclared_media_type),
        Request("POST", TASKS, b"page=1", headers=((b"content-type", b"text/plain"),), body=b"t"),
    ),
    "a body has a largest size": Wanted(
        "Stock Connexion reads however much comes.",
        answered(413, is_too_large),
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "t"' + b" " * 65_536 + b"}"),
    ),
}
