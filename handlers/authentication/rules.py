"""The rules by which this server accepts tokens."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LEEWAY_SECONDS = 30
"""How far another machine's clock may differ from this one's. It applies to `iat` and `nbf`, not to `exp`."""

PUBLIC_KEY_ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})
"""The algorithms accepted from Better Auth's `jwt()` plugin (RFC 7518, section 3.1; RFC 8037, section 3.1)."""


def is_for_public_key(header: Mapping[str, Any]) -> bool:
    """Return whether a token's header names an algorithm of a public key; its `alg` may be any JSON value."""
    return str(header.get("alg")) in PUBLIC_KEY_ALGORITHMS


class Expected(NamedTuple):
    """The values that `iss` and `aud` must have; None accepts any value."""

    issuer: str | None
    audience: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How tokens are signed, and which issuer and audience they must have.

    `algorithm` is that of tokens signed with the shared `secret`: HS256, HS384 or HS512. `jwks_origin` is the origin
    (RFC 6454) of the URL where public keys are published, or None if there is no such URL.
    """

    secret: str = field(repr=False)
    algorithm: str
    issuer: str | None
    audience: str | None
    jwks_origin: str | None

    def expected(self, algorithm: str) -> Expected:
        """Return the `iss` and `aud` that a token signed with this algorithm must have."""
        if algorithm == self.algorithm:
            return Expected(self.issuer, self.audience)
        # Better Auth's jwt() plugin writes its own origin as both.
        return Expected(self.issuer or self.jwks_origin, self.audience or self.jwks_origin)
