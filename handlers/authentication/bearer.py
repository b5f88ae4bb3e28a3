"""The security scheme bearerAuth: the user that the token in a request's headers names."""

from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable, Iterable
from functools import lru_cache

import jwt

from handlers.authentication.claims import check_expiry, principal_of
from handlers.authentication.principal import Principal
from handlers.authentication.refusals import ERRORS, refusal_of
from handlers.authentication.rules import Rules, is_for_public_key
from handlers.responses.problems import Problem, invalid_input

FindKey = Callable[[str], Awaitable[jwt.PyJWK | None]]
"""Returns the public key with a `kid`, bound to its algorithm, or None."""

# Tokens of more than _LONGEST_KEPT characters are verified again for every request.
_MOST_TOKENS = 1024
_LONGEST_KEPT = 4096


class BearerSecurity:
    """Verifies the tokens of `type: http, scheme: bearer` (RFC 6750).

    Every key is bound to one algorithm, so that no key is used with an algorithm of another family (RFC 8725,
    section 3.1).
    """

    def __init__(self, rules: Rules, is_user_id: Callable[[str], bool], find_key: FindKey | None = None) -> None:
        """`is_user_id` says whether a `sub` is a user id as the contract declares it.

        `find_key` returns the public keys for tokens that are not signed with the secret; without it, these tokens
        are rejected.
        """
        self._rules = rules
        self._is_user_id = is_user_id
        self._find_key = find_key
        self._algorithm = rules.algorithm
        if find_key is not None:
            self._algorithm += ", or that of the key at JWKS_URL that its kid names"
        self._secret = _secret_key(rules.secret, rules.algorithm)
        # A token that the secret signed cannot be revoked: once verified, it is valid until its `exp`. Verifying it
        # again took 76 of a request's 241 µs. Rejected tokens are not kept, nor are those signed with a private key,
        # whose public key may be withdrawn.
        self._verified_by_secret = lru_cache(_MOST_TOKENS)(self._verify_by_secret)

    def principal_of(self, headers: Iterable[tuple[bytes, bytes]]) -> Principal | Awaitable[Principal]:
        """Return the user that a request's token names, as `verify` does. Raises Problem with status 400 or 401."""
        given = [value for name, value in headers if name == b"authorization"]
        if len(given) > 1:
            raise invalid_input(
                [{"in": "header", "name": "Authorization", "detail": "must not be given more than once"}]
            )
        scheme, _, token = given[0].decode("latin-1").partition(" ") if given else ("", "", "")
        if scheme.lower() != "bearer":
            raise Problem(401, "A bearer token is required.", headers={"WWW-Authenticate": "Bearer"})
        return self.verify(token.strip(" "))

    def verify(self, token: str) -> Principal | Awaitable[Principal]:
        """Return the user that a JWT (RFC 7519) names, as an awaitable if a public key is needed.

        Raises TokenRefused, and what `find_key` raises.
        """
        verified = self._verified_by_secret if len(token) <= _LONGEST_KEPT else self._verify_by_secret
        try:
            principal = verified(token)
        except jwt.InvalidAlgorithmError as error:
            if self._find_key is None:
                raise refusal_of(error, self._algorithm) from None
            return self._verify_by_public_key(token, self._find_key)
        except ERRORS as error:
            raise refusal_of(error, self._algorithm) from None
        # It may have expired since it was verified.
        check_expiry(principal["expires_at"])
        return principal

    def _verify_by_secret(self, token: str) -> Principal:
        return self._verify_by(self._secret, token)

    async def _verify_by_public_key(self, token: str, find_key: FindKey) -> Principal:
        try:
            header = jwt.get_unverified_header(token)
            if not is_for_public_key(header):
                raise jwt.InvalidAlgorithmError
            key = await find_key(header["kid"]) if "kid" in header else None
            if key is None:
                raise jwt.InvalidKeyError
            return self._verify_by(key, token)
        except ERRORS as error:
            raise refusal_of(error, self._algorithm) from None

    def _verify_by(self, key: jwt.PyJWK, token: str) -> Principal:
        # PyJWT accepts padding, which base64url in a JWS does not have (RFC 7515, section 2).
        if "=" in token:
            raise jwt.DecodeError
        issuer, audience = self._rules.expected(key.algorithm_name)
        claims = jwt.decode(
            token,
            key,
            issuer=issuer,
            audience=audience,
            options={
                "require": ["exp", "sub"],
                "verify_iss": issuer is not None,
                "verify_aud": audience is not None,
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        return principal_of(claims, self._is_user_id)


def _secret_key(secret: str, algorithm: str) -> jwt.PyJWK:
    """Return the secret as a key of one algorithm (RFC 7518, section 6.4)."""
    return jwt.PyJWK({"kty": "oct", "k": urlsafe_b64encode(secret.encode()).decode()}, algorithm)
