"""The development secret: generated once and stored, so that tokens stay valid when the server restarts."""

import os
import secrets
from contextlib import suppress
from pathlib import Path

from storage.administration.embedded_files import make_directory

SHORTEST_SECRET = 32


class DevelopmentSecretError(Exception):
    """No secret can be stored or read. The message says what the operator can do."""


def development_secret(file: Path) -> str:
    """Return the secret stored in a file; generate it first if the file does not exist.

    Raises DevelopmentSecretError.
    """
    try:
        make_directory(file.parent)
        _create(file)
        secret = file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "the file is not text"
        raise DevelopmentSecretError(
            f"BETTER_AUTH_SECRET is not set, and no secret can be stored in {file}: {reason}. "
            "Set BETTER_AUTH_SECRET, or set DATA_DIR to another directory."
        ) from None
    if len(secret) < SHORTEST_SECRET:
        raise DevelopmentSecretError(
            f"The secret stored in {file} has fewer than {SHORTEST_SECRET} characters. "
            "Delete the file to have a new secret generated, or set BETTER_AUTH_SECRET."
        )
    return secret


def _create(file: Path) -> None:
    """Write a new secret that only the owner can read, unless the file exists. Raises OSError."""
    # A finished file is linked into place, so that two processes that start at the same time agree on one secret.
    finished = file.with_name(f"secret.{os.getpid()}")
    finished.touch(mode=0o600)
    finished.write_text(secrets.token_urlsafe(32))
    with suppress(FileExistsError):
        os.link(finished, file)
    finished.unlink()
