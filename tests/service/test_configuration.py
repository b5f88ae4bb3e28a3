"""Settings from the environment and `.env`: all errors are reported together, and none shows a secret or a password."""

from collections.abc import Mapping
from dataclasses import FrozenInstanceError
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from handlers.settings.settings import ConfigurationError, Settings
from tests.support.server import SECRET, run

NO_FILE = Path("no-such-file")
LOCAL = "postgresql://ada:hunter2hunter2@localhost/todo"
NEON = "postgres://ada:hunter2hunter2@ep-x.eu-central-1.aws.neon.tech/todo?sslmode=require&channel_binding=require"
REMOTE = "postgresql://ada:hunter2hunter2@db.example.com/todo"


def load(variables: Mapping[str, str], env_file: Path = NO_FILE) -> Settings:
    """Load settings from these variables; the database and the secret are valid unless overridden."""
    return Settings.load({"DATABASE_URL": LOCAL, "BETTER_AUTH_SECRET": SECRET, **variables}, env_file)


def faults(**variables: str) -> tuple[str, ...]:
    """Return the errors of settings with these variables; an empty tuple if they are accepted."""
    try:
        load(variables)
    except ConfigurationError as error:
        return error.faults
    return ()


def test_the_defaults_match_the_readme() -> None:
    found = load({})
    assert (found.environment, found.host, found.port) == ("development", "127.0.0.1", 7860)
    assert (found.jwt_algorithm, found.jwt_issuer, found.jwt_audience) == ("HS256", None, None)
    assert found.jwks_url is None
    assert (found.workers, found.body_limit, found.log_level) == (1, 65_536, "info")
    assert (found.pool_min_size, found.pool_max_size) == (1, 10)
    assert (found.pool_timeout, found.statement_timeout) == (5.0, 10.0)
    assert (found.prepared_statements, found.migrate_on_start) == (True, True)
    assert (found.metrics_port, found.forwarded_allow_ips) == (None, "127.0.0.1,::1")
    assert found.allowed_origins == ("http://localhost:3000",)


@pytest.mark.parametrize(
    ("variable", "value", "setting", "expected"),
    [
        ("DATABASE_URL", NEON, "database_url", NEON),
        ("DATABASE_URL", f" {REMOTE} ", "database_url", REMOTE),
        ("BETTER_AUTH_SECRET", " x" * 16, "secret", " x" * 16),
        ("BETTER_AUTH_SECRET", "ß" * 32, "secret", "ß" * 32),
        ("JWT_ALGORITHM", "hs512", "jwt_algorithm", "HS512"),
        ("JWT_ISSUER", "nextjs-frontend", "jwt_issuer", "nextjs-frontend"),
        ("JWT_AUDIENCE", "", "jwt_audience", None),
        ("JWKS_URL", " ", "jwks_url", None),
        ("JWKS_URL", " https://app.example.com/api/auth/jwks ", "jwks_url", "https://app.example.com/api/auth/jwks"),
        ("JWKS_URL", "HTTP://App.example.com:81/jwks?a=b", "jwks_url", "HTTP://App.example.com:81/jwks?a=b"),
        ("JWKS_URL", "http://[::1]:3000", "jwks_url", "http://[::1]:3000"),
        ("ALLOWED_ORIGINS", "https://a.example/ , http://b.example:81,,", "allowed_origins", ("https://a.example", "http://b.example:81")),
        ("ALLOWED_ORIGINS", "https://A.example,https://a.example", "allowed_origins", ("https://a.example",)),
        ("ALLOWED_ORIGINS", "https://a.example:443,http://b.example:80", "allowed_origins", ("https://a.example", "http://b.example")),
        ("ALLOWED_ORIGINS", "http://a.example:443", "allowed_origins", ("http://a.example:443",)),
        ("ALLOWED_ORIGINS", "*", "allowed_origins", ("*",)),
        ("ALLOWED_ORIGINS", "https://*.A.example:443", "allowed_origins", ("https://*.a.example",)),
        ("ALLOWED_ORIGINS", "https://my-*-team.example:8443/", "allowed_origins", ("https://my-*-team.example:8443",)),
        ("ALLOWED_ORIGINS", "http://localhost:*,https://localhost:*", "allowed_origins", ("http://localhost:*", "https://localhost:*")),
        ("ALLOWED_ORIGINS", "http://[::1]:3000,https://my_app.example.", "allowed_origins", ("http://[::1]:3000", "https://my_app.example.")),
        ("HOST", "::1", "host", "::1"),
        ("HOST", "[::1]", "host", "::1"),
        ("HOST", "[::]", "host", "::"),
        ("HOST", "0:0:0:0:0:0:0:0", "host", "::"),
        ("HOST", "fe80::1%eth0", "host", "fe80::1%eth0"),
        ("HOST", "[localhost]", "host", "[localhost]"),
        ("PORT", "8080", "port", 8080),
        ("PORT", " ", "port", 7860),
        ("ENVIRONMENT", "Production", "environment", "production"),
        ("WEB_CONCURRENCY", "4", "workers", 4),
        ("SHUTDOWN_DELAY", "15", "shutdown_delay", 15.0),
        ("DATABASE_POOL_MIN_SIZE", "0", "pool_min_size", 0),
        ("DATABASE_POOL_MIN_SIZE", "20", "pool_max_size", 20),
        ("DATABASE_POOL_MAX_SIZE", "3", "pool_max_size", 3),
        ("DATABASE_POOL_TIMEOUT", "1", "pool_timeout", 1.0),
        ("DATABASE_STATEMENT_TIMEOUT", "60", "statement_timeout", 60.0),
        ("DATABASE_PREPARED_STATEMENTS", "off", "prepared_statements", False),
        ("MIGRATE_ON_START", "0", "migrate_on_start", False),
        ("TRASH_RETENTION_DAYS", "1", "trash_retention_days", 1),
        ("IDEMPOTENCY_RETENTION_DAYS", "30", "idempotency_retention_days", 30),
        ("BODY_LIMIT", "1048576", "body_limit", 1_048_576),
        ("HEAD_TIMEOUT", "5", "head_timeout", 5.0),
        ("BODY_TIMEOUT", "60", "body_timeout", 60.0),
        ("KEEP_ALIVE_TIMEOUT", "620", "keep_alive_timeout", 620.0),
        ("LOG_LEVEL", "WARNING", "log_level", "warning"),
        ("METRICS_PORT", "9090", "metrics_port", 9090),
        ("METRICS_PORT", "0", "metrics_port", None),
        ("FORWARDED_ALLOW_IPS", "*", "forwarded_allow_ips", "*"),
        ("FORWARDED_ALLOW_IPS", " 10.0.0.0/8, fd00::/8 ", "forwarded_allow_ips", "10.0.0.0/8,fd00::/8"),
        ("DATA_DIR", "/srv/todo", "data_directory", Path("/srv/todo")),
    ],
)  # fmt: skip
def test_a_variable_becomes_a_setting(variable: str, value: str, setting: str, expected: Any) -> None:
    assert getattr(load({variable: value}), setting) == expected


@pytest.mark.parametrize(
    ("variable", "value", "words"),
    [
        ("METRICS_PORT", "7860", "METRICS_PORT must not be the same port as PORT."),
        ("METRICS_PORT", "65536", "METRICS_PORT must be a whole number from 0 to 65535."),
        ("FORWARDED_ALLOW_IPS", "proxy", "must be * or a comma-separated list of IP addresses and networks"),
        ("FORWARDED_ALLOW_IPS", "*,10.0.0.1", "must be * or a comma-separated list of IP addresses and networks"),
        ("FORWARDED_ALLOW_IPS", "10.0.0.1/8", "must be * or a comma-separated list of IP addresses and networks"),
        ("DATABASE_URL", "postgresql://ada:hunter2hunter2/todo", "must look like postgresql://"),
        ("DATABASE_URL", "mysql://ada@localhost/todo", "must look like postgresql://"),
        ("DATABASE_URL", "postgresql+psycopg://ada@localhost/todo", "without a driver such as +psycopg"),
        ("DATABASE_URL", f"psql '{NEON}'", "without the word psql"),
        ("DATABASE_URL", f"'{NEON}'", "without quotes"),
        ("DATABASE_URL", "postgresql://ada:50%@localhost/todo", "Percent-encode"),
        (
            "DATABASE_URL",
            "postgresql://localhost/todo?no_such_option=1",
            "must have only parameters of libpq behind the ?",
        ),
        ("DATABASE_URL", f"{LOCAL}?sslmode", "must have only parameters of libpq behind the ?"),
        ("DATABASE_URL", "postgresql://ada:12?a/2hunter2@localhost/todo", "Percent-encode"),
        ("DATABASE_URL", "localhost", "must look like"),
        ("DATABASE_URL", "postgresql://ada:hunter@2hunter2@localhost/todo", "Percent-encode"),
        ("DATABASE_URL", "postgresql://ada:hunter/2hunter2@localhost/todo", "Percent-encode"),
        ("DATABASE_URL", "postgresql://ada:12/2hunter2@localhost/todo", "Percent-encode"),
        ("DATABASE_URL", "postgresql://ada:\udcff@localhost/todo", "Percent-encode"),
        ("BETTER_AUTH_SECRET", "x" * 31, "at least 32 characters"),
        ("BETTER_AUTH_SECRET", f"-----BEGIN PUBLIC KEY-----\n{'x' * 32}\n-----END PUBLIC KEY-----", "not a public key"),
        ("BETTER_AUTH_SECRET", "\udcff" * 32, "must be UTF-8 text"),
        ("JWT_ALGORITHM", "none", "HS256, HS384, HS512"),
        ("JWT_ALGORITHM", "RS256", "HS256, HS384, HS512"),
        ("JWKS_URL", "app.example.com/api/auth/jwks", "must look like https://"),
        ("JWKS_URL", "/api/auth/jwks", "must look like https://"),
        ("JWKS_URL", "file:///etc/passwd", "must look like https://"),
        ("JWKS_URL", "https:///jwks", "must look like https://"),
        ("JWKS_URL", "https://ada:hunter2@app.example.com/jwks", "without a user name, a password"),
        ("JWKS_URL", "https://app.example.com/jwks#keys", "a fragment"),
        ("JWKS_URL", "https://app.example.com:port/jwks", "must look like https://"),
        ("JWKS_URL", "https://app.example.com:99999/jwks", "must look like https://"),
        ("JWKS_URL", "https://app example.com/jwks", "must look like https://"),
        ("JWKS_URL", "https://[::1/jwks", "must look like https://"),
        ("ALLOWED_ORIGINS", "app.example.com", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a.example, https://ada:pw@b.example", "entry 2 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a.example/path", "without a path"),
        ("ALLOWED_ORIGINS", "https://a.example,*", "cannot be combined with other entries"),
        ("ALLOWED_ORIGINS", "https://b\u00fccher.example", "the host in ASCII (xn--...): entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://*.b\u00fccher.example", "the host in ASCII (xn--...): entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a b.example", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a.example#.b.example", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "*.a.example", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "*://a.example", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "http*://a.example", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://*.a.example/path", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://*@a.example", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a.example/*", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a.example?*", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "https://a.example#*", "entry 1 is not an origin"),
        ("ALLOWED_ORIGINS", "http://[fe80::*]", "another *"),
        ("ALLOWED_ORIGINS", "https://a.example, https://*.*.b.example", "entry 2 has another *"),
        ("ALLOWED_ORIGINS", "https://**.a.example", "entry 1 has another *"),
        ("ALLOWED_ORIGINS", "https://a-*-*.a.example", "entry 1 has another *"),
        ("ALLOWED_ORIGINS", "https://a.example:*", "in development as the port of localhost: entry 1 has another *"),
        ("ALLOWED_ORIGINS", "http://a.localhost:*", "entry 1 has another *"),
        ("ALLOWED_ORIGINS", "http://*:3000", "entry 1 allows too many hosts"),
        ("ALLOWED_ORIGINS", "http://localhost*", "entry 1 allows too many hosts"),
        ("ALLOWED_ORIGINS", "https://*.", "entry 1 allows too many hosts"),
        ("PORT", "65536", "1 to 65535"),
        ("PORT", "0", "1 to 65535"),
        ("PORT", "-1", "1 to 65535"),
        ("PORT", "http", "1 to 65535"),
        ("PORT", "8_080", "1 to 65535"),
        ("PORT", "\u0661", "1 to 65535"),
        ("ENVIRONMENT", "prod", "development, production"),
        ("WEB_CONCURRENCY", "0", "1 to 256"),
        ("WEB_CONCURRENCY", "2.5", "1 to 256"),
        ("SHUTDOWN_DELAY", "-1", "0 to 600"),
        ("DATABASE_POOL_MIN_SIZE", "-1", "0 to 1000"),
        ("DATABASE_POOL_MAX_SIZE", "0", "1 to 1000"),
        ("DATABASE_POOL_TIMEOUT", "soon", "1 to 600"),
        ("DATABASE_STATEMENT_TIMEOUT", "0", "1 to 600"),
        ("DATABASE_PREPARED_STATEMENTS", "maybe", "true or false"),
        ("MIGRATE_ON_START", "2", "true or false"),
        ("TRASH_RETENTION_DAYS", "0", "1 to 36500"),
        ("IDEMPOTENCY_RETENTION_DAYS", "1h", "1 to 36500"),
        ("BODY_LIMIT", "64KiB", "1024 to"),
        ("HEAD_TIMEOUT", "0", "1 to 3600"),
        ("BODY_TIMEOUT", "0.5", "1 to 3600"),
        ("KEEP_ALIVE_TIMEOUT", "75s", "1 to 3600"),
        ("LOG_LEVEL", "loud", "debug, info, warning, error"),
    ],
)
def test_an_error_names_the_variable_and_what_it_must_be(variable: str, value: str, words: str) -> None:
    (fault,) = faults(**{variable: value})
    assert fault.startswith(variable)
    assert words in fault


@pytest.mark.parametrize("environment", ["development", "production"])
@pytest.mark.parametrize(
    ("parameter", "instead"),
    [
        ("schema=public", "remove it for the schema public, or write options=-csearch_path%3DNAME for another one."),
        ("currentSchema=todo", "or write options=-csearch_path%3DNAME for another one."),
        ("pool_timeout=20", "set DATABASE_POOL_TIMEOUT instead."),
        ("pool_size=5", "set DATABASE_POOL_MAX_SIZE instead."),
        ("ssl=require", "write sslmode=require or sslmode=verify-full instead."),
        ("ssl=false", "write sslmode=require or sslmode=verify-full instead."),
        ("sslaccept=strict", "write sslmode=require or sslmode=verify-full instead."),
        ("uselibpqcompat=true", "remove it."),
        ("command_timeout=60", "set DATABASE_STATEMENT_TIMEOUT instead."),
        ("statement_cache_size=0", "set DATABASE_PREPARED_STATEMENTS=false."),
    ],
)
@pytest.mark.parametrize("url", [f"{REMOTE}?", f"{NEON}&", "postgresql://ada:pa?schema=1&x@db.example.com/todo?"])
def test_a_parameter_of_another_driver_is_named_with_what_to_write_instead(
    environment: str, parameter: str, instead: str, url: str
) -> None:
    (fault,) = faults(ENVIRONMENT=environment, DATABASE_URL=f"{url}{parameter}")
    start = f"DATABASE_URL has the parameter {parameter.split('=')[0]}, which belongs to another driver: "
    assert fault.startswith(start)
    assert fault.endswith(instead)


def test_each_parameter_of_another_driver_is_reported_with_all_other_errors() -> None:
    found = faults(DATABASE_URL=f"'{LOCAL}?schema=public&ssl=require&pgbouncer=true'")
    assert [fault.split(",")[0].split(":")[0] for fault in found] == [
        "DATABASE_URL has the parameter schema",
        "DATABASE_URL has the parameter ssl",
        "DATABASE_URL must look like postgresql",
    ]


@pytest.mark.parametrize(
    ("url", "read"),
    [
        (f"{REMOTE}?pgbouncer=true", REMOTE),
        (f"{REMOTE}?connection_limit=1&pgbouncer=true", REMOTE),
        (f"{NEON}&pgbouncer=true&connect_timeout=15", f"{NEON}&connect_timeout=15"),
        (f"{REMOTE}?pgbouncer=true&ssl=true", f"{REMOTE}?ssl=true"),
    ],
)
def test_parameters_that_providers_print_for_prisma_are_ignored_with_a_warning(url: str, read: str) -> None:
    found = load({"DATABASE_URL": url})
    assert found.database_url == read
    names = [name for name in ("connection_limit", "pgbouncer") if name in url]
    assert [warning.split(",")[0] for warning in found.warnings] == [
        f"DATABASE_URL has the parameter {name}" for name in names
    ]


def test_a_password_may_look_like_a_parameter_of_another_driver() -> None:
    url = "postgresql://ada:pa?schema=1&pgbouncer=x@localhost/todo"
    found = load({"DATABASE_URL": url})
    assert (found.database_url, found.warnings) == (url, ())


def test_all_errors_are_reported_together_without_a_traceback(tmp_path: Path) -> None:
    wrong = {
        "DATABASE_URL": "mysql://ada:hunter2hunter2@localhost/todo",
        "BETTER_AUTH_SECRET": "short-and-secret",
        "ALLOWED_ORIGINS": "nowhere",
        "PORT": "x",
        "ENVIRONMENT": "staging",
        "WEB_CONCURRENCY": "many",
        "MIGRATE_ON_START": "perhaps",
    }
    for arguments in (("serve",), ("migrate",), ("token", "ada")):
        refused = run(*arguments, directory=tmp_path, settings=wrong)
        assert (refused.returncode, refused.stdout) == (1, "")
        lines = refused.stderr.splitlines()
        assert lines[0].startswith("Error: The configuration has ")
        assert {line.split()[0].rstrip(":") for line in lines[1:]} == set(wrong)
        assert "hunter2" not in refused.stderr
        assert "short-and-secret" not in refused.stderr


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"DATABASE_URL": ""}, "DATABASE_URL is required in production"),
        ({"BETTER_AUTH_SECRET": ""}, "BETTER_AUTH_SECRET is required in production"),
        ({"BETTER_AUTH_SECRET": "x" * 31}, "at least 32 characters"),
        ({"ALLOWED_ORIGINS": "*"}, "must list every origin"),
        ({"ALLOWED_ORIGINS": "https://a.example,*"}, "must list every origin"),
        ({"ALLOWED_ORIGINS": "https://*.app"}, "in production one of at least two labels, as in https://*.example.com"),
        ({"ALLOWED_ORIGINS": "https://*.app."}, "entry 1 allows too many hosts"),
        ({"ALLOWED_ORIGINS": "https://*.app:8443"}, "entry 1 allows too many hosts"),
        ({"ALLOWED_ORIGINS": "https://my-*.app"}, "entry 1 allows too many hosts"),
        ({"ALLOWED_ORIGINS": "https://*vercel.app"}, "entry 1 allows too many hosts"),
        ({"ALLOWED_ORIGINS": "http://localhost:*"}, "in development as the port of localhost: entry 1 has another *"),
        ({"JWKS_URL": "http://app.example.com/jwks"}, "JWKS_URL must begin with https:// in production"),
        ({"JWKS_URL": "http://10.0.0.5/jwks"}, "JWKS_URL must begin with https:// in production"),
        ({"DATABASE_URL": REMOTE}, "sslmode=require"),
        ({"DATABASE_URL": f"{REMOTE}?sslmode=disable"}, "sslmode=require"),
        ({"DATABASE_URL": f"{REMOTE}?sslmode=allow"}, "sslmode=require"),
        ({"DATABASE_URL": f"{REMOTE}?sslmode=prefer"}, "sslmode=require"),
        ({"DATABASE_URL": "postgresql://localhost,db.example.com/todo"}, "sslmode=require"),
        ({"DATABASE_URL": "postgresql:///todo?hostaddr=192.0.2.1"}, "sslmode=require"),
        ({"DATABASE_URL": "postgresql://localhost/todo?hostaddr=192.0.2.1"}, "sslmode=require"),
    ],
)
def test_production_rejects_unsafe_settings(variables: dict[str, str], words: str) -> None:
    (fault,) = faults(ENVIRONMENT="production", **variables)
    assert words in fault


@pytest.mark.parametrize(
    ("url", "environment", "is_accepted"),
    [
        ("postgresql:///todo", {"PGHOST": "db.example.com"}, False),
        ("postgresql:///todo", {"PGHOSTADDR": "192.0.2.1"}, False),
        ("postgresql:///todo", {"PGHOST": "db.example.com", "PGSSLMODE": "require"}, True),
        ("postgresql://localhost/todo", {"PGHOST": "db.example.com"}, True),
        ("postgresql:///todo?service=production", {}, False),
        ("postgresql:///todo", {"PGSERVICE": "production"}, False),
        ("postgresql:///todo?service=production&sslmode=require", {}, True),
        ("postgresql://db.example.com,localhost/todo?hostaddr=,127.0.0.1", {}, False),
        ("postgresql://db.example.com,localhost/todo?hostaddr=127.0.0.1,", {}, True),
        (REMOTE, {"PGSSLMODE": "require"}, True),
        (REMOTE, {"PGSSLMODE": "prefer"}, False),
    ],
)
def test_what_a_url_does_not_specify_is_read_from_the_environment_as_libpq_does(
    url: str, environment: dict[str, str], is_accepted: bool
) -> None:
    found = faults(ENVIRONMENT="production", DATABASE_URL=url, **environment)
    assert (found == ()) == is_accepted


def test_a_variable_for_libpq_has_no_effect_in_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("PGSSLMODE=require\n")
    with pytest.raises(ConfigurationError, match="sslmode=require"):
        load({"ENVIRONMENT": "production", "DATABASE_URL": REMOTE}, file)


@pytest.mark.parametrize(
    "url",
    [
        NEON,
        f"{REMOTE}?sslmode=verify-ca",
        f"{REMOTE}?sslmode=verify-full",
        LOCAL,
        "postgresql://ada@127.0.0.1/todo",
        "postgresql://ada@[::1]:5433/todo",
        "postgresql:///todo?host=/run/postgresql",
        "postgresql:///todo",
    ],
)
def test_production_accepts_a_database_with_tls_or_on_the_same_machine(url: str) -> None:
    found = load({"ENVIRONMENT": "production", "DATABASE_URL": url})
    assert (found.database_url, found.host, found.allowed_origins) == (url, "0.0.0.0", ())  # noqa: S104


@pytest.mark.parametrize("url", ["https://app.example.com/jwks", "http://localhost:3000/jwks", "http://[::1]/jwks"])
def test_production_accepts_keys_over_tls_or_from_the_same_machine(url: str) -> None:
    assert load({"ENVIRONMENT": "production", "JWKS_URL": url}).jwks_url == url


@pytest.mark.parametrize("environment", ["development", "production"])
def test_a_pattern_over_hosts_is_accepted_with_a_warning(environment: str) -> None:
    origins = "https://a.example,https://*.vercel.app"
    found = load({"ENVIRONMENT": environment, "ALLOWED_ORIGINS": origins})
    assert found.allowed_origins == ("https://a.example", "https://*.vercel.app")
    (warning,) = found.warnings
    assert warning.startswith("ALLOWED_ORIGINS has https://*.vercel.app: if others can have a host name that matches")


def test_other_settings_cause_no_warning() -> None:
    for origins in ("https://a.example", "*", "http://localhost:*"):
        assert load({"ALLOWED_ORIGINS": origins}).warnings == ()


def test_everything_that_production_lacks_is_reported_together() -> None:
    assert len(faults(ENVIRONMENT="production", DATABASE_URL="", BETTER_AUTH_SECRET="", ALLOWED_ORIGINS="*")) == 3


def test_the_environment_takes_precedence_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("# a comment\nPORT=1111\nHOST='::1'\nexport LOG_LEVEL=debug\nJWT_ISSUER=${HOME}\nJWT_AUDIENCE=\n")
    found = load({"PORT": "2222"}, file)
    assert (found.port, found.host, found.log_level) == (2222, "::1", "debug")
    assert (found.jwt_issuer, found.jwt_audience) == ("${HOME}", None)


def test_the_file_is_read_from_the_working_directory(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("LOG_LEVEL=x\n")
    assert "LOG_LEVEL must be" in run("serve", directory=tmp_path, settings={}).stderr


def test_a_file_that_is_not_text_is_an_error_that_names_it(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"PORT=\xff")
    with pytest.raises(ConfigurationError, match=r"\.env cannot be read as UTF-8 text"):
        load({}, file)


@pytest.mark.parametrize(
    "line", ['JWT_AUDIENCE="todo', "JWT_ISSUER todo", "PORT: 7860", "JWT_ISSUER='a' b", "HOST=a\0b"]
)
def test_a_malformed_line_of_the_file_is_an_error(tmp_path: Path, line: str) -> None:
    file = tmp_path / ".env"
    file.write_text(f"\ufeffHOST=::1\n{line}\nPORT=x\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"Line 2 of the file .*\.env must be NAME=value, .*\nPORT must be"):
        load({}, file)


def test_a_directory_that_cannot_store_a_secret_is_reported_with_all_other_errors(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    port, secret = faults(BETTER_AUTH_SECRET="", DATA_DIR=str(tmp_path / "file"), PORT="x")
    assert (port.split()[0], secret.split()[0]) == ("PORT", "BETTER_AUTH_SECRET")
    assert f"no secret can be stored in {tmp_path / 'file' / 'secret'}: File exists." in secret
    assert secret.endswith("or set DATA_DIR to another directory.")


def test_a_missing_home_directory_is_an_error_only_if_it_is_needed() -> None:
    assert not faults(DATA_DIR="~no-such-user/data")
    assert faults(DATA_DIR="~no-such-user/data", DATABASE_URL="")[0].startswith("DATA_DIR must be set")


def test_a_missing_secret_is_generated_once_and_readable_by_the_owner_only(tmp_path: Path) -> None:
    variables = {"BETTER_AUTH_SECRET": "", "DATA_DIR": str(tmp_path / "new" / "data")}
    first = load(variables).secret
    assert len(first) >= 32
    assert load(variables).secret == first
    (file,) = (tmp_path / "new" / "data").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    assert load(variables | {"DATA_DIR": str(tmp_path / "other")}).secret != first


def test_a_stored_secret_that_is_too_short_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("x" * 31)
    (fault,) = faults(BETTER_AUTH_SECRET="", DATA_DIR=str(tmp_path))
    assert fault.startswith(f"The secret stored in {tmp_path / 'secret'} has fewer than 32 characters. Delete the file")


def test_a_stored_secret_that_is_not_text_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff" * 32)
    (fault,) = faults(BETTER_AUTH_SECRET="", DATA_DIR=str(tmp_path))
    assert f"no secret can be stored in {tmp_path / 'secret'}: the file is not text." in fault


def test_settings_are_frozen_and_show_no_secret() -> None:
    found = load({"DATABASE_URL": NEON})
    with pytest.raises(FrozenInstanceError):
        found.port = 1  # type: ignore[misc]
    assert SECRET not in repr(found) + str(found)
    assert "hunter2" not in repr(found) + str(found)


VARIABLES = [
    "ALLOWED_ORIGINS",
    "BODY_LIMIT",
    "DATABASE_POOL_MAX_SIZE",
    "DATABASE_POOL_TIMEOUT",
    "DATABASE_PREPARED_STATEMENTS",
    "ENVIRONMENT",
    "IDEMPOTENCY_RETENTION_DAYS",
    "JWKS_URL",
    "JWT_ALGORITHM",
    "LOG_LEVEL",
    "MIGRATE_ON_START",
    "PORT",
    "SHUTDOWN_DELAY",
    "TRASH_RETENTION_DAYS",
    "WEB_CONCURRENCY",
]
TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=60)
URLS = st.builds(
    "{}{}:{}@{}{}".format,
    st.sampled_from(["postgresql://", "postgres://", "postgres:", "'postgresql://", "psql postgresql://", ""]),
    st.sampled_from(["ada", "", "%", "a@b"]),
    st.just("hunter2hunter2") | st.builds("{}hunter2{}".format, TEXT, TEXT),
    st.sampled_from(["localhost", "db.example.com:x", "[::1", "", "h:99999"]),
    st.sampled_from(["/todo", "/todo?sslmode=require", "?no_such=1", "/%zz", "'"])
    | st.sampled_from(
        ["/todo?schema=hunter2&hunter2=1", "/todo?pgbouncer=true&hunter2", "?ssl=hunter2&password=a&hunter2"]
    ),
)


@given(
    misplaced=st.fixed_dictionaries({}, optional=dict.fromkeys(VARIABLES, URLS | TEXT)),
    url=URLS,
    secret=st.builds("{}hunter2{}".format, TEXT, TEXT),
)
@settings(max_examples=300, deadline=None)
def test_no_error_shows_a_secret_or_a_password(misplaced: dict[str, str], url: str, secret: str) -> None:
    """Not even one that is set in the wrong variable."""
    for fault in faults(**misplaced | {"DATABASE_URL": url, "BETTER_AUTH_SECRET": secret}):
        assert "hunter2" not in fault
