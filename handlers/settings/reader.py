"""A reader of single variables, with a method for each kind of value."""

import re
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path

import jwt

from handlers.settings.allowed_origins import OriginError, allowed_origin, warning_about
from handlers.settings.database_url import is_encrypted_or_local, parameters_of
from handlers.settings.development_secret import SHORTEST_SECRET, DevelopmentSecretError, development_secret
from handlers.settings.foreign_parameters import without_foreign_parameters
from handlers.settings.web_url import is_https_or_local, origin_of

_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class Reader:
    """Reads one variable at a time. It collects errors instead of raising them, so that all are reported together.

    `warnings` are sentences about settings that can be used, but that the operator should know more about.

    After an error, a method returns some value of the right type, which must not be used. No error message repeats what
    a variable is set to: it may be a secret or a password that was put into the wrong variable.
    """

    def __init__(self, variables: Mapping[str, str], faults: list[str]) -> None:
        """`variables` have no blank values. Each error is appended to `faults` as a sentence for the operator."""
        self._variables = variables
        self._faults = faults
        self.warnings: list[str] = []

    def text(self, name: str, default: str) -> str:
        """Return a variable without surrounding white space, or the default if it is not set."""
        return self._variables.get(name, default).strip() or default

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        """Return one of `choices`, which the variable may spell in upper or lower case."""
        value = self.text(name, default)
        by_folded = {choice.lower(): choice for choice in choices}
        if value.lower() not in by_folded:
            self._faults.append(f"{name} must be one of {', '.join(choices)}.")
        return by_folded.get(value.lower(), default)

    def integer(self, name: str, default: int, least: int, most: int) -> int:
        """Return a number from `least` to `most`, written in ASCII digits only."""
        value = self.text(name, str(default))
        if re.fullmatch(r"[0-9]{1,10}", value) and least <= int(value) <= most:
            return int(value)
        self._faults.append(f"{name} must be a whole number from {least} to {most}.")
        return default

    def boolean(self, name: str, *, default: bool) -> bool:
        """Return True for true, 1, yes or on, and False for false, 0, no or off."""
        value = self.text(name, str(default)).lower()
        if value not in _BOOLEANS:
            self._faults.append(f"{name} must be true or false.")
        return _BOOLEANS.get(value, default)

    def data_directory(self, name: str, default: str) -> Path:
        """Return a path, with `~` replaced by a home directory."""
        path = Path(self.text(name, default))
        try:
            return path.expanduser()
        except RuntimeError:
            # If the operator sets both, nothing is stored in the directory.
            if not self._variables.keys() >= {"DATABASE_URL", "BETTER_AUTH_SECRET"}:
                self._faults.append(
                    f"{name} must be set to an absolute path, such as /srv/todo-api: no home directory was found."
                )
            return path

    def proxies(self, name: str) -> str:
        """Return the addresses and networks of trusted proxies in uvicorn's format; `*` trusts every client."""
        given = [one.strip() for one in self.text(name, "127.0.0.1,::1").split(",")]
        if given != ["*"] and not all(map(_is_network, given)):
            self._faults.append(
                f"{name} must be * or a comma-separated list of IP addresses and networks, "
                "such as 10.0.0.5,172.16.0.0/12."
            )
        return ",".join(given)

    def origins(self, name: str, *, production: bool) -> tuple[str, ...]:
        """Return the origins in a comma-separated list as browsers send them, without duplicates.

        `*` alone allows all; in an entry it stands for a part of a label of the host, or for the port of localhost.
        """
        default = "" if production else "http://localhost:3000"
        given = [one.strip().rstrip("/").lower() for one in self.text(name, default).split(",")]
        named = [one for one in given if one]
        if named == ["*"] and not production:
            return ("*",)
        origins: dict[str, None] = {}
        for number, entry in enumerate(named, 1):
            try:
                origins[allowed_origin(entry, production=production)] = None
            except OriginError as error:
                self._faults.append(f"{name} {str(error).format(number)}")
        self.warnings += [f"{name} {words}" for words in map(warning_about, origins) if words]
        return tuple(origins)

    def jwks_url(self, name: str, *, production: bool) -> str | None:
        """Return the URL of a JSON Web Key Set (RFC 7517, section 5); None if the variable is not set."""
        url = self.text(name, "")
        if not url:
            return None
        if origin_of(url) is None:
            self._faults.append(
                f"{name} must look like https://app.example.com/api/auth/jwks, without a user name, a password or "
                "a fragment."
            )
        elif production and not is_https_or_local(url):
            self._faults.append(f"{name} must begin with https:// in production, unless it points to this machine.")
        return url

    def database_url(self, name: str, environ: Mapping[str, str], *, production: bool) -> str | None:
        """Return the URL of a database; None if the variable is not set.

        `environ` is the environment of this process, from which libpq takes what the URL does not specify.
        """
        url = self.text(name, "")
        if not url:
            if production:
                self._faults.append(f"{name} is required in production: set it to the URL of a PostgreSQL database.")
            return None
        url, faults, warnings = without_foreign_parameters(url)
        self._faults += [f"{name} {words}" for words in faults]
        self.warnings += [f"{name} {words}" for words in warnings]
        parameters = parameters_of(url)
        if parameters is None:
            self._faults.append(f"{name} {_unreadable(url)}")
        elif production and not faults and not is_encrypted_or_local(parameters, environ):
            self._faults.append(
                f"{name} must require TLS in production, unless the database is on this machine: "
                "append ?sslmode=require, or set its sslmode to require."
            )
        return url

    def secret(self, name: str, development_file: Path, *, production: bool) -> str:
        """Return the secret that signs tokens. In development, an unset secret is generated and stored."""
        # Not stripped: white space at either end is part of the key.
        secret = self._variables.get(name, "")
        if not secret and not production:
            return self._development_secret(development_file)
        if not secret:
            self._faults.append(
                f"{name} is required in production: set it to the secret that the frontend signs tokens with."
            )
        elif len(secret) < SHORTEST_SECRET:
            self._faults.append(f"{name} must have at least {SHORTEST_SECRET} characters.")
        elif not _can_sign(secret):
            self._faults.append(
                f"{name} must be UTF-8 text, and not a public key, a private key or a certificate: "
                "generate a secret with `openssl rand -base64 48`, and set it in the frontend too."
            )
        return secret

    def _development_secret(self, file: Path) -> str:
        try:
            return development_secret(file)
        except DevelopmentSecretError as error:
            self._faults.append(str(error))
            return ""


def _unreadable(url: str) -> str:
    """Return what a URL that libpq cannot read must look like, as a sentence without its subject."""
    base, _, query = url.partition("?")
    # With an @ behind it, the question mark may be a part of the password.
    if "@" not in query and parameters_of(base) is not None:
        return "must have only parameters of libpq behind the ?, such as sslmode=require, separated by &."
    return (
        "must look like postgresql://user:password@host/database, without quotes, without the word psql and without a "
        "driver such as +psycopg. Percent-encode special characters in the password: @ is %40, / is %2F."
    )


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _can_sign(secret: str) -> bool:
    """Return whether PyJWT accepts a secret as an HMAC key: it rejects public keys, private keys and certificates."""
    try:
        jwt.encode({}, secret.encode(), algorithm="HS256")
    except (UnicodeEncodeError, jwt.PyJWTError):
        return False
    return True
