"""Tokens as the frontend mints them, for demonstrations and scripts."""

import time

import jwt

from handlers.authentication.rules import Rules


def mint(rules: Rules, user_id: str, seconds: int) -> str:
    """Return a JWT (RFC 7519) that names a user and is valid under these rules for this many seconds."""
    now = int(time.time())
    claims = {
        "sub": user_id,
        "email": f"{user_id}@example.com",
        "name": user_id,
        "iat": now,
        "exp": now + seconds,
        "iss": rules.issuer or "nextjs-frontend",
        "aud": rules.audience or "fastapi-backend",
    }
    return jwt.encode(claims, rules.secret.encode(), algorithm=rules.algorithm)
