"""The `todo-api` command: serve, migrate, distribute, purge, reset-sync, recompute, token, doctor."""

import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import click

from handlers import __version__
from handlers.service.garbage_collection import without_garbage_collection
from handlers.settings.settings import ConfigurationError, Settings
from storage.administration.embedded import EmbeddedError, reach_postgres, run_postgres

# Read from standard input for a token: more than any request can carry.
_MOST_BYTES = 1 << 20
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
        from handlers.service.token_rules import user_ids

        user = str(value)
        # Python puts surrogates in place of the bytes of an argument that is not UTF-8.
        if user.encode(errors="replace").decode() != user:
            self.fail("must be UTF-8", param, ctx)
        for _, words in user_ids().errors(user, most=1):
            self.fail(words, param, ctx)
        return user


@click.group()
@click.version_option(__version__, prog_name="todo-api", message="%(prog)s %(version)s")
def main() -> None:
    """A todo API for web frontends that sign their users in with Better Auth.

    Settings come from the environment and from a file `.env`. Without DATABASE_URL, the server starts a private
    PostgreSQL and keeps its data.
    """


@main.command()
def serve() -> None:
    """Migrate the database and serve the API until Ctrl-C or SIGTERM."""
    settings = _load()
    # Uvicorn raises the signal again after its shutdown, and PostgreSQL has to be stopped after that.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    # Sent when the terminal is closed; nohup ignores it.
    if signal.getsignal(signal.SIGHUP) is signal.SIG_DFL:
        signal.signal(signal.SIGHUP, lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with _refusals():
        with without_garbage_collection():
            from handlers.service import server

        server.check_addresses(settings)
        with _database(settings, run_postgres) as served:
            try:
                server.run(served)
            finally:
                # Only PostgreSQL is left to stop, and a second signal would leave it running.
                signal.signal(signal.SIGINT, signal.SIG_IGN)
                signal.signal(signal.SIGTERM, signal.SIG_IGN)


@main.command()
def migrate() -> None:
    """Bring the database's tables up to date."""
    from storage.administration.migrations import migrate as migrate_database

    with _refusals(), _database(_load(), reach_postgres) as settings:
        migrate_database(settings.database_url or "")
    click.echo("The database is up to date.")


@main.command()
def distribute() -> None:
    """Distribute the tables over the nodes of a Citus cluster, with all rows of a user on one node.

    It distributes only what is not distributed yet, in one transaction, so you can run it again at any time. Requests
    wait until it is done. Later migrations distribute the tables that they create.
    """
    from storage.administration.distribution import ON_ALL_NODES
    from storage.administration.distribution import distribute as distribute_tables

    with _refusals(), _database(_load(), reach_postgres) as settings:
        new = distribute_tables(settings.database_url or "")
    if by_user := [name for name in new if name != ON_ALL_NODES]:
        click.echo(f"Distributed by user_id, with all rows of a user on one node: {', '.join(by_user)}.")
    if ON_ALL_NODES in new:
        click.echo(f"Copied to all nodes: {ON_ALL_NODES}.")
    if not new:
        click.echo("Nothing to do: all tables are distributed already.")


@main.command()
def purge() -> None:
    """Delete what the service would delete with its next daily purge, without waiting for it.

    That is the tasks that were deleted more than TRASH_RETENTION_DAYS ago, and the idempotency keys older than
    IDEMPOTENCY_RETENTION_DAYS. They cannot be restored. The service may run meanwhile.
    """
    from handlers.service.purge import purge as purge_database

    with _refusals(), _database(_load(), reach_postgres) as settings:
        tasks, keys = purge_database(settings)
    click.echo(
        f"Purged {_count(tasks, 'task')} deleted more than {_count(settings.trash_retention_days, 'day')} ago, and "
        f"{_count(keys, 'idempotency key')} older than {_count(settings.idempotency_retention_days, 'day')}."
    )


@main.command()
def reset_sync() -> None:
    """Make every client download its user's tasks again: run it after you have restored a backup.

    What clients know of the changes since the backup is not in the database any more. Each of them gets 410 for its
    sync token, and starts over. Edits that it has not sent yet are kept. Stop the service before you restore the
    backup, and start it when this is done: what is written in between could be taken for what is lost.
    """
    from handlers.service.reset_sync import reset_sync as reset

    with _refusals(), _database(_load(), reach_postgres) as settings:
        accounts = reset(settings)
    click.echo(f"Reset the synchronisation of {_count(accounts, 'account')}.")


@main.command()
def recompute() -> None:
    """Bring the times at which tasks are due up to date: run it after an update that contains another tzdata.

    A task has a time on a clock, and the instant that it means follows from the rules of its time zone. When a country
    changes its rules, this command stores the new instants. The tasks that change get a new revision, so that clients
    learn of them. The service may run meanwhile, in its new version.
    """
    from handlers.service.recompute import recompute as recompute_database
    from storage.time_zones import VERSION

    with _refusals(), _database(_load(), reach_postgres) as settings:
        tasks = recompute_database(settings)
    click.echo(f"Changed the due time of {_count(tasks, 'task')}, by the time zones of {VERSION}.")


@main.command()
@click.argument("user", type=_UserId())
@click.option(
    "--expires", type=_Duration(), default="1h", show_default=True, help="How long the token is valid: 30m, 1h, 7d."
)
def token(user: str, expires: int) -> None:
    """Print a token for USER, as the frontend would mint it, for example to call the API with curl."""
    settings = _load()
    from handlers.authentication.minting import mint
    from handlers.service.token_rules import rules_of

    click.echo(mint(rules_of(settings), user, expires))


@main.command()
@click.option(
    "--token", "with_token", is_flag=True, help="Also read a token from standard input, and say whether it is valid."
)
def doctor(*, with_token: bool) -> None:
    """Check the configuration and the database, and say how to correct each fault.

    The exit status is 1 if there is a fault, and 0 otherwise. The command does not change the database.
    """
    from handlers.service.doctor import examine

    given = _standard_input() if with_token else None
    colours = {"ok": "green", "advice": "yellow", "fault": "red", "skip": None}
    statuses = set()
    for check, status, words in examine(os.environ, given):
        click.echo(f"{click.style(f'{status:<6}', fg=colours[status])} {check:<13} {words}")
        statuses.add(status)
    sys.exit("fault" in statuses)


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun if number == 1 else f'{noun}s'}"


def _standard_input() -> str:
    # sys.stdin is None if standard input is closed.
    if sys.stdin is None:
        return ""
    if sys.stdin.isatty():
        raise click.UsageError(
            "--token reads the token from standard input, which is a terminal here: pipe it in, as in "
            "`todo-api token ada | todo-api doctor --token`."
        )
    # The server decodes the bytes of an Authorization header in the same way.
    try:
        return sys.stdin.buffer.read(_MOST_BYTES).decode("latin-1")
    except OSError as error:
        raise click.ClickException(f"Standard input cannot be read: {error.strerror}.") from None


def _load() -> Settings:
    try:
        return Settings.load(os.environ)
    except ConfigurationError as error:
        raise click.ClickException("\n  ".join(["The configuration has errors:", *error.faults])) from None


@contextmanager
def _refusals() -> Iterator[None]:
    """Report an error that prevents startup as one sentence, without a traceback."""
    from handlers.contract.errors import ContractError
    from storage.errors import Unavailable, UnsuitableDatabase

    try:
        yield
    except (EmbeddedError, ContractError, UnsuitableDatabase) as error:
        raise click.ClickException(str(error)) from None
    except Unavailable as error:
        raise click.ClickException(f"The database does not respond: {error}") from None


@contextmanager
def _database(settings: Settings, embedded: Callable[[Path], AbstractContextManager[str]]) -> Iterator[Settings]:
    """Yield settings that have a `database_url`: that of the embedded PostgreSQL if none is configured."""
    if settings.database_url is not None:
        yield settings
        return
    with embedded(settings.data_directory / "postgresql") as url:
        yield replace(settings, database_url=url)
