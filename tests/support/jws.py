"""Correctly signed tokens that no library creates, with any header and payload (RFC 7515)."""

import hmac
from base64 import urlsafe_b64encode

from tests.support.server import SECRET

_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def base64url(content: bytes) -> str:
    """Encode as base64url without padding (RFC 7515, section 2)."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def sign(payload: str, header: str = '{"alg":"HS256","typ":"JWT"}', *, secret: str = SECRET, by: str = "HS256") -> str:
    """Return a token signed with the algorithm `by`, whichever its header names."""
    message = f"{base64url(header.encode())}.{base64url(payload.encode())}"
    return f"{message}.{base64url(hmac.digest(secret.encode(), message.encode(), _HASHES[by]))}"
