"""A client that downloads everything in several pages gets what is there, whatever is written and purged meanwhile."""

from tests.support.changes import Copy, ask, changes, listed, pages, purge
from tests.support.client import Json, User


def filled(user: User) -> list[Json]:
    """Create ten tasks, delete every other one, and return the others."""
    tasks = [user.create(str(number)) for number in range(10)]
    for task in tasks[::2]:
        user.delete(task["id"])
    return tasks[1::2]


def test_no_page_has_deletions_of_before_it_began(ada: User) -> None:
    live = filled(ada)
    found = list(pages(ada, limit=2))
    assert [task for page in found for task in page["tasks"]] == live
    assert [page["deleted"] for page in found] == [[], [], []]


def test_a_task_that_is_deleted_meanwhile_is_reported(ada: User) -> None:
    live = filled(ada)
    copy = Copy()
    copy.apply(changes(ada, limit=2))
    for task in live[0], live[-1]:
        ada.delete(task["id"])
    found = list(pages(ada, copy.token, limit=2))
    assert [deleted["id"] for page in found for deleted in page["deleted"]] == [live[0]["id"], live[-1]["id"]]
    copy.catch_up(ada)
    for page in found:
        copy.apply(page)
    assert copy.tasks == listed(ada)


def test_a_task_that_changes_meanwhile_comes_again_at_the_end(ada: User) -> None:
    live = filled(ada)
    copy = Copy()
    copy.apply(changes(ada, limit=1))
    ada.patch(live[0]["id"], {"title": "changed"})
    copy.catch_up(ada, limit=1)
    assert copy.tasks == listed(ada)


def test_it_ends_although_deletions_of_before_it_began_have_been_purged(ada: User, database: str) -> None:
    live = filled(ada)
    purge(database, ada)
    found = list(pages(ada, limit=1))
    assert [task for page in found for task in page["tasks"]] == live


def test_it_goes_on_when_deletions_of_before_it_began_are_purged(ada: User, database: str) -> None:
    live = filled(ada)
    first = changes(ada, limit=1)
    purge(database, ada)
    found = [first, *pages(ada, first["sync_token"], limit=1)]
    assert [task for page in found for task in page["tasks"]] == live


def test_it_starts_again_when_a_deletion_of_after_it_began_is_purged(ada: User, database: str) -> None:
    live = filled(ada)
    first = changes(ada, limit=1)
    ada.delete(live[0]["id"])
    purge(database, ada)
    assert ask(ada, first["sync_token"], limit=1).status_code == 410
    copy = Copy()
    copy.catch_up(ada, limit=1)
    assert copy.tasks == listed(ada)


def test_once_it_has_ended_purging_counts_again(ada: User, database: str) -> None:
    live = filled(ada)
    *_, last = pages(ada, limit=2)
    ada.delete(live[0]["id"])
    assert len(changes(ada, last["sync_token"])["deleted"]) == 1
    purge(database, ada)
    assert ask(ada, last["sync_token"]).status_code == 410
