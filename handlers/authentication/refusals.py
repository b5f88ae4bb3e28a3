"""Why a token was rejected, for the log, for `todo-api doctor` and for the developer who reads the response."""

import jwt
from jwt.exceptions import InvalidJTIError, InvalidSubjectError

from handlers.responses.problems import Problem

# PyJWT and the conversion of claims may raise any of these for a bad token.
ERRORS = (jwt.PyJWTError, ValueError, TypeError, OverflowError, RecursionError)


class NotATimeError(jwt.InvalidTokenError):
    """A claim is not a NumericDate (RFC 7519, section 2)."""


class TimeOutOfRangeError(jwt.InvalidTokenError):
    """A claim is a NumericDate outside the years 1 to 9999."""


class TokenRefused(Problem):
    """The 401 for a token that this server rejects (RFC 6750, section 3.1).

    `error` is the exception class that stands for the reason, and `reason` is its name. `claim` is the claim or header
    parameter concerned, or None for the token as a whole. `explanation` is a sentence for people, to which the
    response adds what to check. No attribute repeats anything from the token.
    """

    def __init__(self, error: type[Exception], claim: str | None = None, algorithm: str = "") -> None:
        """`algorithm` says in words which algorithms this server accepts; only an InvalidAlgorithmError needs it."""
        self.error = error
        self.reason = error.__name__
        self.claim = claim
        self.explanation = _EXPLANATIONS.get(error, _NOT_VALID).format(claim=claim)
        self.log_message = f"{self.reason}: {self.explanation}"
        self.log_fields = {"reason": self.reason, "claim": claim}
        detail = f"{self.explanation} {_CHECKS.get(error, '').format(algorithm=algorithm)}".rstrip()
        challenge = f'Bearer error="invalid_token", error_description="{detail}"'
        super().__init__(401, detail, headers={"WWW-Authenticate": challenge})


def refusal_of(error: Exception, algorithm: str) -> TokenRefused:
    """Return the TokenRefused for an exception of one of the classes in ERRORS; `algorithm` is as for TokenRefused."""
    claim = error.claim if isinstance(error, jwt.MissingRequiredClaimError) else _CLAIMS.get(type(error))
    return TokenRefused(type(error), claim, algorithm)


_CLAIMS: dict[type[Exception], str] = {
    jwt.InvalidAlgorithmError: "alg",
    jwt.InvalidKeyError: "kid",
    InvalidSubjectError: "sub",
    jwt.InvalidIssuerError: "iss",
    jwt.InvalidAudienceError: "aud",
    InvalidJTIError: "jti",
}
_NOT_VALID = "The token is not valid."
# Written for the developer who mints the tokens. They go into error_description, which is printable ASCII without
# quotes and backslashes (RFC 6750, section 3).
_EXPLANATIONS: dict[type[Exception], str] = {
    jwt.DecodeError: "The token is not a JWT.",
    jwt.InvalidTokenError: "The token's header has a kid or crit that is not supported.",
    jwt.InvalidAlgorithmError: "The token is signed with an algorithm that this server does not accept.",
    jwt.InvalidKeyError: "The token's kid is not the id of a key that this server accepts.",
    jwt.InvalidSignatureError: "The token was signed with another secret or key, or changed after it was signed.",
    jwt.ExpiredSignatureError: "The token has expired.",
    jwt.ImmatureSignatureError: "The token is not valid yet.",
    jwt.MissingRequiredClaimError: "The token has no {claim}.",
    InvalidSubjectError: "The token's sub is not a user id.",
    jwt.InvalidIssuerError: "The token's iss is not the issuer that this server expects.",
    jwt.InvalidAudienceError: "The token's aud does not contain the audience that this server expects.",
    InvalidJTIError: "The token's jti is not text.",
    NotATimeError: "The token's {claim} is not a number of seconds since 1970.",
    TimeOutOfRangeError: "The token's {claim} is out of range.",
}
# The response adds these; `todo-api doctor --token` shows the token's values instead.
_CHECKS: dict[type[Exception], str] = {
    jwt.DecodeError: "Is it a Better Auth session token?",
    jwt.InvalidAlgorithmError: "It must be {algorithm}.",
    InvalidSubjectError: "It must be text, not a number, without slashes or control characters.",
    TimeOutOfRangeError: "It must be in seconds, not milliseconds.",
}
