"""Of everything that a real Better Auth issues with the same secret, only the frontend's token opens the API."""

from collections.abc import Iterator
from urllib.parse import unquote

import httpx
import jwt
import pytest

from tests.support.better_auth import better_auth, needs_node
from tests.support.server import SECRET

pytestmark = needs_node
ARTEFACTS = ("session token", "signed session token", "session cookie", "session cache", "verification", "jwt plugin")
USER = {"name": "Ada", "email": "ada@example.com", "password": "correct horse battery"}


@pytest.fixture(scope="module", params=["compact", "jwt", "jwe"])
def strategy(request: pytest.FixtureRequest) -> str:
    """Return the format in which Better Auth caches the session in a cookie."""
    name: str = request.param
    return name


@pytest.fixture(scope="module")
def browser(strategy: str) -> Iterator[httpx.Client]:
    """Yield a client of Better Auth that holds Ada's cookies."""
    with better_auth(COOKIE_CACHE=strategy) as url, httpx.Client(base_url=url) as client:
        client.post("/api/auth/sign-up/email", json=USER).raise_for_status()
        yield client


@pytest.fixture(scope="module")
def api(server: str) -> Iterator[httpx.Client]:
    """Yield a client of the API without credentials."""
    with httpx.Client(base_url=server) as client:
        yield client


@pytest.fixture(scope="module")
def artefacts(browser: httpx.Client) -> dict[str, str]:
    """Return the tokens and cookies that Better Auth issues to Ada, by name."""
    session = browser.get("/api/auth/get-session").json()["session"]
    (mail,) = browser.get("/sent").json()
    signed = browser.cookies["better-auth.session_token"]
    return {
        "session token": session["token"],
        "signed session token": unquote(signed),
        "session cookie": signed,
        "session cache": browser.cookies["better-auth.session_data"],
        "verification": mail["token"],
        "jwt plugin": browser.get("/api/auth/token").json()["token"],
    }


def user_of(browser: httpx.Client) -> str:
    """Return the id of the user who is signed in."""
    user_id: str = browser.get("/api/auth/get-session").json()["user"]["id"]
    return user_id


def test_the_token_minted_by_the_frontend_authenticates_its_user(browser: httpx.Client, api: httpx.Client) -> None:
    minted = browser.get("/api/token").json()["token"]
    principal = api.post("/api/auth/verify", headers={"Authorization": f"Bearer {minted}"}).json()
    assert (principal["user_id"], principal["email"]) == (user_of(browser), USER["email"])


@pytest.mark.parametrize("name", ARTEFACTS)
def test_anything_else_that_better_auth_issues_is_rejected(
    artefacts: dict[str, str], browser: httpx.Client, api: httpx.Client, name: str
) -> None:
    headers = {"Authorization": f"Bearer {artefacts[name]}"}
    for response in (
        api.post("/api/auth/verify", headers=headers),
        api.get(f"/api/{user_of(browser)}/tasks", headers=headers),
    ):
        assert response.status_code == 401
        assert response.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')


def test_the_cookies_of_better_auth_do_not_authenticate(browser: httpx.Client, api: httpx.Client) -> None:
    cookies = "; ".join(f"{name}={value}" for name, value in browser.cookies.items())
    assert api.get(f"/api/{user_of(browser)}/tasks", headers={"Cookie": cookies}).status_code == 401


def test_some_of_the_rejected_tokens_are_jwts_signed_with_the_same_secret(
    artefacts: dict[str, str], strategy: str
) -> None:
    signed = {name for name, token in artefacts.items() if is_signed_with_the_secret(token)}
    assert signed == ({"verification", "session cache"} if strategy == "jwt" else {"verification"})


def is_signed_with_the_secret(token: str) -> bool:
    """Return whether a token is a JWT signed with the shared secret."""
    try:
        jwt.decode(token, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError:
        return False
    return True
