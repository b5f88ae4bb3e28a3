"""`todo-api doctor`: checks of the configuration, the secret and the database, and how to correct each fault."""

import asyncio
import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping

from handlers.authentication.jwks import JwksError, fetch_keys
from handlers.authentication.rules import LEEWAY_SECONDS, PUBLIC_KEY_ALGORITHMS
from handlers.service.cluster_checks import CLUSTER_CHECKS
from handlers.service.findings import Finding, Verdict
from handlers.service.token_check import check_token
from handlers.settings.database_url import is_local
from handlers.settings.settings import ENV_FILE, ConfigurationError, Settings
from storage.administration.diagnosis import Diagnosis, diagnose
from storage.administration.embedded import EmbeddedError, reach_postgres
from storage.administration.listening import NOT_HEARD
from storage.administration.migrations import head, is_applied, revisions
from storage.errors import Unavailable, UnsuitableDatabase

# All but one in ten thousand random secrets of 32 hexadecimal digits are estimated above this.
_FEWEST_BITS = 80
# In lower case, letters and digits only; Better Auth's own default and jwt.io's example come first.
_PLACEHOLDERS = re.compile(
    "betterauthsecret|astringsecretatleast|changeme|changethis|replaceme|yoursecret|supersecret|placeholder"
)
_RENEW = "generate a secret with `openssl rand -base64 48`, and set it in the frontend too"


def examine(environ: Mapping[str, str], token: str | None = None) -> Iterator[Finding]:
    """Yield the finding of each check, always in the same order; a token is checked if one is given.

    No finding contains a secret, a password or the token.
    """
    try:
        settings = Settings.load(environ)
    except ConfigurationError as error:
        yield from (Finding("configuration", "fault", fault) for fault in error.faults)
        yield Finding("configuration", "advice", f"It was read from {_sources()}.")
        names = ["secret", *(["token"] if token is not None else []), "database", *_CHECKS]
        yield from _skipped(*names, why="the configuration has errors")
        return
    yield Finding("configuration", "ok", f"Complete; it was read from {_sources()}.")
    yield from (Finding("configuration", "advice", warning) for warning in settings.warnings)
    yield Finding("secret", *_secret(settings))
    if settings.jwks_url:
        yield Finding("jwks", *_jwks(settings.jwks_url))
    if token is not None:
        yield Finding("token", *check_token(token, settings))
    try:
        diagnosis = _diagnose(settings)
    except (EmbeddedError, Unavailable, UnsuitableDatabase) as error:
        yield Finding("database", "fault", _away(error))
        yield from _skipped(*_CHECKS, why="there is no database to examine")
        return
    where = "" if settings.database_url else f", embedded in {settings.data_directory}"
    milliseconds = max(1, round(diagnosis.seconds * 1000))
    yield Finding("database", "ok", f"PostgreSQL {diagnosis.version} responds in {milliseconds} ms{where}.")
    yield from (Finding(name, *check(diagnosis, settings)) for name, check in _CHECKS.items())
    if diagnosis.cluster is not None:
        yield from (Finding(name, *check(diagnosis.cluster)) for name, check in CLUSTER_CHECKS.items())


def _skipped(*checks: str, why: str) -> Iterator[Finding]:
    return (Finding(check, "skip", f"Not checked: {why}.") for check in checks)


def _sources() -> str:
    file = ENV_FILE.resolve()
    return f"the environment and {file}" if file.exists() else f"the environment alone: there is no file {file}"


def _diagnose(settings: Settings) -> Diagnosis:
    if settings.database_url is not None:
        return diagnose(settings.database_url)
    with reach_postgres(settings.data_directory / "postgresql") as url:
        return diagnose(url)


def _away(error: Exception) -> str:
    words = " ".join(str(error).split())
    return (
        f"It does not respond; start it, or correct DATABASE_URL: {words}" if isinstance(error, Unavailable) else words
    )


def _secret(settings: Settings) -> Verdict:
    secret = settings.secret
    letters = re.sub(r"[\W_]", "", secret).lower()
    if _PLACEHOLDERS.search(letters):
        return "fault", f"BETTER_AUTH_SECRET is a well-known placeholder: {_RENEW}."
    if _bits(secret) < _FEWEST_BITS:
        return "fault", f"BETTER_AUTH_SECRET is repetitive and could be guessed: {_RENEW}."
    size = int(settings.jwt_algorithm.removeprefix("HS")) // 8
    if len(secret.encode()) < size:
        return "advice", f"{settings.jwt_algorithm} needs a secret of {size} bytes (RFC 7518, section 3.2): {_RENEW}."
    return "ok", "Long enough, and without much repetition."


def _bits(secret: str) -> float:
    """Estimate a secret's entropy in bits: the Shannon entropy of its characters, counting a repeated pattern once."""
    period = next(length for length in range(1, len(secret) + 1) if secret.startswith(secret[length:]))
    return -sum(count * math.log2(count / period) for count in Counter(secret[:period]).values())


def _jwks(url: str) -> Verdict:
    try:
        keys = asyncio.run(fetch_keys(url))
    except JwksError as error:
        return "fault", f"JWKS_URL {error}: start the frontend there, or correct the URL."
    if not keys:
        algorithms = ", ".join(sorted(PUBLIC_KEY_ALGORITHMS))
        return "fault", f"JWKS_URL responds, but has no key for {algorithms}: set the jwt() plugin to use one of these."
    return "ok", f"JWKS_URL responds; its keys are for {_and(sorted({key.algorithm_name for key in keys.values()}))}."


def _tls(diagnosis: Diagnosis, _: Settings) -> Verdict:
    if is_local(diagnosis.address):
        return "ok", "Not needed: the connection to the database does not leave this machine."
    if not diagnosis.is_encrypted:
        return "fault", "The connection to another host is not encrypted: add ?sslmode=require to DATABASE_URL."
    if not diagnosis.is_verified:
        return "advice", (
            "The connection is encrypted, but the server's identity is not verified: set sslmode=verify-full in "
            "DATABASE_URL, and sslrootcert to system or to a file with the certificates of trusted authorities."
        )
    return "ok", "The connection is encrypted, and the server has proved its identity."


def _encoding(diagnosis: Diagnosis, _: Settings) -> Verdict:
    return ("fault", diagnosis.encoding_fault) if diagnosis.encoding_fault else ("ok", "UTF8.")


def _locale(diagnosis: Diagnosis, _: Settings) -> Verdict:
    return ("fault", diagnosis.locale_fault) if diagnosis.locale_fault else ("ok", "It maps upper case to lower case.")


def _extensions(diagnosis: Diagnosis, _: Settings) -> Verdict:
    states: dict[str, list[str]] = {}
    for name, state in diagnosis.extensions.items():
        states.setdefault(state, []).append(name)
    if absent := states.get("absent"):
        return "fault", f"The server does not have {_and(absent)}: install PostgreSQL's contrib modules on it."
    if forbidden := states.get("forbidden"):
        statements = " ".join(f"CREATE EXTENSION {name};" for name in forbidden)
        return "fault", f"The role {diagnosis.role} may not create {_and(forbidden)}: as a superuser, run {statements}"
    if creatable := states.get("creatable"):
        return "ok", f"The migrations will create {_and(creatable)}."
    return "ok", f"{_and(diagnosis.extensions)} are installed."


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)


def _migrations(diagnosis: Diagnosis, settings: Settings) -> Verdict:
    revision, newest = diagnosis.revision, head()
    if not diagnosis.can_read_revision:
        return "skip", f"Not checked: the role {diagnosis.role} may not read alembic_version."
    if revision is not None and diagnosis.missing_tables:
        tables = _and(diagnosis.missing_tables)
        return (
            "fault",
            f"The migrations have run, but the role {diagnosis.role} does not see {tables}: restore a backup.",
        )
    if revision == newest:
        return "ok", f"The tables are at revision {newest}, the newest."
    if is_applied(revision, newest):
        return "advice", f"The tables are at revision {revision}, from a newer release: upgrade to it."
    if revision not in (None, *revisions()):
        return (
            "fault",
            f"The tables are at revision {revision}, which this service does not have: check DATABASE_URL.",
        )
    tables = f"The tables are at revision {revision}, not {newest}" if revision else "There are no tables yet"
    if not diagnosis.can_create_tables:
        return (
            "fault",
            f"{tables}, and the role {diagnosis.role} may not create any: run todo-api migrate as their owner.",
        )
    if settings.migrate_on_start:
        return "advice", f"{tables}: todo-api serve migrates when it starts, or run todo-api migrate."
    return "fault", f"{tables}: run todo-api migrate."


def _privileges(diagnosis: Diagnosis, _: Settings) -> Verdict:
    if missing := diagnosis.missing_privileges:
        statements = " ".join(f"GRANT {privilege} TO {diagnosis.role};" for privilege in missing)
        return "fault", f"The role {diagnosis.role} lacks privileges: as the tables' owner, run {statements}"
    if diagnosis.revision is None:
        return "skip", "Not checked: there are no tables yet."
    return "ok", f"The role {diagnosis.role} may read and write the tables."


def _writes(diagnosis: Diagnosis, _: Settings) -> Verdict:
    if diagnosis.is_replica:
        return "fault", "The database is a replica, which accepts no writes: point DATABASE_URL at the primary."
    if diagnosis.is_read_only:
        return "fault", "The database accepts no writes: turn off default_transaction_read_only."
    return "ok", "The database accepts writes."


def _clock(diagnosis: Diagnosis, _: Settings) -> Verdict:
    seconds = diagnosis.clock_ahead
    if abs(seconds) > LEEWAY_SECONDS:
        way = "ahead of" if seconds > 0 else "behind"
        return "fault", (
            f"The database's clock is {abs(seconds):.0f} s {way} this machine's, which decides when tokens expire: "
            "synchronise both with NTP."
        )
    return "ok", f"The database's clock and this machine's are at most {LEEWAY_SECONDS} s apart."


def _connections(diagnosis: Diagnosis, settings: Settings) -> Verdict:
    if diagnosis.is_pooled and settings.prepared_statements:
        return "advice", (
            "There is a connection pooler in front of the database: if it is in transaction mode, set "
            "DATABASE_PREPARED_STATEMENTS=false, unless it is PgBouncer 1.21 or later with max_prepared_statements."
        )
    if diagnosis.is_pooled:
        return "ok", "There is a connection pooler in front of the database, which sets its own limits."
    # Each worker has two more: one for /health and for announcements, and one that listens for those of others.
    most, needed = diagnosis.most_connections, settings.workers * (settings.pool_max_size + 2)
    if needed > most:
        return "fault", (
            f"All workers together may open {needed} connections, but the database allows only {most}: lower "
            "WEB_CONCURRENCY or DATABASE_POOL_MAX_SIZE, raise the limit, or put a connection pooler in front of it."
        )
    return "ok", f"All workers together may open {needed} connections, and the database allows {most}."


def _announcements(diagnosis: Diagnosis, _: Settings) -> Verdict:
    if diagnosis.hears_announcements:
        return "ok", "LISTEN works: a change in one process reaches the streams of all others at once."
    if diagnosis.is_replica:
        return "skip", "Not checked: replicas do not announce anything."
    return "advice", NOT_HEARD


_CHECKS: dict[str, Callable[[Diagnosis, Settings], Verdict]] = {
    "tls": _tls,
    "encoding": _encoding,
    "locale": _locale,
    "extensions": _extensions,
    "migrations": _migrations,
    "privileges": _privileges,
    "writes": _writes,
    "clock": _clock,
    "connections": _connections,
    "announcements": _announcements,
}
