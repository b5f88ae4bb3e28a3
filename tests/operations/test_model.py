"""All writes of three users, in any order, do what a model in memory says, and no user notices the others."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from uuid import UUID, uuid4

import httpx
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.client import User
from tests.support.model import DEFAULTS, MEMBERS, Account, Counts, Result, Task

Json = Any
# Few ids, so that operations meet. All users choose from the same ones: an id is the user's own.
IDS = [str(UUID(int=number << 64, version=4)) for number in range(1, 7)]
TAGS = ["x", "y", "z"]
VALUES: dict[str, st.SearchStrategy[Json]] = {
    "title": st.sampled_from(["a", "b", "B"]),
    "description": st.sampled_from([None, "b"]),
    "completed": st.booleans(),
    "priority": st.sampled_from(["High", "Medium", "Low"]),
    "due_date": st.sampled_from([None, "2026-01-01", "2026-02-01"]),
    "tags": st.lists(st.sampled_from(TAGS), unique=True),
    "position": st.sampled_from(["a", "k", "m000000000001V", "z"]),
}
ids = st.sampled_from(IDS)
whole = st.fixed_dictionaries({"title": VALUES["title"]}, optional={name: VALUES[name] for name in MEMBERS[1:]})
changes = st.fixed_dictionaries({}, optional=VALUES)
# Many tasks never get the same position at once.
common_changes = st.fixed_dictionaries({}, optional={name: VALUES[name] for name in ("title", *DEFAULTS)})
# How far from the present revision a condition is.
conditions = st.sampled_from([None, None, 0, 0, 1])
FILTERS: dict[str, st.SearchStrategy[Json]] = {
    "id": st.lists(ids, min_size=1, max_size=3),
    "search": st.sampled_from(["A", "b"]),
    "completed": st.booleans(),
    "priority": st.lists(VALUES["priority"], min_size=1, max_size=2),
    "tags": st.lists(st.sampled_from(TAGS), min_size=1, max_size=2),
    "tag_match": st.sampled_from(["any", "all"]),
    "due_before": st.just("2026-01-15"),
    "due_after": st.just("2026-01-15"),
}
filters = st.fixed_dictionaries({}, optional=FILTERS).filter(lambda given: given.keys() - {"tag_match"})
keys = st.one_of(st.none(), st.uuids().map(str))
operations = st.lists(
    st.sampled_from(["create", "replace", "update", "base", "delete", "restore"]), min_size=1, max_size=4
)


def matcher(query: Mapping[str, Json]) -> Callable[[Task], bool]:
    """Return whether a task meets all filters."""

    def matches(task: Task) -> bool:
        values = task.members
        carried = [tag in values["tags"] for tag in query.get("tags", ())]
        text = f"{values['title']}X{values['description'] or ''}".lower()
        due = values["due_date"]
        return all(
            [
                task.id in query.get("id", [task.id]),
                query.get("search", "").lower() in text,
                values["completed"] == query.get("completed", values["completed"]),
                values["priority"] in query.get("priority", [values["priority"]]),
                not carried or (all if query.get("tag_match") == "all" else any)(carried),
                "due_before" not in query or (due is not None and due <= query["due_before"]),
                "due_after" not in query or (due is not None and due >= query["due_after"]),
            ]
        )

    return matches


def shown(task: Json) -> Json:
    """Return the members of a response that the model knows."""
    assert (task["completed_at"] is not None) == task["completed"]
    assert task["created_at"] <= task["updated_at"]
    return {name: task[name] for name in ("id", *MEMBERS, "revision")}


def check_task(task: Json, expected: Task | None) -> None:
    """Check a task in a response, or that there is none."""
    assert (None if task is None else shown(task)) == (expected.shown if expected else None)


class Sent:
    """A request with a key, and what it returned."""

    def __init__(
        self, user: User, method: str, path: str, options: Mapping[str, Json], response: httpx.Response
    ) -> None:
        self.user, self.method, self.path, self.options, self.response = user, method, path, options, response


class Users(RuleBasedStateMachine):
    """Three users who write, each compared with a model of its own."""

    server: str

    @initialize()
    def sign_in(self) -> None:
        """Begin with users who own nothing."""
        self.users = [User(self.server, f"{name}-{uuid4().hex}") for name in ("ada", "bob", "eve")]
        self.accounts = {user.id: Account() for user in self.users}
        self.deletions: dict[str, dict[int, str]] = {user.id: {} for user in self.users}
        self.sent: list[Sent] = []
        self.select(0)

    def teardown(self) -> None:
        """Compare all users with their models for the last time."""
        for number in range(len(getattr(self, "users", ()))):
            self.select(number)
            self.state_is_that_of_the_model()
            self.users[number].http.close()

    @rule(number=st.integers(0, 2))
    def select(self, number: int) -> None:
        """Let another user write."""
        self.user = self.users[number]
        self.account = self.accounts[self.user.id]

    def send(self, method: str, path: str, key: str | None = None, **options: Json) -> httpx.Response:
        """Send a request of the present user."""
        self.account.begin()
        headers = options.pop("headers", {}) | ({"Idempotency-Key": key} if key else {})
        response = self.user.request(method, path, headers=headers, **options)
        if key and response.is_success:
            self.sent.append(Sent(self.user, method, path, {"headers": headers, **options}, response))
        return response

    def condition(self, task_id: str, away: int | None) -> int | None:
        """Return a revision: the present one of a task, or one that is some revisions away from it."""
        if away is None:
            return None
        task = self.account.tasks.get(task_id)
        return (task.revision if task else 1) + away

    def check_single(self, response: httpx.Response, result: Result) -> None:
        """Compare the response to a request for a single task with the model's result."""
        assert response.status_code == result.status, response.text
        if result.status in (200, 201):
            check_task(response.json(), result.task)
            assert response.headers["ETag"] == f'"{result.task.revision if result.task else 0}"'
        elif result.status == 412:
            check_task(response.json()["task"], result.task)

    @rule(task=whole, key=keys)
    def create(self, task: Json, key: str | None) -> None:
        response = self.send("POST", "/tasks", key, json=task)
        self.check_single(response, self.account.perform({"op": "create", "id": response.json()["id"], "task": task}))

    @rule(task_id=ids, task=whole, away=conditions, is_new=st.booleans())
    def put(self, task_id: str, task: Json, away: int | None, is_new: bool) -> None:
        revision = self.condition(task_id, away)
        headers = {"If-Match": f'"{revision}"'} if revision else {"If-None-Match": "*"} if is_new else {}
        response = self.send("PUT", f"/tasks/{task_id}", json=task, headers=headers)
        if "If-None-Match" in headers and task_id in self.account.tasks:
            self.check_single(response, Result(412, self.account.tasks[task_id]))
        else:
            operation = {"op": "replace", "id": task_id, "task": task, "if_revision": revision}
            self.check_single(response, self.account.perform(operation))

    @rule(task_id=ids, members=changes, away=conditions)
    def patch(self, task_id: str, members: Json, away: int | None) -> None:
        revision = self.condition(task_id, away)
        headers = {"If-Match": f'"{revision}"'} if revision else {}
        response = self.send("PATCH", f"/tasks/{task_id}", json=members, headers=headers)
        operation = {"op": "update", "id": task_id, "changes": members, "if_revision": revision}
        self.check_single(response, self.account.perform(operation))

    @rule(task_id=ids, away=conditions)
    def delete(self, task_id: str, away: int | None) -> None:
        revision = self.condition(task_id, away)
        headers = {"If-Match": f'"{revision}"'} if revision else {}
        response = self.send("DELETE", f"/tasks/{task_id}", headers=headers)
        self.check_single(response, self.account.perform({"op": "delete", "id": task_id, "if_revision": revision}))

    @rule(task_id=ids)
    def restore(self, task_id: str) -> None:
        response = self.send("POST", f"/trash/{task_id}/restore")
        self.check_single(response, self.account.perform({"op": "restore", "id": task_id}))

    @rule(task_id=ids)
    def erase(self, task_id: str) -> None:
        assert self.send("DELETE", f"/trash/{task_id}").status_code == self.account.erase(task_id)

    @rule()
    def empty_trash(self) -> None:
        assert self.send("DELETE", "/trash").status_code == 204
        self.account.empty_trash()

    @rule(data=st.data(), kinds=operations, is_atomic=st.booleans(), key=keys)
    def batch(self, data: st.DataObject, kinds: Sequence[str], is_atomic: bool, key: str | None) -> None:
        free = data.draw(st.permutations(IDS))
        batch = [self.operation(data, kind, task_id) for kind, task_id in zip(kinds, free, strict=False)]
        mode = "atomic" if is_atomic else "independent"
        response = self.send("POST", "/batch", key, json={"mode": mode, "operations": batch})
        answer = response.json()
        # The server chooses the ids of some tasks.
        named = [
            {**one, "id": one.get("id") or r["id"] or str(uuid4())}
            for one, r in zip(batch, answer["results"], strict=True)
        ]
        results = self.account.batch(named, is_atomic=is_atomic)
        failed = is_atomic and any(one.status >= 400 for one in results)
        assert response.status_code == (409 if failed else 200)
        if not failed:
            assert answer["revision"] == self.account.revision
        for one, expected in zip(answer["results"], results, strict=True):
            self.check_result(one, expected)

    def operation(self, data: st.DataObject, kind: str, task_id: str) -> Json:
        """Return an operation of a batch."""
        if kind == "create":
            return {"op": "create", "task": data.draw(whole)} | ({"id": task_id} if data.draw(st.booleans()) else {})
        if kind == "restore":
            return {"op": "restore", "id": task_id}
        if kind == "base":
            members = data.draw(changes)
            base = {name: data.draw(VALUES[name]) for name in members}
            return {"op": "update", "id": task_id, "changes": members, "base": base}
        revision = self.condition(task_id, data.draw(conditions))
        content = {"replace": {"task": whole}, "update": {"changes": changes}, "delete": {}}[kind]
        given = {name: data.draw(strategy) for name, strategy in content.items()}
        return {"op": kind, "id": task_id, **given} | ({"if_revision": revision} if revision else {})

    def check_result(self, one: Json, expected: Result) -> None:
        """Compare a result of a batch with the model's."""
        assert one["status"] == expected.status
        if expected.status in (200, 201):
            check_task(one["task"], expected.task)
        elif expected.status >= 400 and expected.status != 424:
            problem = one["problem"]
            assert problem["status"] == expected.status
            if expected.status in (409, 412):
                check_task(problem.get("task"), expected.task)
            assert sorted(problem.get("members", [])) == sorted(expected.members)

    @rule(task_id=ids, anchor=ids, side=st.sampled_from(["before", "after", "first", "last"]))
    def move(self, task_id: str, anchor: str, side: str) -> None:
        body = {"at": side} if side in ("first", "last") else {side: anchor}
        response = self.send("POST", f"/tasks/{task_id}/move", json=body)
        before = self.account.arranged()
        others = [one for one in before if one != task_id]
        if task_id not in before:
            assert response.status_code == 404
        elif side in body and anchor not in others:
            assert response.status_code == 409
        else:
            ends = {"first": 0, "last": len(others)}
            place = ends[side] if side in ends else others.index(anchor) + (side == "after")
            self.learn_positions()
            assert self.account.arranged() == [*others[:place], task_id, *others[place:]]
            self.check_single(response, Result(200, self.account.tasks[task_id]))

    def learn_positions(self) -> None:
        """Note the positions that a move has changed. Other members stay as they were."""
        tasks = self.user.get("/tasks", params={"limit": 100}).json()["tasks"]
        changed = [task for task in tasks if task["revision"] > self.account.revision]
        for task in sorted(changed, key=lambda task: int(task["revision"])):
            self.account.learn_position(task["id"], task["position"])

    @rule(
        query=filters, members=common_changes, add=VALUES["tags"], remove=VALUES["tags"], is_dry=st.booleans(), key=keys
    )
    def update_many(
        self, query: Json, members: Json, add: list[str], remove: list[str], is_dry: bool, key: str | None
    ) -> None:
        remove = [tag for tag in remove if tag not in add]
        body = members if "tags" in members else members | {"add_tags": add, "remove_tags": remove}

        def change(old: Mapping[str, Json]) -> Json:
            kept = [tag for tag in old["tags"] if tag not in remove]
            tags = members.get("tags", kept + [tag for tag in add if tag not in kept])
            return {**old, **members, "tags": tags}

        response = self.send("PATCH", "/tasks", None if is_dry else key, json=body, params=self.params(query, is_dry))
        self.check_counts(response, is_dry=is_dry, write=lambda account: account.update_many(matcher(query), change))

    @rule(query=filters, is_dry=st.booleans(), key=keys)
    def delete_many(self, query: Json, is_dry: bool, key: str | None) -> None:
        response = self.send("DELETE", "/tasks", None if is_dry else key, params=self.params(query, is_dry))
        self.check_counts(response, is_dry=is_dry, write=lambda account: account.delete_many(matcher(query)))
        answer = response.json()
        assert (answer["deletion_id"] is None) == (is_dry or answer["changed"] == 0)

    @staticmethod
    def params(query: Json, is_dry: bool) -> Json:
        """Return the query of a request."""
        return query | ({"dry_run": True} if is_dry else {})

    def check_counts(self, response: httpx.Response, *, is_dry: bool, write: Callable[[Account], Counts]) -> None:
        """Compare the response to a write of many tasks with the model."""
        before = self.account.revision
        state = (self.account.tasks.copy(), self.account.trash.copy())
        counts = write(self.account)
        if is_dry:
            self.account.revision, (self.account.tasks, self.account.trash) = before, state
        assert response.status_code == 200, response.text
        answer = response.json()
        assert (answer["matched"], answer["changed"], answer["revision"]) == (*counts, self.account.revision)

    @precondition(lambda self: self.deletions[self.user.id])
    @rule(data=st.data())
    def restore_deletion(self, data: st.DataObject) -> None:
        deletion, deletion_id = data.draw(st.sampled_from(sorted(self.deletions[self.user.id].items())))
        response = self.send("POST", "/trash/restore", json={"deletion_id": deletion_id})
        self.check_counts(response, is_dry=False, write=lambda account: account.restore_many(deletion))
        assert response.json()["has_more"] is False

    @rule(old=st.sampled_from(TAGS), new=st.sampled_from([*TAGS, "w"]), key=keys)
    def rename_tag(self, old: str, new: str, key: str | None) -> None:
        response = self.send("PATCH", "/tags", key, params={"name": old}, json={"name": new})
        self.check_tag(response, old, lambda tags: list(dict.fromkeys(new if tag == old else tag for tag in tags)))

    @rule(old=st.sampled_from(TAGS), key=keys)
    def remove_tag(self, old: str, key: str | None) -> None:
        response = self.send("DELETE", "/tags", key, params={"name": old})
        self.check_tag(response, old, lambda tags: [tag for tag in tags if tag != old])

    def check_tag(self, response: httpx.Response, old: str, change: Callable[[list[str]], list[str]]) -> None:
        """Compare the response to a change of a tag with the model."""
        counts = self.account.update_many(
            lambda task: old in task.members["tags"], lambda members: {**members, "tags": change(members["tags"])}
        )
        assert response.status_code == (200 if counts.matched else 404)
        if counts.matched:
            assert response.json() == {"changed": counts.changed, "revision": self.account.revision}

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def repeat(self, data: st.DataObject) -> None:
        """Send a request with a key again, perhaps while another user has written with it."""
        sent = data.draw(st.sampled_from(self.sent))
        again = sent.user.request(sent.method, sent.path, **sent.options)
        assert again.headers["Idempotency-Replayed"] == "true"
        tasks = self.accounts[sent.user.id].tasks
        first = sent.response.json()
        if sent.method == "POST" and sent.path == "/tasks":
            assert again.status_code == (201 if first["id"] in tasks else 410)
            if again.is_success:
                check_task(again.json(), tasks[first["id"]])
                assert again.headers["Location"] == sent.response.headers["Location"]
        elif sent.path == "/batch":
            assert again.status_code == 200
            assert again.json()["revision"] == first["revision"]
            for one, before in zip(again.json()["results"], first["results"], strict=True):
                assert (one["status"], one["id"]) == (before["status"], before["id"])
                check_task(one.get("task"), tasks.get(one["id"]) if before.get("task") else None)
        else:
            assert (again.status_code, again.json()) == (sent.response.status_code, first)

    @precondition(lambda self: self.sent)
    @rule(data=st.data(), task=whole)
    def use_a_key_twice(self, data: st.DataObject, task: Json) -> None:
        """Send another request with a key that is used up."""
        sent = data.draw(st.sampled_from(self.sent))
        other = {**task, "description": "other"}
        response = sent.user.request("POST", "/tasks", json=other, headers=sent.options["headers"])
        assert response.status_code == 422

    @rule()
    def enter_the_path_of_another(self) -> None:
        """Ask for another user's tasks: whether there are any makes no difference."""
        for other in (*self.users, User(self.server, "nobody")):
            if other is not self.user:
                response = self.user.http.get(f"/api/{other.id}/tasks")
                assert response.status_code == 403

    @invariant()
    def state_is_that_of_the_model(self) -> None:
        """Compare everything that the present user can read with the model."""
        if not hasattr(self, "users"):
            return
        tasks = self.user.get("/tasks", params={"limit": 100})
        newest_first = sorted(self.account.tasks.values(), key=lambda task: (task.created, task.id), reverse=True)
        assert [shown(task) for task in tasks.json()["tasks"]] == [task.shown for task in newest_first]
        assert tasks.headers["ETag"] == f'W/"{self.account.revision}"'
        used: dict[str, int] = {}
        for task in newest_first:
            used |= {tag: used.get(tag, 0) + 1 for tag in task.members["tags"]}
        assert {tag["name"]: tag["usage_count"] for tag in self.user.get("/tags").json()} == used
        self.trash_is_that_of_the_model()

    def trash_is_that_of_the_model(self) -> None:
        """Compare the trash with the model's, and learn the ids of deletions."""
        tasks = self.user.get("/trash", params={"limit": 100}).json()["tasks"]
        expected = sorted(self.account.trash.values(), key=lambda task: (task.deleted, task.id), reverse=True)
        assert [shown(task) for task in tasks] == [task.shown for task in expected]
        known = self.deletions[self.user.id]
        for task, one in zip(tasks, expected, strict=True):
            assert one.deleted is not None
            assert known.setdefault(one.deleted, task["deletion_id"]) == task["deletion_id"]
        assert len(set(known.values())) == len(known)


def test_every_write_does_what_the_model_says(server: str) -> None:
    machine = type("Users", (Users,), {"server": server})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=25,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
