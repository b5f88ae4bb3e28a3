"""The `todo-api` command: serve, migrate, token, doctor."""

import os
import re
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import click
import jwt
from starlette.types import ASGIApp

from handlers.config import ConfigurationError, Settings
from storage.embedded import EmbeddedError, run_postgres

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Duration(click.ParamType[int]):
    name = "duration"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        found = re.fullmatch(r"([1-9][0-9]{0,5})([smhd])", str(value))
        if found is None:
            self.fail("must be a number and a unit, such as 30m, 1h or 7d", param, ctx)
        return int(found[1]) * _UNITS[found[2]]


class _UserId(click.ParamType[str]):
    name = "user"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> str:
        from handlers.contract import CONTRACT_FILE, Contract
        from handlers.schemas import Validator, draft4

        user = str(value)
        # An argument that is not UTF-8 comes with surrogates in place of its bytes.
        if user.encode(errors="replace").decode() != user:
            self.fail("must be UTF-8", param, ctx)
        schema = draft4(Contract(CONTRACT_FILE.read_bytes()).specification["components"]["schemas"]["UserId"])
        for _, words in Validator(schema).errors(user, most=1):
            self.fail(words, param, ctx)
        return user


@click.group()
def main() -> None:
    """A todo API for web frontends that sign their users in with Better Auth.

    Settings come from the environment and from a file `.env`; without DATABASE_URL, a private PostgreSQL runs beside
    the server and keeps its data.
    """


@main.command()
def serve() -> None:
    """Migrate the database and serve the API until Ctrl-C or SIGTERM."""
    settings = _load()
    _check_address(settings)
    # Uvicorn raises the signal again when it has shut down; PostgreSQL is still to be stopped then.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # A terminal that is closed; nohup ignores it.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with _refusals(), _database(settings) as served:
        app = _app(served)
        if served.migrate_on_start:
            _migrate(served)
        _greet(served)
        _run(served, app)


@main.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    with _refusals(), _database(_load()) as settings:
        _migrate(settings)
    click.echo("The database is up to date.")


@main.command()
@click.argument("user", type=_UserId())
@click.option("--expires", type=_Duration(), default="1h", show_default=True, help="How long it lasts: 30m, 1h, 7d.")
def token(user: str, expires: int) -> None:
    """Print a token for USER, as the frontend would mint it: to call the API with curl, say."""
    click.echo(_mint(_load(), user, expires))


@main.command()
def doctor() -> None:
    """Check the configuration and the database, and say what to do about each fault.

    Ends with status 0 when there is none, with 1 otherwise; nothing is changed in the database.
    """
    from handlers.doctor import examine

    colours = {"ok": "green", "advice": "yellow", "fault": "red", "skip": None}
    statuses = set()
    for check, status, words in examine(os.environ):
        click.echo(f"{click.style(f'{status:<6}', fg=colours[status])} {check:<13} {words}")
        statuses.add(status)
    sys.exit("fault" in statuses)


def _load() -> Settings:
    try:
        return Settings.load(os.environ)
    except ConfigurationError as error:
        raise click.ClickException("\n  ".join(["The configuration has faults:", *error.faults])) from None


def _check_address(settings: Settings) -> None:
    """Refuse an address that cannot be listened on before anything is started for it."""
    try:
        family, _, _, _, address = socket.getaddrinfo(settings.host, settings.port, type=socket.SOCK_STREAM)[0]
        socket.create_server(address, family=family).close()
    except (OSError, UnicodeError) as error:
        raise click.ClickException(
            f"Cannot listen on {settings.host}, port {settings.port}: {_reason(error)}. HOST and PORT choose another."
        ) from None


def _reason(error: OSError | UnicodeError) -> str:
    if isinstance(error, UnicodeError):
        return "that is no name of a host"
    # Of an address in use, Python's own words repeat the address.
    return str(error.strerror).partition(" (while attempting")[0]


@contextmanager
def _refusals() -> Iterator[None]:
    """Tell what keeps the service from starting in a sentence, not in a traceback."""
    from handlers.schemas import ContractError
    from storage.errors import Unavailable, UnsuitableDatabase

    try:
        yield
    except (EmbeddedError, ContractError, UnsuitableDatabase) as error:
        raise click.ClickException(str(error)) from None
    except Unavailable as error:
        raise click.ClickException(f"The database does not answer: {error}") from None


@contextmanager
def _database(settings: Settings) -> Iterator[Settings]:
    """Run the embedded PostgreSQL when there is no DATABASE_URL, and yield settings that have one."""
    if settings.database_url is not None:
        yield settings
        return
    with run_postgres(settings.data_directory / "postgresql") as url:
        yield replace(settings, database_url=url)


def _app(settings: Settings) -> ASGIApp:
    from handlers.app import create_app

    return create_app(settings)


def _migrate(settings: Settings) -> None:
    from storage.migrations import migrate as migrate_database

    migrate_database(settings.database_url or "")


def _mint(settings: Settings, user: str, seconds: int) -> str:
    now = int(time.time())
    claims = {
        "sub": user,
        "email": "demo@example.com",
        "name": "Demo",
        "iat": now,
        "exp": now + seconds,
        "iss": settings.jwt_issuer or "nextjs-frontend",
        "aud": settings.jwt_audience or "fastapi-backend",
    }
    return jwt.encode(claims, settings.secret.encode(), algorithm=settings.jwt_algorithm)


def _greet(settings: Settings) -> None:
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    url = f"http://{host}:{settings.port}"
    click.echo(f"Todo API on {url}")
    if settings.environment == "development":
        header = f"Authorization: Bearer {_mint(settings, 'demo', 86400)}"
        click.echo(f"\nTry it, as the user 'demo', for a day:\n\n  curl -H '{header}' {url}/api/demo/tasks\n")


def _run(settings: Settings, app: ASGIApp) -> None:
    import uvicorn

    several = settings.workers > 1
    # Workers are new processes: they read their settings from the environment again.
    os.environ |= {"DATABASE_URL": settings.database_url or "", "BETTER_AUTH_SECRET": settings.secret}
    uvicorn.run(
        "handlers.app:create_app_from_environment" if several else app,
        factory=several,
        host=settings.host,
        port=settings.port,
        workers=settings.workers,
        loop="uvloop",
        http="handlers.protocol:HttpProtocol",
        ws="none",
        lifespan="on",
        log_level=settings.log_level,
        access_log=False,
        server_header=False,
        # `docker stop` kills after ten seconds.
        timeout_graceful_shutdown=5,
    )


if __name__ == "__main__":
    main()
