"""Tokens: wrong types in claims, unusual headers, confused algorithms, invalid JWTs (RFC 6750, 7515, 7519, 8725)."""

import json
from typing import Any

from tests.support.client import claims_of, mint
from tests.support.hostile.case import HOST, USER, VERIFY, Case, head
from tests.support.jws import base64url, sign
from tests.support.server import SECRET

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
_OTHER = "another secret that is long enough for it"


def claiming(name: str, value: str) -> str:
    """Return a correctly signed token in which one claim has this JSON value."""
    claims = json.dumps(claims_of(USER, **{name: None}))
    return sign(f'{claims[:-1]}, "{name}": {value}}}')


def headed(**parameters: Any) -> str:
    """Return a correctly signed token with these parameters in its header, some in place of its own."""
    return sign(_CLAIMS, json.dumps({"alg": "HS256", "typ": "JWT"} | parameters))


_CLAIMS = json.dumps(claims_of(USER))
_TOKEN = mint(USER)
_HEAD, _BODY, _SIGNATURE = _TOKEN.split(".")
_NEXT = _ALPHABET[_ALPHABET.index(_SIGNATURE[-1]) ^ 1]
_FAR = "9" * 5000

# JSON values for claims. A time must be a number that falls into a year of four digits; a subject must be a user's id.
_INVALID_TIMES = ["true", "false", "[]", "{}", '""', '"9999999999"', "NaN", "Infinity", "-Infinity", "1e400", "-1e400"]
_INVALID_TIMES += ["1e18", "1e308", "100000000000000000000", "-100000000000000000000", "253402300800", "[9999999999]"]
_INVALID_TIMES += [_FAR]
_INVALID_SUBJECTS = [
    "null",
    "1",
    "1.5",
    "true",
    "false",
    "[]",
    "{}",
    f'["{USER}"]',
    f'{{"id": "{USER}"}}',
    '""',
    "1e400",
]
_INVALID_SUBJECTS += [
    r'"\u0000"',
    rf'"{USER}\u0000"',
    r'"a\nb"',
    r'"a\u007f"',
    r'"a\u2028b"',
    r'"a\u009b31m"',
    r'"a\udfffb"',
    r'"\ud800"',
    '"a/b"',
    "NaN",
]
_INVALID_SUBJECTS += [f'"{"x" * 256}"', f'"{"x" * 5000}"']
_ANY = ["null", "1", "true", "[]", "{}", '""', "[1, null, {}]", r'"\u0000"', r'"\ud800"', "1e400", f'"{"x" * 5000}"']

CLAIMS: dict[str, tuple[list[str], int]] = {
    "sub": (_INVALID_SUBJECTS, 401),
    "exp": ([*_INVALID_TIMES, "null", "0", "-1", "1"], 401),
    "nbf": ([*_INVALID_TIMES, "9999999999"], 401),
    "iat": ([*_INVALID_TIMES, "9999999999"], 401),
    "aud": (_ANY, 200),
    "iss": (_ANY, 200),
    "email": (_ANY, 200),
    "name": (_ANY, 200),
    "scope": (_ANY, 200),
    "user": (_ANY, 200),
    "jti": (["1", "[]", "{}"], 401),
}

HEADERS: dict[str, tuple[str, int]] = {
    "no typ": (sign(_CLAIMS, '{"alg":"HS256"}'), 200),
    "typ in lower case": (headed(typ="jwt"), 200),
    "typ of another kind": (headed(typ="at+jwt"), 200),
    "kid": (headed(kid="k1"), 200),
    "kid that is a path": (headed(kid="../../../../dev/null"), 200),
    "kid that is SQL": (headed(kid="' UNION SELECT 'x"), 200),
    "kid that is a number": (headed(kid=1), 401),
    "kid that is a list": (headed(kid=["k1"]), 401),
    "kid that is an object": (headed(kid={}), 401),
    "empty crit": (headed(crit=[]), 401),
    "crit that is text": (headed(crit="exp"), 401),
    "crit with an unknown parameter": (headed(crit=["x"], x=1), 401),
    "crit with exp": (headed(crit=["exp"], exp=9999999999), 401),
    "crit with a number": (headed(crit=[1]), 401),
    "crit with a missing parameter": (headed(crit=["b64"]), 401),
    "b64 false": (headed(b64=False), 401),
    "b64 false, with crit": (headed(b64=False, crit=["b64"]), 401),
    "b64 false, without a payload": (
        f"{base64url(json.dumps({'alg': 'HS256', 'b64': False, 'crit': ['b64']}).encode())}..x",
        401,
    ),
    "jku": (headed(jku="http://127.0.0.1:9/jwks"), 200),
    "x5u": (headed(x5u="http://127.0.0.1:9/x5u"), 200),
    "x5c": (headed(x5c=["AAAA"]), 200),
    "jku, signed with another key": (sign(_CLAIMS, '{"alg":"HS256","jku":"http://127.0.0.1:9/"}', secret=_OTHER), 401),
    "jwk, signed with that key": (
        sign(
            _CLAIMS, json.dumps({"alg": "HS256", "jwk": {"kty": "oct", "k": base64url(_OTHER.encode())}}), secret=_OTHER
        ),
        401,
    ),
    "zip": (headed(zip="DEF"), 200),
    "cty, with a nested token": (sign(_TOKEN, '{"alg":"HS256","cty":"JWT"}'), 401),
    "alg missing": (sign(_CLAIMS, '{"typ":"JWT"}'), 401),
    "alg that is null": (headed(alg=None), 401),
    "alg that is a number": (headed(alg=256), 401),
    "alg that is true": (headed(alg=True), 401),
    "alg that is a list": (headed(alg=["HS256"]), 401),
    "alg that is an object": (headed(alg={"HS256": 1}), 401),
    "alg with a space": (headed(alg="HS256 "), 401),
    "alg with a NUL": (headed(alg="HS256\x00"), 401),
    "alg given twice, the last is none": (sign(_CLAIMS, '{"alg":"HS256","alg":"none"}'), 401),
    "alg given twice, the first is none": (sign(_CLAIMS, '{"alg":"none","alg":"HS256"}'), 200),
    "header that is a list": (sign(_CLAIMS, "[]"), 401),
    "header that is text": (sign(_CLAIMS, '"HS256"'), 401),
    "header that is null": (sign(_CLAIMS, "null"), 401),
    "header that is not JSON": (sign(_CLAIMS, "{"), 401),
    "header nested 10,000 deep": (sign(_CLAIMS, "[" * 10_000), 401),
    "header with a number of 5,000 digits": (sign(_CLAIMS, f'{{"alg":"HS256","x":{_FAR}}}'), 401),
    **{
        f"alg {alg!r}{', unsigned' if unsigned else ''}": (
            headed(alg=alg).rpartition(".")[0] + "." if unsigned else headed(alg=alg),
            401,
        )
        for alg in ("none", "None", "nOnE", "NONE", "", "hs256", "HS384", "HS512", "RS256", "PS256", "ES256", "EdDSA")
        for unsigned in (False, True)
    },
    "HS384": (sign(_CLAIMS, '{"alg":"HS384"}', by="HS384"), 401),
    "HS512": (sign(_CLAIMS, '{"alg":"HS512"}', by="HS512"), 401),
    "HS512 named HS256": (sign(_CLAIMS, by="HS512"), 401),
}

PAYLOADS: dict[str, tuple[str, int]] = {
    "empty": ("", 401),
    "null": ("null", 401),
    "list": ("[]", 401),
    "text": ('"mallory"', 401),
    "number": ("1", 401),
    "truncated": ("{", 401),
    "no claims": ("{}", 401),
    "two objects": (_CLAIMS * 2, 401),
    "10,000 lists left open": ("[" * 10_000, 401),
    "number of 5,000 digits": (f'{_CLAIMS[:-1]}, "x": {_FAR}}}', 401),
    # RFC 8259, section 8.1, lets a parser ignore a byte order mark.
    "BOM": ("\ufeff" + _CLAIMS, 200),
    "NUL": ("\x00", 401),
    "NUL after the claims": (_CLAIMS + "\x00", 401),
    "sub given twice, the last is the user's": (f'{{"sub": "ada", {_CLAIMS[1:]}', 200),
    "sub given twice, the last is null": (f'{_CLAIMS[:-1]}, "sub": null}}', 401),
    "no exp": (json.dumps(claims_of(USER, exp=None)), 401),
    "no sub": (json.dumps(claims_of(USER, sub=None)), 401),
    "names in upper case": (_CLAIMS.replace('"exp"', '"EXP"'), 401),
    "expired": (json.dumps(claims_of(USER, exp=1_700_000_000)), 401),
    "2,000 claims": (f"{_CLAIMS[:-1]}, {', '.join(f'{chr(34)}c{n}{chr(34)}: 1' for n in range(2000))}}}", 200),
}

CREDENTIALS: dict[str, tuple[bytes, int]] = {
    name: (value.encode(), status)
    for name, (value, status) in {
        "lower-case bearer": (f"bearer {_TOKEN}", 200),
        "upper-case bearer": (f"BEARER {_TOKEN}", 200),
        "two spaces": (f"Bearer  {_TOKEN}", 200),
        "another secret": (f"Bearer {sign(_CLAIMS, secret=_OTHER)}", 401),
        "empty secret": (f"Bearer {sign(_CLAIMS, secret='')}", 401),
        "secret in Base64": (f"Bearer {sign(_CLAIMS, secret=base64url(SECRET.encode()))}", 401),
        "another payload": (f"Bearer {_HEAD}.{base64url(_CLAIMS.replace(USER, 'ada').encode())}.{_SIGNATURE}", 401),
        "unsigned": (f"Bearer {_HEAD}.{_BODY}.", 401),
        "two parts": (f"Bearer {_HEAD}.{_BODY}", 401),
        "one part": (f"Bearer {_HEAD}", 401),
        "truncated": (f"Bearer {_TOKEN[:-2]}", 401),
        "four parts": (f"Bearer {_TOKEN}.{_SIGNATURE}", 401),
        "five parts": (f"Bearer {_TOKEN}.{_SIGNATURE}.{_SIGNATURE}", 401),
        "leading dot": (f"Bearer .{_TOKEN}", 401),
        "trailing dot": (f"Bearer {_TOKEN}.", 401),
        "padding": (f"Bearer {_TOKEN}=", 401),
        "padding in the middle": (f"Bearer {_HEAD}=.{_BODY}==.{_SIGNATURE}=", 401),
        "junk after the signature": (f"Bearer {_TOKEN}!", 401),
        "junk before the signature": (f"Bearer {_HEAD}.{_BODY}.!{_SIGNATURE}", 401),
        "standard Base64": (f"Bearer {_HEAD}.{_BODY}.{_SIGNATURE[:-1]}+", 401),
        "unused bits of the signature set": (f"Bearer {_HEAD}.{_BODY}.{_SIGNATURE[:-1]}{_NEXT}", 401),
        "space within": (f"Bearer {_HEAD}. {_BODY}.{_SIGNATURE}", 401),
        "tab within": (f"Bearer {_HEAD}.{_BODY}.\t{_SIGNATURE}", 401),
        "quoted": (f'Bearer "{_TOKEN}"', 401),
        "as a parameter": (f'Bearer token="{_TOKEN}"', 401),
        "two tokens": (f"Bearer {_TOKEN} {_TOKEN}", 401),
        "list of credentials": (f"Bearer {_TOKEN}, Bearer {_TOKEN}", 401),
        "not ASCII": ("Bearer ä.ö.ü", 401),
        "percent-encoded": (f"Bearer {_TOKEN.replace('.', '%2E')}", 401),
        "dots": ("Bearer ..", 401),
        "one letter": ("Bearer x", 401),
        "a, b and c": ("Bearer a.b.c", 401),
        "empty objects": ("Bearer e30.e30.e30", 401),
        "only padding": ("Bearer =.=.=", 401),
        "encoded NUL": ("Bearer %00", 401),
        "10,000 dots": ("Bearer " + "." * 10_000, 401),
        "60,000 letters": ("Bearer " + "x" * 60_000, 401),
        "60,000 letters in three parts": ("Bearer " + ".".join(["x" * 20_000] * 3), 401),
    }.items()
}

NO_CREDENTIALS: dict[str, str] = {
    "no scheme": _TOKEN,
    "only the scheme": "Bearer",
    "tab after the scheme": f"Bearer\t{_TOKEN}",
    "another scheme": f"Token {_TOKEN}",
    "Basic": "Basic YWRhOnNlY3JldA==",
    "Digest": 'Digest username="mallory"',
    "colon after the scheme": f"Bearer: {_TOKEN}",
    "longer scheme": f"BearerX {_TOKEN}",
}


def _verify(*fields: bytes, query: str = "") -> bytes:
    return head(f"POST {VERIFY}{query} HTTP/1.1", HOST, *fields)


def _bearing(name: str, credentials: bytes, status: int) -> Case:
    return Case(f"token: {name}", _verify(b"Authorization: " + credentials), (status,))


OTHERS = [
    *(
        Case(f"no token: {n}", _verify(f"Authorization: {value}".encode()), (401,))
        for n, value in NO_CREDENTIALS.items()
    ),
    Case("no token: only in the query", head(f"GET /api/{USER}/tasks?access_token={_TOKEN} HTTP/1.1", HOST), (401,)),
    Case(
        "no token: only in a cookie",
        _verify(f"Cookie: token={_TOKEN}; better-auth.session_token={_TOKEN}".encode()),
        (401,),
    ),
    Case("no token: only in another field", _verify(f"X-Authorization: Bearer {_TOKEN}".encode()), (401,)),
    Case("no token: only for a proxy", _verify(f"Proxy-Authorization: Bearer {_TOKEN}".encode()), (401,)),
    Case("no token: empty", _verify(b"Authorization:"), (401,)),
    # An unusual id, but ids are opaque.
    _bearing("sub that is a space", b"Bearer " + claiming("sub", '" "').encode(), 200),
]

CASES = [
    *(
        _bearing(f"{name} {value[:24]}", f"Bearer {claiming(name, value)}".encode(), status)
        for name, (values, status) in CLAIMS.items()
        for value in values
    ),
    *(_bearing(name, f"Bearer {token}".encode(), status) for name, (token, status) in HEADERS.items()),
    *(_bearing(f"payload: {n}", f"Bearer {sign(text)}".encode(), status) for n, (text, status) in PAYLOADS.items()),
    *(_bearing(name, credentials, status) for name, (credentials, status) in CREDENTIALS.items()),
]
