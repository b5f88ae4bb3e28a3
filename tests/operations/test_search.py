"""Search finds a case-insensitive substring of title or description, whichever plan PostgreSQL chooses."""

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.client import User
from tests.support.postgres import new_database
from tests.support.server import serve

# Unusual case mappings: U+0130 and U+212A map to another block, U+1E9E and U+03C2 have no single-letter partner.
LETTERS = "aAiI\u0131\u0130kK\u212asS\u017fß\u1e9eäÄéÉ\u03c3\u03a3\u03c2жЖ0 -_%\\'🎉"
TEXTS = [
    "İstanbul gezisi",
    "ISTANBUL trip",
    "istanbul",
    "Yeni İş plan\u0131",
    "300 \u212aelvin",
    "STRASSE ẞ",
    "Straße",
    "\u039f\u0394\u039f\u03a3 \u03bf\u03b4\u03bf\u03c2",
    "жЖ кофе",
    "\u017f long s",
    "100%_\\ 'x'",
    "éÉ-äÄ 🎉",
]
FILLER = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT %s, gen_random_uuid(), n, 'filler ' || md5(n::text), false, 2, '{}', now(), now()
    FROM generate_series(100, 4000) n
"""


def test_search_ignores_case_beyond_ascii_and_treats_wildcards_literally(ada: User) -> None:
    ada.create("ÄPFEL 100%")
    ada.create("bar", description="baz_qux")
    assert ada.titles(search="äpfel") == ada.titles(search="100%") == ["ÄPFEL 100%"]
    assert ada.titles(search="Z_Q") == ["bar"]
    assert ada.titles(search="rXb") == ada.titles(search="rxb") == []
    assert ada.titles(search="bar baz") == ada.titles(search="%f") == ada.titles(search="a_f") == []
    assert len(ada.titles(search="")) == 2


@pytest.fixture(scope="module")
def users(postgres: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[User, User]]:
    """Yield the same user on two servers: one whose database must use its indexes, and one whose database must not."""
    url, user_id = new_database(postgres), f"ada-{uuid4().hex}"
    with_index = f"{url}&options=-c%20enable_seqscan%3Doff%20-c%20enable_indexscan%3Doff"
    without_index = f"{url}&options=-c%20enable_bitmapscan%3Doff"
    directory: Path = tmp_path_factory.mktemp("search")
    with (
        serve(directory, DATABASE_URL=with_index) as first,
        serve(directory, DATABASE_URL=without_index) as second,
        User(first, user_id) as at_first,
        User(second, user_id) as at_second,
    ):
        for number, text in enumerate(TEXTS):
            at_first.create(text)
            at_first.create(f"number {number}", description=text)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILLER, [user_id])
            connection.execute("VACUUM ANALYZE tasks")
        yield at_first, at_second


@given(search=st.text(LETTERS, min_size=1, max_size=6) | st.sampled_from(TEXTS).map(lambda text: text[1:-1].swapcase()))
@settings(max_examples=300, deadline=None)
def test_search_finds_the_same_tasks_with_and_without_the_index(users: tuple[User, User], search: str) -> None:
    found, expected = (user.get("/tasks", params={"search": search, "limit": 100}).json() for user in users)
    assert (found["total"], found["tasks"]) == (expected["total"], expected["tasks"])
    assert found["total"] < 4000
