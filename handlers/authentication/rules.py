"""What a token must be for this server to accept it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

LEEWAY_SECONDS = 30
"""How far another machine's clock may be from this one's. It applies to `iat` and `nbf`, not to `exp`."""

PUBLIC_KEY_ALGORITHMS = frozenset({"EdDSA", "ES256", "RS256"})
"""What Better Auth's `jwt()` plugin may sign with (RFC 7518, section 3.1; RFC 8037, section 3.1)."""


def is_for_public_key(header: Mapping[str, Any]) -> bool:
    """Return whether a token's header names an algorithm of a public key; its `alg` may be any JSON."""
    return str(header.get("alg")) in PUBLIC_KEY_ALGORITHMS


class Expected(NamedTuple):
    """What `iss` and `aud` must be; None accepts anything."""

    issuer: str | None
    audience: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """How tokens are signed and whom they must name.

    `algorithm` is the one that the shared `secret` signs with: HS256, HS384 or HS512. `jwks_origin` is the origin
    (RFC 6454) of the URL where public keys are published, None if there is no such URL.
    """

    secret: str = field(repr=False)
    algorithm: str
    issuer: str | None
    audience: str | None
    jwks_origin: str | None

    def expected(self, algorithm: str) -> Expected:
        """Return what `iss` and `aud` must be in a token that is signed with this algorithm."""
        if algorithm == self.algorithm:
            return Expected(self.issuer, self.audience)
        # Better Auth's jwt() plugin writes its own origin as both.
        return Expected(self.issuer or self.jwks_origin, self.audience or self.jwks_origin)
