"""Settings: read once from the environment and `.env`, then frozen. All errors are reported together."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from handlers.settings.env_file import read_env_file
from handlers.settings.reader import Reader
from handlers.settings.web_url import plain_host

ENV_FILE = Path(".env")


class ConfigurationError(Exception):
    """The configuration cannot be used. `faults` has a sentence for each error; none shows a secret or a password."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("\n".join(faults))
        self.faults = tuple(faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the operator configures. Times are in seconds, if not in days, and sizes in bytes.

    A `database_url` of None stands for the embedded PostgreSQL. `variables` are all variables that were read, as text.
    `warnings` has a sentence for each setting that can be used, but that the operator should know more about.
    """

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
    shutdown_delay: float
    pool_min_size: int
    pool_max_size: int
    pool_timeout: float
    statement_timeout: float
    prepared_statements: bool
    trash_retention_days: int
    idempotency_retention_days: int
    events_per_user: int
    events_per_worker: int
    body_limit: int
    head_timeout: float
    body_timeout: float
    keep_alive_timeout: float
    log_level: str
    migrate_on_start: bool
    variables: Mapping[str, str] = field(repr=False)
    warnings: tuple[str, ...]

    @property
    def production(self) -> bool:
        """Whether the service runs in production rather than on a developer's machine."""
        return self.environment == "production"

    @classmethod
    def load(cls, environ: Mapping[str, str], env_file: Path = ENV_FILE) -> "Settings":
        """Return the settings from an environment and a file; the environment takes precedence.

        Raises ConfigurationError with all errors.
        """
        in_file, faults = read_env_file(env_file)
        variables = in_file | {name: value for name, value in environ.items() if value.strip()}
        settings = cls._read(variables, environ, faults)
        if settings.metrics_port == settings.port:
            faults.append("METRICS_PORT must not be the same port as PORT.")
        if faults:
            raise ConfigurationError(faults)
        return settings

    @classmethod
    def _read(cls, variables: Mapping[str, str], environ: Mapping[str, str], faults: list[str]) -> "Settings":
        read = Reader(variables, faults)
        environment = read.choice("ENVIRONMENT", ("development", "production"), "development")
        production = environment == "production"
        directory = read.data_directory("DATA_DIR", _default_data_directory(environ))
        pool_min_size = read.integer("DATABASE_POOL_MIN_SIZE", 1, 0, 1000)
        return cls(
            environment=environment,
            database_url=read.database_url("DATABASE_URL", environ, production=production),
            data_directory=directory,
            jwt_algorithm=read.choice("JWT_ALGORITHM", ("HS256", "HS384", "HS512"), "HS256"),
            jwt_issuer=read.text("JWT_ISSUER", "") or None,
            jwt_audience=read.text("JWT_AUDIENCE", "") or None,
            jwks_url=read.jwks_url("JWKS_URL", production=production),
            allowed_origins=read.origins("ALLOWED_ORIGINS", production=production),
            host=plain_host(read.text("HOST", "0.0.0.0" if production else "127.0.0.1")),  # noqa: S104 - a container's purpose
            port=read.integer("PORT", 7860, 1, 65535),
            forwarded_allow_ips=read.proxies("FORWARDED_ALLOW_IPS"),
            metrics_port=read.integer("METRICS_PORT", 0, 0, 65535) or None,
            workers=read.integer("WEB_CONCURRENCY", 1, 1, 256),
            shutdown_delay=float(read.integer("SHUTDOWN_DELAY", 0, 0, 600)),
            pool_min_size=pool_min_size,
            pool_max_size=read.integer("DATABASE_POOL_MAX_SIZE", max(10, pool_min_size), max(1, pool_min_size), 1000),
            pool_timeout=float(read.integer("DATABASE_POOL_TIMEOUT", 5, 1, 600)),
            statement_timeout=float(read.integer("DATABASE_STATEMENT_TIMEOUT", 10, 1, 600)),
            prepared_statements=read.boolean("DATABASE_PREPARED_STATEMENTS", default=True),
            trash_retention_days=read.integer("TRASH_RETENTION_DAYS", 30, 1, 36500),
            idempotency_retention_days=read.integer("IDEMPOTENCY_RETENTION_DAYS", 7, 1, 36500),
            events_per_user=read.integer("EVENTS_PER_USER", 20, 1, 1_000_000),
            events_per_worker=read.integer("EVENTS_PER_WORKER", 2000, 1, 1_000_000),
            body_limit=read.integer("BODY_LIMIT", 65536, 1024, 1 << 30),
            head_timeout=float(read.integer("HEAD_TIMEOUT", 10, 1, 3600)),
            body_timeout=float(read.integer("BODY_TIMEOUT", 30, 1, 3600)),
            keep_alive_timeout=float(read.integer("KEEP_ALIVE_TIMEOUT", 75, 1, 3600)),
            log_level=read.choice("LOG_LEVEL", ("debug", "info", "warning", "error"), "info"),
            migrate_on_start=read.boolean("MIGRATE_ON_START", default=True),
            variables=variables,
            secret=read.secret("BETTER_AUTH_SECRET", directory / "secret", production=production),
            warnings=tuple(read.warnings),
        )


def _default_data_directory(environ: Mapping[str, str]) -> str:
    # Started by root, PostgreSQL runs as the user nobody, which has no access to root's home directory.
    if os.geteuid() == 0:
        return "/var/lib/todo-api"
    return os.path.join(environ.get("XDG_DATA_HOME") or "~/.local/share", "todo-api")  # noqa: PTH118 - expanded later
