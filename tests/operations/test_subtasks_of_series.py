"""The next occurrence of a task has copies of its subtasks, and reopening takes them back with it."""

from collections.abc import Callable
from uuid import uuid4

import pytest

from tests.support.batches import results, update
from tests.support.client import Json, User
from tests.support.concurrency import together
from tests.support.lists import create_list
from tests.support.recurrence import complete, following, reopen, skip
from tests.support.subtasks import create, is_there, now, refused, subtasks_of
from tests.support.tasks import without

WEEKLY = {"frequency": "weekly"}
DONE, OPEN = {"completed": True}, {"completed": False}
OWN = ("id", "parent_id", "created_at", "updated_at", "revision")
Write = Callable[[User, Json, Json], Json]


def weekly(user: User, **members: Json) -> Json:
    """Create a task that is due every week."""
    return create(user, title="top", due_date="2096-01-02", recurrence=WEEKLY, **members)


def weekly_family(user: User, **members: Json) -> tuple[Json, Json, Json]:
    """Create a task that is due every week, its subtask, and a subtask of that one."""
    top = weekly(user, **members)
    child = create(user, top, "child")
    return top, child, create(user, child, "grandchild")


def family_of(user: User, task: Json) -> tuple[Json, Json]:
    """Return the only subtask of a task, and that one's."""
    (child,) = subtasks_of(user, task)
    (grandchild,) = subtasks_of(user, child)
    return child, grandchild


def next_of(user: User, task: Json) -> Json:
    """Return the next occurrence of a completed one."""
    return now(user, {"id": now(user, task)["next_task_id"]})


def by_patch(user: User, task: Json, changes: Json) -> Json:
    """Change a task."""
    return user.patch(task["id"], changes).json()


def by_put(user: User, task: Json, changes: Json) -> Json:
    """Change a task by sending all of it."""
    return user.put(task["id"], now(user, task) | changes).json()


def in_a_batch(user: User, task: Json, changes: Json) -> Json:
    """Change a task in a batch."""
    return results(user, update(task["id"], **changes))[0].get("task")


def with_all(user: User, task: Json, changes: Json) -> Json:
    """Change a task with a filter."""
    user.request("PATCH", "/tasks", params={"id": task["id"]}, json=changes)
    return now(user, task)


WAYS = pytest.mark.parametrize("write", [by_patch, by_put, in_a_batch, with_all])


def test_copies_of_subtasks_with_one_position_keep_their_order(ada: User) -> None:
    task = weekly(ada)
    by_position = {"sort_by": "position", "sort_direction": "asc"}
    for number in range(6):
        create(ada, task, f"subtask {number}", position="m")
    for _ in range(3):
        task = following(ada, task)
        subtasks = ada.get("/tasks", params={"parent_id": task["id"], **by_position}).json()["tasks"]
        assert [one["title"] for one in subtasks] == [f"subtask {number}" for number in range(6)]


@WAYS
def test_the_next_occurrence_has_copies_of_all_subtasks(ada: User, write: Write) -> None:
    top, child, grandchild = weekly_family(ada, list_id=create_list(ada)["id"])
    before = ada.revision()
    done = write(ada, top, DONE)
    following = next_of(ada, top)
    copies = family_of(ada, following)
    assert done["completed"]
    assert [without(one, *OWN) for one in copies] == [without(one, *OWN) for one in (child, grandchild)]
    assert {one["list_id"] for one in (following, *copies)} == {top["list_id"]}
    assert not {one["id"] for one in copies} & {child["id"], grandchild["id"]}
    assert [now(ada, one) for one in (child, grandchild)] == [child, grandchild]
    assert [one["revision"] - before for one in (done, *copies, following)] == [1, 2, 3, 4]
    assert ada.revision() == before + 4


@WAYS
def test_reopening_takes_the_copies_back_with_the_next_occurrence(ada: User, write: Write) -> None:
    top, child, grandchild = weekly_family(ada)
    write(ada, top, DONE)
    following = next_of(ada, top)
    copies = family_of(ada, following)
    token = ada.sync_token()
    reopened = write(ada, top, OPEN)
    assert without(reopened, "updated_at", "revision") == without(top, "updated_at", "revision")
    assert not any(is_there(ada, one) for one in (following, *copies))
    deleted = ada.get("/changes", params={"sync_token": token}).json()["deleted"]
    assert {one["id"] for one in deleted} == {one["id"] for one in (following, *copies)}
    assert ada.get("/trash").json()["tasks"] == []
    assert [now(ada, one) for one in (child, grandchild)] == [child, grandchild]


def test_a_child_completed_and_then_its_weekly_parent(ada: User) -> None:
    top, child, grandchild = weekly_family(ada)
    complete(ada, grandchild)
    done = complete(ada, child)
    copies = family_of(ada, following(ada, top))
    assert [(one["completed"], one["completed_at"]) for one in copies] == [(False, None)] * 2
    assert now(ada, child) == done


def test_copies_are_due_as_many_days_later_as_the_next_occurrence(ada: User) -> None:
    top = weekly(ada)
    berlin = {"due_time": "09:00", "time_zone": "Europe/Berlin"}
    create(ada, top, "before", due_date="2096-03-24", **berlin)
    create(ada, top, "undated")
    create(ada, top, "at last", due_date="9999-12-31")
    ada.patch(top["id"], {"due_date": "2096-01-05"})
    following_one = following(ada, top)
    assert following_one["due_date"] == "2096-01-09"
    before, undated, last = subtasks_of(ada, following_one)
    assert (before["due_date"], before["due_time"], before["due_at"]) == ("2096-03-31", "09:00", "2096-03-31T07:00:00Z")
    assert undated["due_date"] is None
    assert last["due_date"] == "9999-12-31"


def test_no_copy_of_a_task_that_is_completed_early_is_due_before_the_year_1(ada: User) -> None:
    top = create(ada, title="top", due_date="2999-01-31", recurrence={"frequency": "daily", "from": "completion"})
    create(ada, top, "child", due_date="0001-01-31", due_time="00:30", time_zone="Europe/Berlin")
    (copy,) = subtasks_of(ada, following(ada, top))
    assert (copy["due_date"], copy["due_at"]) == ("0001-01-01", "0001-01-01T00:00:00Z")


def test_copies_are_copied_again_in_their_order(ada: User) -> None:
    top = weekly(ada)
    titles = [create(ada, top, title)["title"] for title in "abc"]
    for _ in range(3):
        top = following(ada, top)
        assert [one["title"] for one in subtasks_of(ada, top)] == titles


def test_subtasks_that_are_completed_with_an_occurrence_are_open_in_the_next_one(ada: User) -> None:
    top, child, grandchild = weekly_family(ada)
    assert refused(ada.patch(top["id"], {"completed": True}, params={"subtasks": "refuse"})) == "open-subtasks"
    done = ada.patch(top["id"], {"completed": True}, params={"subtasks": "complete"}).json()
    assert all(now(ada, one)["completed"] for one in (done, child, grandchild))
    assert not any(one["completed"] for one in family_of(ada, next_of(ada, top)))
    assert reopen(ada, top).status_code == 200


def test_an_occurrence_can_move_to_a_list_and_be_completed_at_once(ada: User) -> None:
    home, (top, child, grandchild) = create_list(ada)["id"], weekly_family(ada)
    following_one = following(ada, top, list_id=home)
    found = [now(ada, one) for one in (top, child, grandchild)] + [following_one, *family_of(ada, following_one)]
    assert {one["list_id"] for one in found} == {home}


@pytest.mark.parametrize("in_child", [True, False])
def test_a_copy_that_was_changed_stays_and_so_does_its_task(ada: User, in_child: bool) -> None:
    top, *_ = weekly_family(ada)
    following_one = following(ada, top)
    child, grandchild = family_of(ada, following_one)
    changed = ada.patch((child if in_child else grandchild)["id"], {"title": "new"}).json()
    assert refused(reopen(ada, top)) == "series-moved-on"
    assert now(ada, changed) == changed
    assert reopen(ada, top, params={"keep_next": "true"}).json()["series_id"] is None
    assert now(ada, following_one) == following_one


def test_completions_with_subtasks_are_taken_back_one_by_one(ada: User) -> None:
    top, *_ = weekly_family(ada)
    later = following(ada, top)
    complete(ada, later)
    assert reopen(ada, later).status_code == 200
    assert reopen(ada, top).status_code == 200
    assert ada.get("/tasks").json()["total"] == 3


def ticked_and_unticked(user: User, later: Json) -> None:
    """Complete and reopen both copies."""
    for copy in family_of(user, later):
        complete(user, copy)
        assert reopen(user, copy).status_code == 200


def completed_with_copies(user: User, later: Json) -> None:
    """Complete the next occurrence with its subtasks, take that back, and reopen them."""
    copies = family_of(user, later)
    assert user.patch(later["id"], DONE, params={"subtasks": "complete"}).status_code == 200
    assert all(reopen(user, one).status_code == 200 for one in (later, *copies))


def deleted_and_restored(user: User, later: Json) -> None:
    """Delete the next occurrence, and restore it with its subtasks."""
    user.delete(later["id"])
    assert user.request("POST", f"/trash/{later['id']}/restore").status_code == 200


def with_its_list(user: User, later: Json) -> None:
    """Delete the list of both occurrences, and restore it."""
    path = f"/lists/{later['list_id']}"
    assert user.request("DELETE", path).status_code == 204
    assert user.request("POST", f"{path}/restore").status_code == 200


def retagged(user: User, later: Json) -> None:
    """Rename a tag of both occurrences and of their subtasks."""
    assert later["tags"] == ["home"]
    assert user.request("PATCH", "/tags", params={"name": "home"}, json={"name": "house"}).json()["changed"] == 4


UNCHANGED = [ticked_and_unticked, completed_with_copies, deleted_and_restored, with_its_list, retagged]


@WAYS
@pytest.mark.parametrize("unchanged", UNCHANGED)
def test_copies_that_are_as_they_were_created_are_taken_back(
    ada: User, write: Write, unchanged: Callable[[User, Json], None]
) -> None:
    top, child, grandchild = weekly_family(ada, list_id=create_list(ada)["id"])
    ada.patch(grandchild["id"], {"tags": ["home"]})
    later = following(ada, top, tags=["home"])
    unchanged(ada, later)
    assert write(ada, top, OPEN)["completed"] is False
    assert {one["id"] for one in ada.get("/tasks").json()["tasks"]} == {top["id"], child["id"], grandchild["id"]}


def completed_copy(user: User, later: Json) -> None:
    """Complete a copy."""
    complete(user, family_of(user, later)[0])


def copy_at_another_place(user: User, later: Json) -> None:
    """Move a copy up by one level."""
    user.patch(family_of(user, later)[1]["id"], {"parent_id": later["id"]})


@pytest.mark.parametrize("change", [completed_copy, copy_at_another_place])
def test_copies_that_differ_stay_and_so_does_their_task(ada: User, change: Callable[[User, Json], None]) -> None:
    top, *_ = weekly_family(ada)
    later = following(ada, top)
    change(ada, later)
    assert refused(reopen(ada, top)) == "series-moved-on"
    assert is_there(ada, later)


def test_a_subtask_that_the_next_occurrence_has_got_stays_and_so_does_its_task(ada: User) -> None:
    top, *_ = weekly_family(ada)
    create(ada, following(ada, top), "added")
    assert refused(reopen(ada, top)) == "series-moved-on"


def test_a_copy_that_was_moved_elsewhere_stays(ada: User) -> None:
    top, *_ = weekly_family(ada)
    following_one = following(ada, top)
    child, grandchild = family_of(ada, following_one)
    moved = ada.patch(grandchild["id"], {"parent_id": None}).json()
    assert reopen(ada, top).status_code == 200
    assert not is_there(ada, child)
    assert now(ada, moved) == moved


def test_skipping_begins_the_subtasks_anew(ada: User) -> None:
    top = weekly(ada)
    child = create(ada, top, due_date="2096-01-01")
    untouched, done = create(ada, top), complete(ada, create(ada, child))
    complete(ada, child)
    before = ada.revision()
    skipped = skip(ada, top).json()
    assert (skipped["due_date"], skipped["revision"]) == ("2096-01-09", before + 1)
    assert (now(ada, child)["due_date"], now(ada, child)["completed"]) == ("2096-01-08", False)
    assert now(ada, done)["completed_at"] is None
    assert now(ada, untouched) == untouched
    assert ada.revision() == before + 3


def test_skipping_what_cannot_be_skipped_is_refused_for_a_family_too(ada: User) -> None:
    top, child, _ = weekly_family(ada)
    assert refused(skip(ada, child)) == "no-next-occurrence"
    assert skip(ada, top, headers={"If-Match": '"0"'}).status_code == 412
    complete(ada, top)
    assert refused(skip(ada, top)) == "no-next-occurrence"


def test_fifty_parallel_completions_copy_the_subtasks_once(ada: User) -> None:
    top, *_ = weekly_family(ada)
    responses = together(lambda _: complete(ada, top), 50)
    assert len({one["next_task_id"] for one in responses}) == 1
    assert ada.get("/tasks").json()["total"] == 6


def test_completing_many_tasks_completes_subtasks_that_match_and_copies_them_open(ada: User) -> None:
    home, families = create_list(ada)["id"], [weekly_family(ada) for _ in range(3)]
    done = ada.request(
        "PATCH", "/tasks", params={"completed": "false"}, json={"completed": True, "list_id": home}
    ).json()
    assert (done["matched"], done["changed"]) == (9, 9)
    for top, child, grandchild in families:
        assert all(now(ada, one)["completed"] for one in (top, child, grandchild))
        copies = [next_of(ada, top), *family_of(ada, next_of(ada, top))]
        assert not any(one["completed"] for one in copies)
        assert {one["list_id"] for one in (*copies, now(ada, child))} == {home}
    tasks = ada.get("/tasks", params={"limit": "100"}).json()["tasks"]
    assert len({one["revision"] for one in tasks}) == len(tasks) == 18
    assert done["revision"] == ada.revision()
    again = ada.request("PATCH", "/tasks", params={"completed": "true"}, json={"completed": False}).json()
    assert (again["changed"], ada.get("/tasks").json()["total"]) == (9, 9)


def test_a_subtask_that_a_batch_adds_is_copied_by_a_later_operation(ada: User) -> None:
    top, other = weekly(ada), create(ada, title="other")
    results(ada, update(other["id"], parent_id=top["id"]), update(top["id"], completed=True))
    assert [one["title"] for one in subtasks_of(ada, next_of(ada, top))] == ["other"]
    assert now(ada, other)["parent_id"] == top["id"]


def test_deleting_and_restoring_an_occurrence_takes_its_copies_along(ada: User) -> None:
    top, *_ = weekly_family(ada)
    following_one = following(ada, top)
    copies = family_of(ada, following_one)
    ada.delete(following_one["id"])
    assert not any(is_there(ada, one) for one in copies)
    ada.request("POST", f"/trash/{following_one['id']}/restore")
    assert all(is_there(ada, one) for one in copies)


def test_a_subtask_cannot_recur(ada: User) -> None:
    rule = {"due_date": "2096-01-02", "recurrence": WEEKLY}
    top = create(ada)
    child = create(ada, top)
    body = {"title": "A task", "parent_id": top["id"], **rule}
    assert refused(ada.request("POST", "/tasks", json=body)) == "recurring-subtask"
    assert refused(ada.request("POST", "/tasks", json=body, headers={"Idempotency-Key": "1"})) == "recurring-subtask"
    assert refused(ada.put(child["id"], body)) == "recurring-subtask"
    assert refused(ada.put(child["id"], without(body, "parent_id"))) == "recurring-subtask"
    assert refused(ada.patch(child["id"], rule)) == "recurring-subtask"
    assert now(ada, child) == child


def test_a_recurring_task_cannot_become_a_subtask(ada: User) -> None:
    top, task = create(ada), weekly(ada)
    assert refused(ada.patch(task["id"], {"parent_id": top["id"]})) == "recurring-subtask"
    assert refused(ada.put(task["id"], {**without(task, "rrule"), "parent_id": top["id"]})) == "recurring-subtask"
    response = ada.request("POST", f"/tasks/{task['id']}/move", json={"parent_id": top["id"]})
    assert refused(response) == "recurring-subtask"
    assert refused(ada.patch(complete(ada, task)["id"], {"parent_id": top["id"]})) == "recurring-subtask"


def test_a_batch_refuses_a_subtask_that_recurs(ada: User) -> None:
    top, task = create(ada), weekly(ada)
    (result,) = results(ada, update(task["id"], parent_id=top["id"]), mode="independent")
    assert result["problem"]["type"].endswith(":recurring-subtask")


def test_a_task_can_change_between_subtask_and_series_in_one_write(ada: User) -> None:
    top, task = create(ada), weekly(ada)
    child = ada.patch(task["id"], {"parent_id": top["id"], "recurrence": None}).json()
    assert (child["parent_id"], child["recurrence"], child["series_id"]) == (top["id"], None, None)
    back = ada.patch(task["id"], {"parent_id": None, "recurrence": WEEKLY}).json()
    assert (back["parent_id"], back["recurrence"]["frequency"]) == (None, "weekly")
    assert ada.patch(task["id"], {"parent_id": top["id"], "due_date": None}).json()["recurrence"] is None


@pytest.mark.parametrize("how", ["created", "put", "patched"])
@pytest.mark.parametrize("reopened", ["PATCH", "PUT"])
def test_a_next_occurrence_that_has_got_its_first_subtask_is_not_removed(ada: User, how: str, reopened: str) -> None:
    done = complete(ada, weekly(ada))
    parent = {"parent_id": done["next_task_id"]}
    if how == "created":
        child = ada.create("Step", **parent)
    elif how == "put":
        child = ada.put(str(uuid4()), {"title": "Step", **parent}).json()
    else:
        child = ada.patch(ada.create("Step")["id"], parent).json()
    body = {"title": "top", "due_date": "2096-01-02", "completed": False}
    response = ada.request(reopened, f"/tasks/{done['id']}", json=body)
    assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (409, "series-moved-on")
    assert ada.read(child) == child
    assert ada.get(f"/tasks/{done['next_task_id']}").status_code == 200
