"""A write that conflicts with another one is tried once more; if it conflicts again, it is a 503 and has no effect."""

from collections.abc import Iterator

import psycopg
import pytest

from storage.administration.migrations import migrate
from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import serve

# A sequence counts the attempts, because it is not rolled back.
CONFLICT = """
    CREATE SEQUENCE attempts;
    CREATE TABLE conflicts (code text, most integer);
    CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE conflict conflicts;
        BEGIN
            SELECT * INTO conflict FROM conflicts;
            IF FOUND AND nextval('attempts') <= conflict.most THEN
                RAISE 'a conflict with what another user wrote' USING ERRCODE = conflict.code;
            END IF;
            RETURN NEW;
        END
    $$;
    CREATE TRIGGER conflict BEFORE INSERT OR UPDATE ON tasks FOR EACH ROW EXECUTE FUNCTION conflict();
"""
CODES = ["deadlock_detected", "serialization_failure", "unique_violation"]


@pytest.fixture(scope="module")
def url(postgres: str) -> str:
    """Return the URL of a database whose table of tasks can be made to report conflicts."""
    url = new_database(postgres)
    migrate(url)
    with psycopg.connect(url) as connection:
        connection.execute(CONFLICT.encode())
    return url


@pytest.fixture(scope="module")
def ada(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[User]:
    """Yield a user of a service on this database."""
    with serve(tmp_path_factory.mktemp("conflicts"), DATABASE_URL=url) as server, User(server, "ada") as ada:
        yield ada


def make_conflict(url: str, code: str, most: int) -> None:
    """Make the next attempts to write a task conflict, up to this many."""
    with psycopg.connect(url) as connection:
        connection.execute("DELETE FROM conflicts")
        connection.execute("INSERT INTO conflicts VALUES (%s, %s)", (code, most))
        connection.execute("ALTER SEQUENCE attempts RESTART")


@pytest.mark.parametrize("code", CODES)
def test_a_write_that_conflicts_once_succeeds_and_takes_effect_once(url: str, ada: User, code: str) -> None:
    make_conflict(url, code, 1)
    before = len(ada.titles())
    task = ada.create("Created", tags=["old"])
    make_conflict(url, code, 1)
    changed = ada.patch(task["id"], {"title": "Changed"})
    assert (changed.status_code, changed.json()["revision"]) == (200, task["revision"] + 1)
    make_conflict(url, code, 1)
    renamed = ada.request("PATCH", "/tags?name=old", json={"name": "new"})
    assert renamed.json() == {"changed": 1, "revision": task["revision"] + 2}
    assert len(ada.titles()) == before + 1
    make_conflict(url, code, 1)
    assert ada.request("DELETE", f"/tasks/{task['id']}").status_code == 204
    assert len(ada.titles()) == before


@pytest.mark.parametrize("code", CODES)
def test_a_write_that_conflicts_twice_has_no_effect(url: str, ada: User, code: str) -> None:
    make_conflict(url, code, 0)
    task = ada.create("Kept", tags=["kept"])
    before = ada.titles()
    for method, path, body in (
        ("POST", "/tasks", {"title": "Not created"}),
        ("PATCH", f"/tasks/{task['id']}", {"title": "Not changed"}),
        ("DELETE", f"/tasks/{task['id']}", None),
        ("PATCH", "/tasks?completed=false", {"title": "Not changed"}),
        ("DELETE", "/tasks?completed=false", None),
        ("DELETE", "/tags?name=kept", None),
    ):
        make_conflict(url, code, 2)
        response = ada.request(method, path, json=body)
        assert response.status_code == 503
        assert int(response.headers["Retry-After"]) > 0
        assert "another user" not in response.text
    assert ada.titles() == before
    assert ada.get(f"/tasks/{task['id']}").json() == task


@pytest.mark.parametrize("code", CODES)
def test_a_write_that_has_no_effect_leaves_its_key_free(url: str, ada: User, code: str) -> None:
    headers = {"Idempotency-Key": code}
    make_conflict(url, code, 2)
    assert ada.request("POST", "/tasks", json={"title": code}, headers=headers).status_code == 503
    made = ada.request("POST", "/tasks", json={"title": code}, headers=headers)
    assert (made.status_code, "Idempotency-Replayed" in made.headers) == (201, False)
    assert ada.titles(search=code) == [code]
