"""The wanted differences between the service and stock Connexion, each with its reason. Nothing else may differ.

The service reports every error in a request and stock Connexion only the first. That is not a difference here, since
both reject the request.
"""

from typing import NamedTuple

from tests.support.oracle.explanations import (
    Explanation,
    ends_in_a_line_feed,
    has_a_charset,
    has_an_encoding,
    has_an_undeclared_media_type,
    has_no_media_type,
    has_raw_bytes,
    has_two_media_types,
    is_capitalised_boolean,
    is_chunked,
    is_converted,
    is_date,
    is_for_another_user,
    is_joined,
    is_json_only_to_python,
    is_normalised,
    is_not_in_path,
    is_not_utf_8,
    is_python_integer,
    is_python_uuid,
    is_read_only,
    is_repeated,
    is_split_at_commas,
    is_too_large,
    is_unvalidated,
    is_uuid,
    is_validated_in_nfc,
    makes_stock_fail,
    rejected,
)
from tests.support.oracle.rules import breaks_a_rule, names_two_places
from tests.support.oracle.sides import USER, Request

JSON = (b"content-type", b"application/json")
TASKS = f"/api/{USER}/tasks"
ID = "019ab0c3-5b1e-7c52-9f0e-3d2a8f6b7c41"
BATCH = f"/api/{USER}/batch"
TWICE = b'{"operations": [{"op": "delete", "id": "%b"}, {"op": "delete", "id": "%b"}]}' % (ID.encode(), ID.encode())
TWO_PLACES = b'{"at": "first", "after": "%b"}' % ID.encode()


class Wanted(NamedTuple):
    """A wanted difference: its reason, a predicate that recognises it, and a request that shows it."""

    why: str
    explains: Explanation
    example: Request


WANTED = {
    "dates are objects": Wanted(
        "Handlers receive the types that storage uses; stock Connexion leaves dates as text.",
        is_date,
        Request("GET", TASKS, b"due_after=2026-01-31"),
    ),
    "UUIDs are objects": Wanted(
        "As for dates.",
        is_uuid,
        Request("GET", f"{TASKS}/{ID}"),
    ),
    "bodies are converted by their schema": Wanted(
        "Handlers receive the types that storage uses, and the contract's defaults; stock Connexion passes the JSON.",
        is_converted,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "t", "due_date": "2026-01-31"}'),
    ),
    "read-only members are ignored": Wanted(
        "A client may send a task back as it read it; stock Connexion validates the values, and passes them on.",
        is_read_only,
        Request("PATCH", f"{TASKS}/{ID}", headers=(JSON,), body=b'{"revision": "x"}'),
    ),
    "a body is for the resource in the path": Wanted(
        "A client that sends another id has mixed up two resources; stock Connexion does not compare them.",
        is_not_in_path,
        Request("PATCH", f"{TASKS}/{ID}", headers=(JSON,), body=b'{"user_id": "grace"}'),
    ),
    "the operations of a batch go together": Wanted(
        "The contract says so in keywords of its own, which stock Connexion does not know.",
        breaks_a_rule,
        Request("POST", BATCH, headers=(JSON,), body=TWICE),
    ),
    "a move has one place": Wanted(
        "As for the operations of a batch: the contract says `x-not-with`.",
        names_two_places,
        Request("POST", f"{TASKS}/{ID}/move", headers=(JSON,), body=TWO_PLACES),
    ),
    "text is compared as people see it": Wanted(
        "The contract says `x-normalization: NFC`, an extension that stock Connexion does not know.",
        is_normalised,
        Request("GET", TASKS, b"tags=e%CC%81"),
    ),
    "lengths count after normalisation": Wanted(
        "The user sees one letter, whether it arrives as one code point or as two.",
        is_validated_in_nfc,
        Request("GET", TASKS, b"search=" + b"e%CC%81" * 200),
    ),
    "commas are ordinary characters": Wanted(
        "The contract says `explode`: each occurrence of a parameter adds one value. A tag may contain a comma.",
        is_split_at_commas,
        Request("GET", TASKS, b"tags=a,b"),
    ),
    "a scalar parameter occurs once": Wanted(
        "The service does not guess which of two values the client meant; stock Connexion uses the last.",
        is_repeated,
        Request("GET", TASKS, b"limit=1&limit=2"),
    ),
    "a header on several lines is one list": Wanted(
        "RFC 9110, section 5.3, joins the lines; stock Connexion sees only the first.",
        is_joined,
        Request("GET", f"/api/{USER}/tags", headers=((b"if-none-match", b'"1"'), (b"if-none-match", b'"2"'))),
    ),
    "integers are written in ASCII digits": Wanted(
        "JSON's integers, not Python's int(), which accepts spaces, underscores, a plus sign and digits of any script.",
        is_python_integer,
        Request("GET", TASKS, b"limit=1_0"),
    ),
    "booleans are written in lower case": Wanted(
        "The contract's booleans are true and false, as in JSON.",
        is_capitalised_boolean,
        Request("GET", TASKS, b"completed=True"),
    ),
    "UUIDs are written in ASCII digits": Wanted(
        "RFC 9562, not Python's UUID(), which accepts underscores and digits of any script.",
        is_python_uuid,
        Request("GET", f"{TASKS}/{ID[:-1]}\u0661"),
    ),
    "text ends where its pattern ends": Wanted(
        "The contract's patterns are ECMAScript's, where `$` is the end; in Python, a line feed may follow.",
        ends_in_a_line_feed,
        Request("GET", TASKS, b"cursor=a%0A"),
    ),
    "a query is UTF-8": Wanted(
        "Stock Connexion replaces invalid bytes by U+FFFD.",
        is_not_utf_8,
        Request("GET", TASKS, b"search=%FF"),
    ),
    "unencoded bytes in a query are UTF-8 too": Wanted(
        "Browsers percent-encode such characters, but some clients do not; stock Connexion reads Latin-1.",
        has_raw_bytes,
        Request("GET", TASKS, "search=Ä".encode()),
    ),
    "JSON is that of RFC 8259": Wanted(
        "It has no NaN, and text with a lone surrogate cannot be encoded as UTF-8.",
        is_json_only_to_python,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "\\ud800"}'),
    ),
    "a media type may have upper-case letters": Wanted(
        "RFC 9110, section 8.3.1; stock Connexion accepts such a body, but neither validates nor parses it.",
        is_unvalidated,
        Request("POST", TASKS, headers=((b"content-type", b"Application/JSON"),), body=b'{"title": "t"}'),
    ),
    "no body causes a server error": Wanted(
        "Stock Connexion fails on invalid UTF-8, and on integers too long for Python.",
        makes_stock_fail,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "\xff"}'),
    ),
    "a body may be chunked": Wanted(
        "RFC 9112, section 7.1; stock Connexion ignores a body without a Content-Length.",
        is_chunked,
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "t"}', chunked=True),
    ),
    "another user's paths are forbidden": Wanted(
        "The service checks this before it validates anything; stock Connexion has no concept of an owner.",
        rejected(403, is_for_another_user),
        Request("GET", "/api/grace/tasks"),
    ),
    "a body has a media type": Wanted(
        "Stock Connexion guesses, and passes bytes to the handler.",
        rejected(415, has_no_media_type),
        Request("POST", TASKS, body=b'{"title": "t"}'),
    ),
    "a body has one media type": Wanted(
        "A proxy and a server that read two differently can be played off; stock Connexion uses the first.",
        rejected(415, has_two_media_types),
        Request("POST", TASKS, headers=(JSON, JSON), body=b'{"title": "t"}'),
    ),
    "a body has no content coding": Wanted(
        "The service does not decode bodies; stock Connexion ignores the header.",
        rejected(415, has_an_encoding),
        Request("POST", TASKS, headers=(JSON, (b"content-encoding", b"gzip")), body=b'{"title": "t"}'),
    ),
    "a body is UTF-8": Wanted(
        "RFC 8259, section 8.1; stock Connexion validates the body in one charset, and parses it in another.",
        rejected(415, has_a_charset),
        Request(
            "POST", TASKS, headers=((b"content-type", b"application/json;charset=latin-1"),), body=b'{"title": "t"}'
        ),
    ),
    "the media type is checked first": Wanted(
        "Before validation, so that a 400 can report every error at once.",
        rejected(415, has_an_undeclared_media_type),
        Request("POST", TASKS, b"page=1", headers=((b"content-type", b"text/plain"),), body=b"t"),
    ),
    "a body has a maximum size": Wanted(
        "Stock Connexion reads a body of any size.",
        rejected(413, is_too_large),
        Request("POST", TASKS, headers=(JSON,), body=b'{"title": "t"' + b" " * 65_536 + b"}"),
    ),
}
