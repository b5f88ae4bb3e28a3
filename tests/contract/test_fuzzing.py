"""Schemathesis, given only the contract, finds no request whose response violates it.

`make fuzz` runs the same for longer, with another seed.
"""

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.client import User
from tests.support.conformance import OPERATIONS
from tests.support.fuzz.command_line import Exchange, examine
from tests.support.fuzz.integrity import check_integrity, rows
from tests.support.postgres import odd_database
from tests.support.server import Service, start

BUDGET = ["--max-time", os.environ["FUZZ_SECONDS"]] if "FUZZ_SECONDS" in os.environ else []
SEED = os.environ.get("FUZZ_SEED", "1")
# Schemathesis waits for the end of a response, and a stream has none. tests/sync/test_events.py tests it.
WITHOUT_STREAMS = ["--exclude-operation-id=stream_events"]
BRIEFLY = ["--phases=examples,fuzzing", "--max-examples=10"]
PUBLIC = {name for name, operation in OPERATIONS.items() if operation.get("security") == []}
RESTORING = {
    "/api/{user_id}/batch",
    "/api/{user_id}/lists/{list_id}/restore",
    "/api/{user_id}/trash/restore",
    "/api/{user_id}/trash/{task_id}/restore",
}
OF_A_USER = {(method, path) for method, path in OPERATIONS if "{user_id}" in path}
LINKS = {
    f"{method} {path} -> [{status}] {name}"
    for (method, path), operation in OPERATIONS.items()
    for status, response in operation["responses"].items()
    for name in response.get("links", ())
}
# From tasks with ids that were free, from filters that matched, and from tasks that recur: few sequences get there. The
# clients do.
SELDOM = {
    link
    for link in LINKS
    if link.startswith(
        (
            "PUT /api/{user_id}/tasks/{task_id} -> [201]",
            "PUT /api/{user_id}/lists/{list_id} -> [201]",
            "DELETE /api/{user_id}/tasks -> ",
            "POST /api/{user_id}/tasks/{task_id}/skip -> ",
        )
    )
}


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    """Return the URL of a database that only this file's server uses."""
    return odd_database(postgres)


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a service that only this file uses, so that its log holds nothing else."""
    with start(tmp_path_factory.mktemp("server"), DATABASE_URL=database) as service:
        yield service


@pytest.fixture(scope="module")
def server(service: Service) -> str:
    """Return the service's base URL."""
    return service.url


@pytest.fixture(autouse=True)
def sound(service: Service, database: str) -> Iterator[None]:
    """Fail after a test if any request got a 5xx response or the stored rows are inconsistent."""
    yield
    assert re.findall(r".* 5\d\d [0-9.]+ ms$|.*Traceback.*", service.log.read_text(), re.MULTILINE) == []
    check_integrity(database)


def test_no_response_to_a_users_request_violates_the_contract(
    server: str, ada: User, grace: User, tmp_path: Path, database: str
) -> None:
    grace.create()
    others = [row for row in rows(database) if grace.id in row]
    pinned = {"user_id": ada.id}
    exchanges: list[Exchange] = []
    options = [*WITHOUT_STREAMS, *BUDGET]
    # Which sequences a run contains is a matter of luck, and how far it gets with a time limit.
    for seed in range(int(SEED), int(SEED) + 10):
        exchanges += examine(server, tmp_path, *options, users=[ada.id, grace.id], pinned=pinned, seed=str(seed))
        if BUDGET or not unreached(exchanges):
            break
        options = [*WITHOUT_STREAMS, "--phases=stateful"]
    assert [row for row in rows(database) if ada.id not in row] == others
    assert not any(map(is_afterlife, lives(exchanges)))
    assert BUDGET or unreached(exchanges) == set()


def unreached(exchanges: list[Exchange]) -> set[str]:
    """Return the phases that did not run, the links that led to no success, and whether no task had a whole life."""
    phases = {"examples", "coverage", "fuzzing", "stateful"} - {exchange.phase for exchange in exchanges}
    followed = [(exchange.link.rpartition(" -> ")[0], exchange.status) for exchange in exchanges if exchange.link]
    # The values that a link passes on, such as If-Match, are accepted. After a DELETE there is nothing to find.
    accepted = {link for link, status in followed if status < 400 or link.endswith("[204] get_task")}
    lived = any(is_whole_life(life) for life in lives(exchanges))
    return phases | (LINKS - SELDOM - accepted) | (set() if lived else {"a whole life"})


def lives(exchanges: list[Exchange]) -> list[list[tuple[str, int]]]:
    """Return, for each task, the methods and statuses of its requests in the stateful phase, in order.

    A POST that succeeded may have restored the task: of it, of a deletion, or in a batch.
    """
    tasks: dict[str, list[tuple[str, int]]] = {
        exchange.path: [] for exchange in exchanges if exchange.template == "/api/{user_id}/tasks/{task_id}"
    }
    for exchange in exchanges:
        if exchange.phase == "stateful" and exchange.template in RESTORING:
            restored = exchange.path.replace("/trash/", "/tasks/").removesuffix("/restore")
            for life in [tasks[restored]] if restored in tasks else tasks.values():
                life.append((exchange.method, exchange.status))
        elif exchange.phase == "stateful" and exchange.path in tasks:
            tasks[exchange.path].append((exchange.method, exchange.status))
    return list(tasks.values())


def is_afterlife(life: list[tuple[str, int]]) -> bool:
    """Return whether a task was found after its deletion, although nothing can have restored it."""
    is_deleted = False
    for method, status in life:
        if is_deleted and status < 400 and method != "POST":
            return True
        if status < 400 and method in ("DELETE", "POST"):
            is_deleted = method == "DELETE"
    return False


def is_whole_life(life: list[tuple[str, int]]) -> bool:
    """Return whether a task was read, changed and deleted, in this order, and then not found."""
    steps = iter(life)
    return all(step in steps for step in (("GET", 200), ("PATCH", 200), ("DELETE", 204), ("GET", 404)))


def test_without_a_token_only_public_operations_return_a_status_below_401(
    server: str, ada: User, tmp_path: Path, database: str
) -> None:
    task = ada.create()
    before = rows(database)
    pinned = {"user_id": ada.id, "task_id": task["id"]}
    answers = answers_to(examine(server, tmp_path, *BRIEFLY, users=[], pinned=pinned, seed=SEED))
    assert {operation for operation, statuses in answers.items() if min(statuses) < 401} == PUBLIC
    assert answers.keys() == OPERATIONS.keys()
    assert rows(database) == before


def test_with_another_users_token_every_path_of_a_user_returns_403_and_nothing_is_written(
    server: str, ada: User, grace: User, tmp_path: Path, database: str
) -> None:
    task = ada.create()
    before = rows(database)
    pinned = {"user_id": ada.id, "task_id": task["id"]}
    answers = answers_to(examine(server, tmp_path, *BRIEFLY, users=[grace.id], pinned=pinned, seed=SEED))
    for operation in OF_A_USER:
        # Schemathesis damages or omits some of the tokens: those requests get a 401.
        assert answers[operation] - {401} == {403}, operation
    assert rows(database) == before


def answers_to(exchanges: list[Exchange]) -> dict[tuple[str, str], set[int]]:
    """Return the statuses of each operation's responses, without methods that a path does not support."""
    answers = defaultdict(set)
    for exchange in exchanges:
        if (exchange.method, exchange.template) in OPERATIONS:
            answers[exchange.method, exchange.template].add(exchange.status)
    return dict(answers)
