"""`todo-api doctor --token` says why this server rejects a token, or for which user and until when it is valid."""

import json
import os
import pty
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from storage.administration.migrations import migrate
from tests.support.client import claims_of, mint
from tests.support.jwks import jwks_host, signing_key
from tests.support.jws import base64url, sign
from tests.support.postgres import new_database
from tests.support.server import SECRET, command, environment, run

# The checks of the database are skipped.
NO_DATABASE = "postgresql://127.0.0.1:1/todo"
OTHER_SECRET = "another secret that is long enough for it"
FAR = 253402300799


def said_of(token: str | bytes, directory: Path, **settings: str) -> str:
    """Return what `doctor` says about a token on standard input, beginning with the status."""
    given = token if isinstance(token, bytes) else f"{token}\n".encode()
    done = run(
        "doctor", "--token", directory=directory, settings={"DATABASE_URL": NO_DATABASE, **settings}, given=given
    )
    assert (done.stderr, done.returncode) == ("", 1)
    (line,) = [line for line in done.stdout.splitlines() if line.split()[1] == "token"]
    status, _, words = line.split(maxsplit=2)
    secrets = {SECRET, OTHER_SECRET, *(part for part in given.decode("latin-1").split(".") if len(part) > 20)}
    assert not any(secret in done.stdout for secret in secrets)
    return f"{status} {words}"


def claiming(**changed: Any) -> str:
    """Return a token with some claims changed, correctly signed; a claim of None is left out."""
    return sign(json.dumps(claims_of("ada", **changed)))


def written(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def test_a_valid_token_is_valid_for_its_user_until_it_expires(tmp_path: Path) -> None:
    exp = int(time.time()) + 3600
    assert said_of(mint("ada", exp=exp), tmp_path) == f'ok Valid for the user "ada" until {written(exp)}.'


def test_a_token_that_is_valid_for_more_than_a_year_is_advice(tmp_path: Path) -> None:
    said = said_of(mint("ada", exp=FAR), tmp_path)
    assert said.startswith('advice Valid for the user "ada" until 9999-12-31 23:59:59 UTC, more than a year from now. ')
    assert "cannot be revoked" in said


def test_the_command_token_makes_a_valid_one(tmp_path: Path) -> None:
    settings = {"JWT_ALGORITHM": "HS512", "JWT_ISSUER": "https://app.example.com", "JWT_AUDIENCE": "todo"}
    settings |= {"BETTER_AUTH_SECRET": SECRET + SECRET[::-1]}
    token = run("token", "ada", "--expires", "2d", directory=tmp_path, settings=settings).stdout
    assert said_of(token.encode(), tmp_path, **settings).startswith('ok Valid for the user "ada" until ')


def test_only_the_check_of_the_secret_reports_a_secret_that_is_short_for_its_hash(tmp_path: Path) -> None:
    token = sign(json.dumps(claims_of("ada")), '{"alg":"HS512"}', by="HS512")
    assert said_of(token, tmp_path, JWT_ALGORITHM="HS512").startswith("ok Valid ")


def test_only_a_fault_sets_exit_status_1_and_only_the_option_checks_a_token(tmp_path: Path, postgres: str) -> None:
    url = new_database(postgres)
    migrate(url)
    settings = {"DATABASE_URL": url}
    valid, expired = mint("ada").encode(), mint("ada", exp=1_700_000_000).encode()
    done = run("doctor", "--token", directory=tmp_path, settings=settings, given=valid)
    assert (done.returncode, done.stderr) == (0, "")
    checks = [line.split()[1] for line in done.stdout.splitlines()]
    assert checks[:4] == ["configuration", "secret", "token", "database"]
    assert run("doctor", "--token", directory=tmp_path, settings=settings, given=expired).returncode == 1
    without = run("doctor", directory=tmp_path, settings=settings, given=expired)
    assert (without.returncode, [line.split()[1] for line in without.stdout.splitlines()]) == (
        0,
        [check for check in checks if check != "token"],
    )


SHAPES: dict[str, tuple[str | bytes, tuple[str, ...]]] = {
    "a session token": ("r2KJ8sZtBv1Q0nXcYd7EwGf5HaLmPuTi", ("1 part instead of 3", "Better Auth session token")),
    "a signed one": ("r2KJ8sZtBv1Q0nXcYd7EwGf5HaLmPuTi.q1w2e3r4=", ("2 parts instead of 3", "Better Auth session")),
    "an encrypted one": ("eyJhbGciOiJkaXIifQ..aXY.Y3Q.dGFn", ("5 parts instead of 3", "encrypted token (JWE)")),
    "with its scheme": (f"Bearer {mint('ada')}", ("begins with the word Bearer",)),
    "in quotes": (f'"{mint("ada")}"', ("in quotes",)),
    "wrapped": (mint("ada").replace(".", ".\n"), ("It contains a blank or a line break.",)),
    "padded": (f"{mint('ada')}=", ("padding (=)", "RFC 7515")),
    "not Base64url": ("a!c.def.ghi", ("Base64url", "copied completely")),
    "not an object": (sign("[]"), ("Base64url", "copied completely")),
    "not text": (b"\xff\xfe\x00\x01", ("1 part instead of 3",)),
}


@pytest.mark.parametrize("name", SHAPES)
def test_advice_on_input_that_is_not_a_jwt_depends_on_its_shape(tmp_path: Path, name: str) -> None:
    token, words = SHAPES[name]
    said = said_of(token, tmp_path)
    assert said.startswith("fault The token is not a JWT. ")
    assert all(word in said for word in words), said


@pytest.mark.parametrize("given", [b"", b"\n", b" \r\n\n"])
def test_empty_input_is_a_fault_that_says_what_to_do(tmp_path: Path, given: bytes) -> None:
    said = said_of(given, tmp_path)
    assert said.startswith("fault Standard input has no token: ")
    assert "todo-api token ada | todo-api doctor --token" in said


@pytest.mark.parametrize("around", [b" %b\n", b"\t%b", b"%b\n\n", b"\r\n%b\r\n"])
def test_blanks_and_line_breaks_around_a_valid_token_are_advice(tmp_path: Path, around: bytes) -> None:
    said = said_of(around % mint("ada").encode(), tmp_path)
    assert said.startswith('advice Valid for the user "ada" until ')
    assert "Remove the blanks and line breaks around the token" in said


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n"])
def test_the_end_of_the_line_is_not_part_of_the_token(tmp_path: Path, end: bytes) -> None:
    assert said_of(mint("ada").encode() + end, tmp_path).startswith("ok Valid ")


def test_a_token_that_no_request_can_carry_is_too_large(tmp_path: Path) -> None:
    said = said_of(mint("ada", name="x" * 60_000), tmp_path)
    assert said.startswith("fault The token is too large: the head of a request must have at most 65,536 bytes")


def test_another_algorithm_is_named_along_with_the_expected_one(tmp_path: Path) -> None:
    said = said_of(sign(json.dumps(claims_of("ada")), '{"alg":"HS384"}', by="HS384"), tmp_path)
    assert said.startswith("fault The token is signed with an algorithm that this server does not accept. ")
    assert 'Its header has the alg "HS384"; this server accepts "HS256" (JWT_ALGORITHM)' in said
    assert "JWKS_URL" not in said
    assert "set JWKS_URL" in said_of(signing_key("a").sign("ada", "http://localhost:3000"), tmp_path)
    assert "Its header has no alg;" in said_of(sign("{}", "{}"), tmp_path)


def test_a_wrong_signature_is_explained_by_another_secret(tmp_path: Path) -> None:
    said = said_of(sign(json.dumps(claims_of("ada")), secret=OTHER_SECRET), tmp_path)
    assert said.startswith("fault The token was signed with another secret or key, or changed after it was signed. ")
    assert "BETTER_AUTH_SECRET" in said


def test_an_expired_token_is_reported_with_its_time_and_this_machines(tmp_path: Path) -> None:
    said = said_of(claiming(exp=1_700_000_000), tmp_path)
    assert said.startswith("fault The token has expired. It expired at 2023-11-14 22:13:20 UTC, and it is now ")
    assert "NTP" in said


@pytest.mark.parametrize("claim", ["nbf", "iat"])
def test_a_token_that_is_not_valid_yet_is_reported_with_its_time_and_this_machines(tmp_path: Path, claim: str) -> None:
    later = int(time.time()) + 3600
    said = said_of(claiming(**{claim: later}), tmp_path)
    assert said.startswith(f"fault The token is not valid yet. Its {claim} is {written(later)}, and it is now ")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"exp": None}, ("The token has no exp. ", 'setExpirationTime("15m")')),
        ({"sub": None}, ("The token has no sub. ", "setSubject(id)", "Better Auth")),
        ({"sub": 42}, ("The token's sub is not a user id. It is 42, and must be text.",)),
        ({"sub": ["\ud800"]}, ("The token's sub is not a user id. ", r'["\ud800"]', "must be text")),
        ({"sub": "a/b"}, ("The token's sub is not a user id. ", '"a/b"', "without a slash")),
        ({"sub": "\ud800"}, ("The token's sub is not a user id. ", r'"\ud800"', "Unicode")),
        ({"exp": "soon"}, ("The token's exp is not a number of seconds since 1970. ", 'It is "soon"')),
        ({"nbf": True}, ("The token's nbf is not a number of seconds since 1970. ", "It is true")),
        ({"exp": 1_900_000_000_000}, ("The token's exp is out of range. ", "1900000000000", "milliseconds")),
        ({"iat": 1_900_000_000_000}, ("The token's iat is out of range. ", "1900000000000", "milliseconds")),
        ({"jti": 1}, ("The token's jti is not text.",)),
    ],
)
def test_a_wrong_claim_is_reported_with_the_value_that_it_must_have(
    tmp_path: Path, changed: dict[str, Any], words: tuple[str, ...]
) -> None:
    said = said_of(claiming(**changed), tmp_path)
    assert said.startswith(f"fault {words[0]}")
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"iss": "https://evil.example.com"}, 'Its iss is "https://evil.example.com"; this server expects '),
        ({"iss": None}, "Its iss is missing; this server expects "),
        ({"aud": ["a", "b"]}, 'Its aud is ["a", "b"]; this server expects '),
        ({"aud": "\x1b[31m"}, r'Its aud is "\u001b[31m"; this server expects '),
        ({"iss": "x" * 5000}, f'Its iss is "{"x" * 60}'),
    ],
)
def test_issuer_and_audience_are_shown_with_what_is_expected(
    tmp_path: Path, changed: dict[str, Any], words: str
) -> None:
    settings = {"JWT_ISSUER": "https://app.example.com", "JWT_AUDIENCE": "todo"}
    token = claiming(**{"iss": "https://app.example.com", "aud": "todo"} | changed)
    said = said_of(token, tmp_path, **settings)
    assert words in said
    assert ('"https://app.example.com" (JWT_ISSUER)' if "iss" in changed else '"todo" (JWT_AUDIENCE)') in said
    assert len(said) < 400


def test_a_header_that_is_not_supported_is_named(tmp_path: Path) -> None:
    said = said_of(sign(json.dumps(claims_of("ada")), '{"alg":"HS256","crit":["x"],"x":1}'), tmp_path)
    assert said.startswith("fault The token's header has a kid or crit that is not supported.")


def test_a_token_of_the_jwt_plugin_is_checked_with_its_keys(tmp_path: Path) -> None:
    key, unpublished, elliptic = signing_key("published"), signing_key("unpublished"), signing_key("EC", "ES256")
    with jwks_host() as host:
        host.keys = [key.jwk(), elliptic.jwk()]

        def said(token: str) -> str:
            return said_of(token, tmp_path, JWKS_URL=host.url)

        assert said(key.sign("ada", host.origin)).startswith('ok Valid for the user "ada" until ')
        assert said(mint("ada")).startswith('ok Valid for the user "ada" until ')
        unknown = said(unpublished.sign("ada", host.origin))
        assert unknown.startswith("fault The token's kid is not the id of a key that this server accepts. ")
        assert '"unpublished"' in unknown
        assert "has no kid" in said(sign("{}", '{"alg":"EdDSA"}'))
        assert "is for another algorithm" in said(key.sign("ada", host.origin, {"kid": "EC"}))
        assert '"HS256" (JWT_ALGORITHM), and "ES256", "EdDSA", "RS256" with a key of JWKS_URL' in said(
            sign("{}", '{"alg":"RS512"}')
        )
        forged = key.sign("ada", host.origin).rpartition(".")[0] + f".{base64url(b'x' * 64)}"
        assert "It was not signed by the key" in said(forged)
        assert f'this server expects "{host.origin}" (the origin of JWKS_URL)' in said(
            key.sign("ada", "http://a.example")
        )
        token = key.sign("ada", host.origin)
    unreachable = said_of(token, tmp_path, JWKS_URL=host.url)
    assert unreachable.startswith("fault The key that the token names cannot be fetched: JWKS_URL ")


def test_the_token_is_not_checked_if_the_configuration_has_errors(tmp_path: Path) -> None:
    said = said_of(mint("ada"), tmp_path, PORT="http")
    assert said == "skip Not checked: the configuration has errors."


def test_a_terminal_as_standard_input_is_refused_at_once(tmp_path: Path) -> None:
    terminal, end = pty.openpty()
    done = subprocess.run(
        command("doctor", "--token"),
        cwd=tmp_path,
        env=environment(),
        stdin=end,
        capture_output=True,
        text=True,
        timeout=20,
    )
    os.close(terminal)
    os.close(end)
    assert (done.returncode, done.stdout) == (2, "")
    assert "--token reads the token from standard input, which is a terminal here" in done.stderr
    assert "todo-api token ada | todo-api doctor --token" in done.stderr


def test_standard_input_that_is_closed_is_empty(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" <&-', "sh", *command("doctor", "--token")]
    env = environment(DATABASE_URL=NO_DATABASE)
    done = subprocess.run(shell, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (1, "")
    assert "Standard input has no token: " in done.stdout


def test_standard_input_that_cannot_be_read_is_reported(tmp_path: Path) -> None:
    shell = ["sh", "-c", 'exec "$@" 0>/dev/null', "sh", *command("doctor", "--token")]
    done = subprocess.run(shell, cwd=tmp_path, env=environment(), capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "Error: Standard input cannot be read: Bad file descriptor.\n"
