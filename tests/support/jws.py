"""Tokens that no library would make: any payload, any header (RFC 7515)."""

import hmac
from base64 import urlsafe_b64encode

from tests.support.server import SECRET

_HASHES = {"HS256": "sha256", "HS384": "sha384", "HS512": "sha512"}


def base64url(content: bytes) -> str:
    """Encode as RFC 7515, section 2, does."""
    return urlsafe_b64encode(content).rstrip(b"=").decode()


def sign(payload: str, header: str = '{"alg":"HS256","typ":"JWT"}', *, secret: str = SECRET, by: str = "HS256") -> str:
    """Return a token signed by one algorithm, whatever its header says."""
    message = f"{base64url(header.encode())}.{base64url(payload.encode())}"
    return f"{message}.{base64url(hmac.digest(secret.encode(), message.encode(), _HASHES[by]))}"
