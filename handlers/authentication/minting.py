"""Tokens as the frontend would mint them, for demonstrations and scripts."""

import time

import jwt

from handlers.settings.settings import Settings


def mint(settings: Settings, user_id: str, seconds: int) -> str:
    """Return a JWT (RFC 7519) for a user that this service accepts for so many seconds."""
    now = int(time.time())
    claims = {
        "sub": user_id,
        "email": "demo@example.com",
        "name": "Demo",
        "iat": now,
        "exp": now + seconds,
        "iss": settings.jwt_issuer or "nextjs-frontend",
        "aud": settings.jwt_audience or "fastapi-backend",
    }
    return jwt.encode(claims, settings.secret.encode(), algorithm=settings.jwt_algorithm)
