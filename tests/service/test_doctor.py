"""`todo-api doctor` reports each fault and how to correct it, and nothing else. Scripts can use its exit status."""

import os
import pty
import subprocess
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.pgbouncer import needs_pgbouncer, run_pgbouncer
from tests.support.postgres import new_database, reachable_directory
from tests.support.server import SECRET, command, environment, run, start

CHECKS = [
    "configuration", "secret", "database", "tls", "encoding", "locale", "extensions",
    "migrations", "privileges", "writes", "clock", "connections", "announcements",
]  # fmt: skip


class Found(dict[str, str]):
    """The finding of each check by its name, beginning with the status."""

    def of(self, status: str) -> set[str]:
        """Return the checks of this status."""
        return {check for check, said in self.items() if said.startswith(f"{status} ")}


def examine(directory: Path, url: str = "", **settings: str) -> Found:
    """Return what `doctor` finds; its exit status is 1 if there is a fault, and 0 otherwise."""
    done = run("doctor", directory=directory, settings={"DATABASE_URL": url, **settings})
    found = Found()
    for line in done.stdout.splitlines():
        status, check, words = line.split(maxsplit=2)
        found[check] = f"{status} {words}"
    assert (done.stderr, done.returncode) == ("", 1 if found.of("fault") else 0)
    assert list(found) == CHECKS
    return found


def the_fault(found: Found, check: str) -> str:
    """Return the finding of the only check that found a fault."""
    assert found.of("fault") == {check}, found
    return found[check]


@pytest.fixture(scope="module")
def migrated(postgres: str) -> str:
    """Return the URL of a database that has its tables; tests do not change it."""
    url = new_database(postgres)
    migrate(url)
    return url


@pytest.fixture
def database(postgres: str, migrated: str) -> str:
    """Return the URL of a database that has its tables, for a test to break."""
    return new_database(postgres, f'TEMPLATE "{urlsplit(migrated).path[1:]}"')


def change(url: str, *statements: str) -> None:
    """Run statements; THIS in them stands for the database."""
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.replace("THIS", f'"{connection.info.dbname}"').encode())


def replace(url: str, what: str, how: str) -> None:
    """In one database, shadow a built-in relation or function of PostgreSQL with another one."""
    change(
        url,
        "CREATE SCHEMA odd",
        f"CREATE {what.replace(' ', ' odd.', 1)} {how}",
        "ALTER DATABASE THIS SET search_path = odd, pg_catalog, public",
    )


@pytest.fixture
def role(database: str) -> Iterator[str]:
    """Yield the URL of the same database for a role that may only connect."""
    change(database, 'CREATE ROLE "the-app" LOGIN')
    yield urlsplit(database)._replace(netloc="the-app@").geturl()
    change(database, 'DROP OWNED BY "the-app"', 'DROP ROLE "the-app"')


def test_every_check_is_ok_where_nothing_is_wrong(tmp_path: Path, migrated: str) -> None:
    found = examine(tmp_path, migrated)
    assert found.of("ok") == set(CHECKS)
    assert "PostgreSQL 18." in found["database"]
    assert " ms" in found["database"]


def test_output_to_a_file_has_no_colours_and_aligned_columns(tmp_path: Path, migrated: str) -> None:
    lines = run("doctor", directory=tmp_path, settings={"DATABASE_URL": migrated}).stdout.splitlines()
    for line, check in zip(lines, CHECKS, strict=True):
        assert line.startswith(f"ok     {check:<13} ")
        assert line.isprintable()


def test_a_terminal_gets_colours(tmp_path: Path, migrated: str) -> None:
    terminal, end = pty.openpty()
    subprocess.run(command("doctor"), cwd=tmp_path, env=environment(DATABASE_URL=migrated), stdout=end, check=True)
    os.close(end)
    assert os.read(terminal, 30).startswith(b"\x1b[32mok    \x1b[0m configuration")
    os.close(terminal)


def test_every_fault_of_the_configuration_is_reported_with_its_sources(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("PORT=http\nLOG_LEVEL=loud\n")
    done = run("doctor", directory=tmp_path, settings={"PORT": "", "BETTER_AUTH_SECRET": "too-short"})
    lines = done.stdout.splitlines()
    assert (done.returncode, done.stderr) == (1, "")
    assert lines[:4] == [
        "fault  configuration PORT must be a whole number from 1 to 65535.",
        "fault  configuration LOG_LEVEL must be one of debug, info, warning, error.",
        "fault  configuration BETTER_AUTH_SECRET must have at least 32 characters.",
        f"advice configuration It was read from the environment and {tmp_path}/.env.",
    ]
    assert [line.split()[:2] for line in lines[4:]] == [["skip", check] for check in CHECKS[1:]]


def test_a_warning_about_the_configuration_is_advice(tmp_path: Path, migrated: str) -> None:
    found = examine(tmp_path, migrated, ALLOWED_ORIGINS="https://*.vercel.app")
    assert found["configuration"].startswith("advice ALLOWED_ORIGINS has https://*.vercel.app: ")
    assert found.of("ok") == set(CHECKS[1:])


def test_a_database_that_does_not_answer_has_its_other_checks_skipped(tmp_path: Path) -> None:
    found = examine(tmp_path, "postgresql://ada:hunter2hunter2@127.0.0.1:1/todo")
    assert "start it, or correct DATABASE_URL: " in the_fault(found, "database")
    assert found.of("skip") == set(CHECKS[3:])


@pytest.mark.parametrize(
    ("url", "secret"),
    [
        ("postgresql://ada:hunter2hunter2@127.0.0.1:1/todo", "changeme-changeme-changeme-changeme"),
        ("mysql://ada:hunter2hunter2@127.0.0.1/todo", "too-short"),
    ],
)
def test_no_password_or_secret_is_shown(tmp_path: Path, url: str, secret: str) -> None:
    shown = run("doctor", directory=tmp_path, settings={"DATABASE_URL": url, "BETTER_AUTH_SECRET": secret}).stdout
    assert "fault  " in shown
    assert "hunter2" not in shown
    assert secret not in shown


@pytest.mark.parametrize(
    ("secret", "words"),
    [
        ("better-auth-secret-12345678901234567890", "a well-known placeholder"),
        ("a-string-secret-at-least-256-bits-long", "a well-known placeholder"),
        ("CHANGE_ME-CHANGE_ME-CHANGE_ME-CHANGE_ME", "a well-known placeholder"),
        ("x" * 40, "is repetitive"),
        ("1234567890" * 4 + "12", "is repetitive"),
        ("0123456789abcdef" * 2, "is repetitive"),
        ("my-own-key-" + "a" * 40, "is repetitive"),
    ],
)
def test_a_secret_that_can_be_guessed_is_a_fault(tmp_path: Path, migrated: str, secret: str, words: str) -> None:
    said = the_fault(examine(tmp_path, migrated, BETTER_AUTH_SECRET=secret), "secret")
    assert words in said
    assert "openssl rand -base64 48" in said


@pytest.mark.parametrize("arguments", [("-hex", "16"), ("-base64", "32"), ("-base64", "48")])
def test_a_random_secret_is_strong(tmp_path: Path, migrated: str, arguments: tuple[str, ...]) -> None:
    secret = subprocess.run(["openssl", "rand", *arguments], capture_output=True, text=True, check=True).stdout.strip()
    assert examine(tmp_path, migrated, BETTER_AUTH_SECRET=secret)["secret"].startswith("ok ")


def test_a_longer_hash_needs_a_longer_secret(tmp_path: Path, migrated: str) -> None:
    assert "HS512 needs a secret of 64 bytes" in examine(tmp_path, migrated, JWT_ALGORITHM="HS512")["secret"]
    found = examine(tmp_path, migrated, JWT_ALGORITHM="HS512", BETTER_AUTH_SECRET=SECRET + SECRET[::-1])
    assert found["secret"].startswith("ok ")


@pytest.mark.parametrize(
    ("options", "faults"),
    [
        ("LOCALE 'C'", {"locale": "recreate the database with a UTF-8 locale"}),
        (
            "ENCODING SQL_ASCII LOCALE 'C'",
            {"encoding": "recreate the database with ENCODING 'UTF8'", "locale": "UTF-8 locale"},
        ),
    ],
)
def test_a_database_that_would_miss_tasks_in_searches_is_a_fault(
    tmp_path: Path, postgres: str, options: str, faults: dict[str, str]
) -> None:
    found = examine(tmp_path, new_database(postgres, f"LOCALE_PROVIDER libc {options} TEMPLATE template0"))
    assert found.of("fault") == faults.keys()
    assert all(words in found[check] for check, words in faults.items())


def test_missing_tables_are_a_fault_only_where_serving_does_not_create_them(tmp_path: Path, postgres: str) -> None:
    empty = new_database(postgres)
    found = examine(tmp_path, empty)
    assert (found.of("fault"), found.of("advice"), found.of("skip")) == (set(), {"migrations"}, {"privileges"})
    assert found["extensions"] == "ok The migrations will create pg_trgm and btree_gin."
    said = the_fault(examine(tmp_path, empty, MIGRATE_ON_START="false"), "migrations")
    assert said == "fault There are no tables yet: run todo-api migrate."
    with psycopg.connect(empty) as connection:
        assert connection.execute("SELECT to_regclass('tasks') IS NULL").fetchone() == (True,)


def test_tables_of_an_older_release_need_a_migration(tmp_path: Path, database: str) -> None:
    change(database, "UPDATE alembic_version SET version_num = '0001'")
    said = the_fault(examine(tmp_path, database, MIGRATE_ON_START="false"), "migrations")
    assert "are at revision 0001, not " in said
    assert said.endswith(": run todo-api migrate.")


def test_tables_of_a_newer_release_are_advice_to_upgrade(tmp_path: Path, database: str) -> None:
    change(database, "UPDATE alembic_version SET version_num = '9999'")
    found = examine(tmp_path, database)
    assert found["migrations"].startswith("advice The tables are at revision 9999, from a newer release")


def test_missing_tables_are_a_fault_if_the_database_has_a_revision(tmp_path: Path, database: str) -> None:
    change(database, "ALTER TABLE tasks RENAME TO tasks_of_old")
    assert "The migrations have run, but the role postgres does not see tasks" in the_fault(
        examine(tmp_path, database), "migrations"
    )


def test_a_database_that_answers_but_cannot_be_examined_is_reported_as_such(tmp_path: Path, database: str) -> None:
    change(database, "ALTER TABLE alembic_version RENAME COLUMN version_num TO version")
    assert "It responds, but a query about it failed: " in the_fault(examine(tmp_path, database), "database")


def test_tables_of_another_application_are_a_fault(tmp_path: Path, database: str) -> None:
    change(database, "UPDATE alembic_version SET version_num = 'ae1027a6acf'")
    assert "ae1027a6acf, which this service does not have" in the_fault(examine(tmp_path, database), "migrations")


def test_the_statements_to_grant_missing_privileges_are_printed(tmp_path: Path, database: str, role: str) -> None:
    found = examine(tmp_path, role)
    said = the_fault(found, "privileges")
    assert found.of("skip") == {"migrations"}
    statements = said.partition(", run ")[2]
    # Three for each of six tables, DELETE for the three that are purged, and SELECT for the migrations.
    assert statements.count("GRANT ") == 6 * 3 + 3 + 1
    change(database, statements)
    assert examine(tmp_path, role).of("ok") == set(CHECKS)


def test_a_role_that_may_not_migrate_is_a_fault(tmp_path: Path, database: str, role: str) -> None:
    change(database, "UPDATE alembic_version SET version_num = '0001'")
    change(database, 'GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO "the-app"')
    assert "may not create any: run todo-api migrate as their owner" in the_fault(examine(tmp_path, role), "migrations")


def test_the_statements_to_create_missing_extensions_are_printed(tmp_path: Path, database: str, role: str) -> None:
    change(
        database,
        "DROP TABLE accounts, tasks, lists, preferences, idempotency_keys, leases, alembic_version",
        "DROP EXTENSION pg_trgm, btree_gin",
    )
    change(database, 'GRANT CREATE ON SCHEMA public TO "the-app"')
    said = the_fault(examine(tmp_path, role), "extensions")
    assert "CREATE EXTENSION pg_trgm; CREATE EXTENSION btree_gin;" in said
    change(database, 'GRANT CREATE ON DATABASE THIS TO "the-app"')
    assert examine(tmp_path, role)["extensions"].startswith("ok ")


def test_a_server_without_the_extensions_is_a_fault(tmp_path: Path, postgres: str) -> None:
    empty = new_database(postgres)
    replace(empty, "VIEW pg_available_extensions", "AS SELECT * FROM pg_catalog.pg_available_extensions LIMIT 0")
    assert "install PostgreSQL's contrib modules" in the_fault(examine(tmp_path, empty), "extensions")


def test_a_read_only_database_is_a_fault(tmp_path: Path, database: str) -> None:
    change(database, "ALTER DATABASE THIS SET default_transaction_read_only = on")
    assert "default_transaction_read_only" in the_fault(examine(tmp_path, database), "writes")


def test_a_replica_is_a_fault(tmp_path: Path, database: str) -> None:
    replace(database, "FUNCTION pg_is_in_recovery() RETURNS boolean", "RETURN true")
    assert "at the primary" in the_fault(examine(tmp_path, database), "writes")


@pytest.mark.parametrize(("seconds", "words"), [(100, "100 s ahead of"), (-100, "100 s behind")])
def test_clocks_that_are_too_far_apart_are_a_fault(tmp_path: Path, database: str, seconds: int, words: str) -> None:
    odd = f"pg_catalog.clock_timestamp() + interval '{seconds} s'"
    replace(database, "FUNCTION clock_timestamp() RETURNS timestamptz", f"RETURN {odd}")
    said = the_fault(examine(tmp_path, database), "clock")
    assert words in said
    assert "NTP" in said


def test_clocks_may_differ_by_the_leeway_of_tokens(tmp_path: Path, database: str) -> None:
    odd = "pg_catalog.clock_timestamp() + interval '25 s'"
    replace(database, "FUNCTION clock_timestamp() RETURNS timestamptz", f"RETURN {odd}")
    assert examine(tmp_path, database)["clock"].startswith("ok ")


def test_more_connections_than_the_database_allows_are_a_fault(tmp_path: Path, database: str) -> None:
    said = the_fault(examine(tmp_path, database, WEB_CONCURRENCY="100"), "connections")
    assert "may open 1200 connections, but the database allows only 97: lower WEB_CONCURRENCY" in said
    change(database, "ALTER DATABASE THIS CONNECTION LIMIT 10")
    assert "12 connections, but the database allows only 10" in the_fault(examine(tmp_path, database), "connections")
    assert examine(tmp_path, database, DATABASE_POOL_MAX_SIZE="8")["connections"].startswith("ok ")


@needs_pgbouncer
def test_a_connection_pooler_is_detected(tmp_path: Path, migrated: str) -> None:
    with run_pgbouncer(migrated) as url:
        assert "DATABASE_PREPARED_STATEMENTS=false" in examine(tmp_path, url)["connections"]
        settings = {"DATABASE_PREPARED_STATEMENTS": "false", "WEB_CONCURRENCY": "100"}
        assert examine(tmp_path, url, **settings).of("ok") == {*CHECKS} - {"announcements"}


@needs_pgbouncer
@pytest.mark.parametrize(("mode", "status"), [("transaction", "advice"), ("session", "ok")])
def test_listening_works_unless_a_pooler_is_in_transaction_mode(
    tmp_path: Path, migrated: str, mode: str, status: str
) -> None:
    with run_pgbouncer(migrated, f"pool_mode = {mode}\n") as url:
        said = examine(tmp_path, url)["announcements"]
        assert said.startswith(f"{status} LISTEN ")
        assert ("A direct URL avoids that." in said) == (mode == "transaction")


@needs_pgbouncer
def test_a_connection_to_another_host_must_be_encrypted_and_should_be_verified(tmp_path: Path, migrated: str) -> None:
    with reachable_directory() as directory:
        key, certificate = directory / "key.pem", directory / "certificate.pem"
        openssl = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=database"
        files = ["-addext", "subjectAltName=IP:0.0.0.0", "-keyout", str(key), "-out", str(certificate)]
        subprocess.run([*openssl.split(), *files], capture_output=True, check=True)
        key.chmod(0o644)
        tls = f"client_tls_sslmode = allow\nclient_tls_key_file = {key}\nclient_tls_cert_file = {certificate}\n"
        with run_pgbouncer(migrated, tls) as local:
            # It is this machine, but its address does not show it.
            url = local.replace("127.0.0.1", "0.0.0.0")  # noqa: S104 - nothing is bound
            assert "add ?sslmode=require" in the_fault(examine(tmp_path, f"{url}?sslmode=disable"), "tls")
            assert examine(tmp_path, f"{url}?sslmode=require")["tls"].startswith("advice ")
            verified = f"{url}?sslmode=verify-full&sslrootcert={certificate}"
            assert examine(tmp_path, verified)["tls"].startswith("ok The connection is encrypted")


def test_the_embedded_database_is_examined_whether_it_runs_or_not(tmp_path: Path) -> None:
    with reachable_directory() as directory:
        settings = {"DATA_DIR": str(directory), "BETTER_AUTH_SECRET": ""}
        found = examine(tmp_path, **settings)
        assert (found.of("fault"), found.of("advice")) == (set(), {"migrations"})
        with start(tmp_path, **settings) as service:
            found = examine(tmp_path, **settings)
            assert found.of("ok") == set(CHECKS)
            assert f"embedded in {directory}" in found["database"]
            assert service.process.poll() is None
        assert examine(tmp_path, **settings).of("ok") == set(CHECKS)
        assert not (directory / "postgresql/data/postmaster.pid").exists()


def test_an_embedded_database_that_cannot_run_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = examine(tmp_path, DATA_DIR=str(tmp_path / "file"))
    assert "Set DATA_DIR to another directory" in the_fault(found, "database")
