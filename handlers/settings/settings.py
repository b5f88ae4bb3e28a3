"""Settings: read once from the environment and `.env`, frozen, every fault told at once."""

import os
import re
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from ipaddress import ip_network
from pathlib import Path

import psycopg
from dotenv.parser import parse_stream
from psycopg.conninfo import conninfo_to_dict

from handlers.service import imports
from handlers.settings import database_url, web_url
from storage.administration.embedded import make_directory

ENV_FILE = Path(".env")
_SHORTEST_SECRET = 32
_BOOLEANS = {"true": True, "1": True, "yes": True, "on": True, "false": False, "0": False, "no": False, "off": False}


class ConfigurationError(Exception):
    """The configuration cannot be used. `faults` has a sentence for each fault; none has a secret or a password."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What an operator decides. Times are in seconds, sizes in bytes; a `database_url` of None means embedded."""

    environment: str
    database_url: str | None = field(repr=False)
    data_directory: Path
    secret: str = field(repr=False)
    jwt_algorithm: str
    jwt_issuer: str | None
    jwt_audience: str | None
    jwks_url: str | None
    allowed_origins: tuple[str, ...]
    host: str
    port: int
    forwarded_allow_ips: str
    metrics_port: int | None
    workers: int
    pool_min_size: int
    pool_max_size: int
    pool_timeout: float
    statement_timeout: float
    prepared_statements: bool
    body_limit: int
    log_level: str
    migrate_on_start: bool
    variables: Mapping[str, str] = field(repr=False)

    @property
    def production(self) -> bool:
        """Whether this is no developer's machine."""
        return self.environment == "production"

    @classmethod
    def load(cls, environ: Mapping[str, str], env_file: Path = ENV_FILE) -> "Settings":
        """Read the settings; the environment goes before the file. Raises ConfigurationError with all faults."""
        faults: list[str] = []
        given = {name: value for name, value in environ.items() if value.strip()}
        variables = _read_env_file(env_file, faults) | given
        read = _Reader(variables, faults)
        environment = read.choice("ENVIRONMENT", ("development", "production"), "development")
        production = environment == "production"
        data_directory = read.directory("DATA_DIR", _default_data_directory(environ))
        pool_min_size = read.whole("DATABASE_POOL_MIN_SIZE", 1, 0, 1000)
        values = {
            "variables": variables,
            "database_url": read.database_url(environ, production=production),
            "jwt_algorithm": read.choice("JWT_ALGORITHM", ("HS256", "HS384", "HS512"), "HS256"),
            "jwt_issuer": read.text("JWT_ISSUER", "") or None,
            "jwt_audience": read.text("JWT_AUDIENCE", "") or None,
            "jwks_url": read.jwks_url(production=production),
            "allowed_origins": read.origins(production=production),
            "host": read.text("HOST", "0.0.0.0" if production else "127.0.0.1"),  # noqa: S104 - a container's purpose
            "port": read.whole("PORT", 7860, 1, 65535),
            "forwarded_allow_ips": read.proxies(),
            "metrics_port": read.whole("METRICS_PORT", 0, 0, 65535) or None,
            "workers": read.whole("WEB_CONCURRENCY", 1, 1, 256),
            "pool_min_size": pool_min_size,
            "pool_max_size": read.whole("DATABASE_POOL_MAX_SIZE", max(10, pool_min_size), max(1, pool_min_size), 1000),
            "pool_timeout": float(read.whole("DATABASE_POOL_TIMEOUT", 5, 1, 600)),
            "statement_timeout": float(read.whole("DATABASE_STATEMENT_TIMEOUT", 10, 1, 600)),
            "prepared_statements": read.boolean("DATABASE_PREPARED_STATEMENTS", default=True),
            "body_limit": read.whole("BODY_LIMIT", 65536, 1024, 1 << 30),
            "log_level": read.choice("LOG_LEVEL", ("debug", "info", "warning", "error"), "info"),
            "migrate_on_start": read.boolean("MIGRATE_ON_START", default=True),
        }
        if values["metrics_port"] == values["port"]:
            faults.append("METRICS_PORT must be another port than PORT.")
        imports.import_jwt(public_keys=values["jwks_url"] is not None)
        secret = read.secret(data_directory, production=production)
        if faults:
            raise ConfigurationError(faults)
        return cls(environment=environment, data_directory=data_directory, secret=secret, **values)  # type: ignore[arg-type]  # each is as its reader says


class _Reader:
    """Reads one variable at a time and notes its fault, so that all faults are told together."""

    def __init__(self, variables: Mapping[str, str], faults: list[str]) -> None:
        self._variables = variables
        self._faults = faults

    def text(self, name: str, default: str) -> str:
        return self._variables.get(name, default).strip() or default

    def choice(self, name: str, choices: tuple[str, ...], default: str) -> str:
        value = self.text(name, default)
        by_folded = {choice.lower(): choice for choice in choices}
        if value.lower() not in by_folded:
            self._faults.append(f"{name} must be one of {', '.join(choices)}.")
        return by_folded.get(value.lower(), default)

    def whole(self, name: str, default: int, least: int, most: int) -> int:
        value = self.text(name, str(default))
        if re.fullmatch(r"[0-9]{1,10}", value) and least <= int(value) <= most:
            return int(value)
        self._faults.append(f"{name} must be a whole number from {least} to {most}.")
        return default

    def boolean(self, name: str, *, default: bool) -> bool:
        value = self.text(name, str(default)).lower()
        if value not in _BOOLEANS:
            self._faults.append(f"{name} must be true or false.")
        return _BOOLEANS.get(value, default)

    def directory(self, name: str, default: str) -> Path:
        path = Path(self.text(name, default))
        try:
            return path.expanduser()
        except RuntimeError:
            if not self._variables.keys() >= {"DATABASE_URL", "BETTER_AUTH_SECRET"}:
                self._faults.append(f"{name} must be set to a place for the data: there is no home directory.")
            return path

    def proxies(self) -> str:
        """Return the addresses and networks of proxies as uvicorn takes them; `*` trusts whoever connects."""
        given = [one.strip() for one in self.text("FORWARDED_ALLOW_IPS", "127.0.0.1,::1").split(",")]
        if given != ["*"] and not all(map(_is_network, given)):
            self._faults.append(
                "FORWARDED_ALLOW_IPS must be * or addresses and networks, such as 10.0.0.5,172.16.0.0/12."
            )
        return ",".join(given)

    def origins(self, *, production: bool) -> tuple[str, ...]:
        default = "" if production else "http://localhost:3000"
        given = [origin.strip().rstrip("/").lower() for origin in self.text("ALLOWED_ORIGINS", default).split(",")]
        named = [origin for origin in given if origin]
        if "*" in named and (production or len(named) > 1):
            self._faults.append("ALLOWED_ORIGINS must name each origin; * stands by itself, and for development only.")
        origins = ["*" if origin == "*" else web_url.origin(origin) for origin in named]
        # Not echoed: who mixed up two variables may have put a password here.
        self._faults += [
            f"ALLOWED_ORIGINS: number {number} is not an origin such as https://app.example.com."
            for number, origin in enumerate(origins, 1)
            if origin is None
        ]
        return tuple(dict.fromkeys(origin for origin in origins if origin))

    def jwks_url(self, *, production: bool) -> str | None:
        url = self.text("JWKS_URL", "")
        if not url:
            return None
        if web_url.origin_of(url) is None:
            self._faults.append(
                "JWKS_URL must look like https://app.example.com/api/auth/jwks, without a user name, a password or "
                "a fragment."
            )
        elif production and not web_url.is_private(url):
            self._faults.append("JWKS_URL leads to another host without TLS: it must begin with https.")
        return url

    def database_url(self, environ: Mapping[str, str], *, production: bool) -> str | None:
        url = self.text("DATABASE_URL", "")
        if not url:
            if production:
                self._faults.append("DATABASE_URL is required in production.")
            return None
        # psycopg's own messages repeat parts of the URL, so they are never shown.
        with suppress(psycopg.Error, UnicodeEncodeError):
            parameters = conninfo_to_dict(url)
            if database_url.is_unambiguous(url, parameters):
                if production and not database_url.is_private(parameters, environ):
                    self._faults.append("DATABASE_URL leads to another host without TLS: add ?sslmode=require to it.")
                return url
        self._faults.append(
            "DATABASE_URL must look like postgresql://user:password@host/database, without quotes, without the word "
            "psql and without the name of a driver; special characters in the password are percent-encoded."
        )
        return None

    def secret(self, data_directory: Path, *, production: bool) -> str:
        # The raw string: stripping it would make another key of it.
        secret = self._variables.get("BETTER_AUTH_SECRET", "")
        if not secret and not production:
            return self._development_secret(data_directory / "secret")
        if not secret:
            self._faults.append(
                "BETTER_AUTH_SECRET is required in production: the secret that the frontend signs with."
            )
        elif len(secret) < _SHORTEST_SECRET:
            self._faults.append(f"BETTER_AUTH_SECRET must have at least {_SHORTEST_SECRET} characters.")
        elif not _can_sign(secret):
            self._faults.append("BETTER_AUTH_SECRET cannot be used as a key: it is not UTF-8, or a public key.")
        return secret

    def _development_secret(self, file: Path) -> str:
        """Return the secret that is made once and kept; two processes that start at once agree on one."""
        try:
            make_directory(file.parent)
            made = file.with_name(f"secret.{os.getpid()}")
            made.touch(mode=0o600)
            made.write_text(secrets.token_urlsafe(32))
            with suppress(FileExistsError):
                os.link(made, file)
            made.unlink()
            secret = file.read_text()
        except (OSError, UnicodeDecodeError) as error:
            why = error.strerror if isinstance(error, OSError) else "it is no text"
            self._faults.append(
                f"BETTER_AUTH_SECRET is not set, and none can be kept in {file}: {why}. Set DATA_DIR to another place."
            )
            return ""
        if len(secret) < _SHORTEST_SECRET:
            self._faults.append(f"The secret kept in {file} is too short: delete the file, or set BETTER_AUTH_SECRET.")
        return secret


def _read_env_file(file: Path, faults: list[str]) -> dict[str, str]:
    try:
        with file.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError):
        faults.append(f"The file {file} cannot be read as UTF-8 text.")
        return {}
    wrong = [one.original.line for one in bindings if one.error or "\0" in one.original.string]
    faults += [f"The file {file} must have NAME=value in line {line}, with quotes that are closed." for line in wrong]
    return {one.key: one.value for one in bindings if one.key and one.value and one.value.strip()}


def _default_data_directory(environ: Mapping[str, str]) -> str:
    # PostgreSQL does not run as root but as nobody, who cannot reach root's home.
    if os.geteuid() == 0:
        return "/var/lib/todo-api"
    return os.path.join(environ.get("XDG_DATA_HOME") or "~/.local/share", "todo-api")  # noqa: PTH118 - expanded later


def _is_network(text: str) -> bool:
    try:
        ip_network(text)
    except ValueError:
        return False
    return True


def _can_sign(secret: str) -> bool:
    import jwt

    try:
        jwt.encode({}, secret.encode(), algorithm="HS256")
    except (UnicodeEncodeError, jwt.PyJWTError):
        return False
    return True
