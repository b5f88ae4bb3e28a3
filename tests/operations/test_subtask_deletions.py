"""A deleted task takes its subtasks to the trash, and restoring it brings back what went with it."""

from tests.support.client import User
from tests.support.lists import create_list, delete_list, restore_list
from tests.support.subtasks import create, family, is_there, now
from tests.support.trash import restore, undo


def deletion_ids(user: User) -> set[str]:
    """Return the deletions that are in the trash."""
    return {task["deletion_id"] for task in user.get("/trash").json()["tasks"]}


def test_deleting_a_task_deletes_its_subtasks_under_one_deletion(ada: User) -> None:
    top, child, grandchild = family(ada)
    before = ada.revision()
    assert ada.delete(top["id"]).status_code == 204
    assert not any(is_there(ada, one) for one in (top, child, grandchild))
    assert len(deletion_ids(ada)) == 1
    assert ada.revision() == before + 3


def test_restoring_the_task_brings_its_subtasks_back(ada: User) -> None:
    top, child, grandchild = family(ada)
    ada.delete(top["id"])
    before = ada.revision()
    assert restore(ada, top["id"])["revision"] == before + 1
    assert [now(ada, one)["parent_id"] for one in (child, grandchild)] == [top["id"], child["id"]]
    assert ada.revision() == before + 3
    assert restore(ada, top["id"])["revision"] == before + 1


def test_undoing_the_deletion_brings_all_back(ada: User) -> None:
    top, child, grandchild = family(ada)
    ada.delete(top["id"])
    assert undo(ada, deletion_ids(ada).pop())["changed"] == 3
    assert [now(ada, one)["parent_id"] for one in (top, child, grandchild)] == [None, top["id"], child["id"]]


def test_what_was_deleted_before_its_parent_stays_in_the_trash(ada: User) -> None:
    top, child, grandchild = family(ada)
    ada.delete(grandchild["id"])
    ada.delete(top["id"])
    restore(ada, top["id"])
    assert is_there(ada, child)
    assert not is_there(ada, grandchild)
    assert restore(ada, grandchild["id"])["parent_id"] == child["id"]


def test_a_subtask_that_is_restored_alone_comes_back_first_in_the_inbox(ada: User) -> None:
    top = create(ada, list_id=create_list(ada)["id"])
    child = create(ada, top)
    grandchild = create(ada, child)
    ada.delete(top["id"])
    back = restore(ada, child["id"])
    assert (back["parent_id"], back["list_id"]) == (None, None)
    below = now(ada, grandchild)
    assert (below["parent_id"], below["list_id"]) == (child["id"], None)
    restore(ada, top["id"])
    assert now(ada, child)["parent_id"] is None


def test_a_subtask_of_an_erased_parent_comes_back_first_in_the_inbox(ada: User) -> None:
    top, child, _ = family(ada)
    ada.delete(top["id"])
    assert ada.request("DELETE", f"/trash/{top['id']}").status_code == 204
    deletion = deletion_ids(ada).pop()
    assert undo(ada, deletion)["changed"] == 2
    assert now(ada, child)["parent_id"] is None


def test_subtasks_of_an_erased_parent_come_back_with_their_list_in_their_order(ada: User) -> None:
    home = create_list(ada)
    top = create(ada, list_id=home["id"])
    for title in ("a", "b", "c"):
        create(ada, top, title)
    delete_list(ada, home)
    assert ada.request("DELETE", f"/trash/{top['id']}").status_code == 204
    restore_list(ada, home)
    assert ada.titles(list_id="inbox", sort_by="position", sort_direction="asc") == ["a", "b", "c"]


def test_a_restored_subtask_follows_its_parent_to_another_list(ada: User) -> None:
    home = create_list(ada)["id"]
    top, child, grandchild = family(ada)
    ada.delete(child["id"])
    ada.patch(top["id"], {"list_id": home})
    assert restore(ada, child["id"])["list_id"] == home
    assert now(ada, grandchild)["list_id"] == home


def test_subtasks_without_their_parent_keep_their_order(ada: User) -> None:
    top = create(ada, title="top")
    first = create(ada, top, "a")
    for title in ("b", "c"):
        create(ada, top, title)
    create(ada, first, "below")
    deletion = ada.request("DELETE", "/tasks", params={"parent_id": top["id"]}).json()["deletion_id"]
    ada.delete(top["id"])
    undo(ada, deletion)
    assert ada.titles(parent_id="none", sort_by="position", sort_direction="asc") == ["a", "b", "c"]
    assert ada.titles(parent_id=first["id"]) == ["below"]


def test_a_list_takes_families_with_it_and_brings_them_back(ada: User) -> None:
    home = create_list(ada)
    top = create(ada, list_id=home["id"])
    child = create(ada, top)
    delete_list(ada, home)
    restore_list(ada, home)
    assert now(ada, child)["parent_id"] == top["id"]
    delete_list(ada, home)
    back = restore(ada, top["id"])
    assert (back["list_id"], now(ada, child)["list_id"]) == (None, None)


def test_deleting_many_tasks_deletes_their_subtasks(ada: User) -> None:
    top, child, grandchild = family(ada)
    query = {"search": "top"}
    count = ada.request("DELETE", "/tasks", params=query | {"dry_run": "true"}).json()
    done = ada.request("DELETE", "/tasks", params=query).json()
    assert (count["matched"], count["changed"]) == (done["matched"], done["changed"]) == (1, 3)
    assert not any(is_there(ada, one) for one in (top, child, grandchild))
    assert undo(ada, done["deletion_id"])["changed"] == 3
    assert now(ada, grandchild)["parent_id"] == child["id"]


def test_moving_many_tasks_moves_their_subtasks(ada: User) -> None:
    home, work = create_list(ada)["id"], create_list(ada)["id"]
    top, child, grandchild = family(ada)
    assert ada.request("PATCH", "/tasks", params={"search": "child"}, json={"list_id": home}).json()["changed"] == 0
    done = ada.request("PATCH", "/tasks", params={"completed": "false"}, json={"list_id": work}).json()
    assert (done["matched"], done["changed"]) == (3, 1)
    found = [now(ada, one) for one in (top, child, grandchild)]
    assert {one["list_id"] for one in found} == {work}
    assert len({one["revision"] for one in found}) == 3
    assert max(one["revision"] for one in found) == done["revision"] == ada.revision()
