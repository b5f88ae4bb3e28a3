"""The corpus of hostile input: each case gets the expected response, and ten thousand leave the server unharmed."""

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.client import User
from tests.support.conformance import check
from tests.support.hostile import bodies, fields, framing, schedules, targets, tokens, writes
from tests.support.hostile.case import USER, Case
from tests.support.hostile.connection import Connection
from tests.support.server import Service, start

BEARING = tokens.CASES
CORPUS = [*bodies.CASES, *fields.CASES, *targets.CASES, *framing.CASES, *schedules.CASES, *writes.CASES]
CORPUS += [*tokens.OTHERS, *BEARING]
PAGE = os.sysconf("SC_PAGE_SIZE")


@pytest.fixture(scope="module")
def service(database: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """Yield a running service with its process and its log."""
    with start(tmp_path_factory.mktemp("hostile"), DATABASE_URL=database) as service:
        yield service


def send(service: Service, case: Case) -> list[httpx.Response]:
    """Send a case; return its responses, after checking their statuses and their form."""
    with Connection(service.url) as connection:
        answers, kept = connection.exchange(case)
    assert [answer.status_code for answer in answers] == list(case.statuses)
    assert kept == (case.connection == "kept")
    for answer in answers:
        assert answer.is_success or is_problem(answer)
    if len(answers) == 1:
        hold_to_the_contract(case, answers[0])
    return answers


def is_problem(answer: httpx.Response) -> bool:
    """Return whether a response reports a client error as a problem document with the request's id."""
    problem = answer.json()
    return (
        answer.headers["Content-Type"] == "application/problem+json"
        and 400 <= answer.status_code == problem["status"] < 500
        and bool(problem["instance"] == f"urn:request:{answer.headers['X-Request-ID']}")
    )


def hold_to_the_contract(case: Case, answer: httpx.Response) -> None:
    """Check a response against the contract if the case has a plain path and is not a preflight request."""
    line = re.match(rb"([A-Z]+) (/[\w/-]{1,1000})[ ?]", case.request)
    if line is not None and b"Access-Control-Request-Method" not in case.request:
        answer.request = httpx.Request(line[1].decode(), f"http://todo.example.com{line[2].decode()}")
        check(answer)


@pytest.mark.parametrize("case", [case for case in CORPUS if case not in BEARING], ids=lambda case: case.name)
def test_each_hostile_request_gets_the_expected_status(service: Service, case: Case) -> None:
    send(service, case)


@pytest.mark.parametrize("case", BEARING, ids=lambda case: case.name)
def test_each_hostile_token_is_accepted_or_rejected_as_invalid(service: Service, case: Case) -> None:
    (answer,) = send(service, case)
    if answer.status_code == 401:
        assert answer.headers["WWW-Authenticate"].startswith('Bearer error="invalid_token"')
    else:
        assert answer.json()["user_id"] == USER


def batches(cases: list[Case]) -> Iterator[list[Case]]:
    """Yield cases in groups that can be sent at once: a case that ends the connection comes last in its group."""
    group: list[Case] = []
    for case in cases:
        group.append(case)
        if case.connection != "kept" or sum(len(one.request) for one in group) > 20_000:
            yield group
            group = []
    if group:
        yield group


def send_all(service: Service) -> Counter[int]:
    """Send the whole corpus, many cases at once; return how often each status was returned."""
    statuses: Counter[int] = Counter()
    for group in batches(CORPUS):
        with Connection(service.url) as connection:
            answers, _ = connection.exchange(*group)
        given = [answer.status_code for answer in answers]
        assert given == [status for case in group for status in case.statuses]
        statuses.update(given)
    return statuses


def resident(process: int) -> int:
    """Return the resident memory of a process in bytes."""
    return int(Path(f"/proc/{process}/statm").read_text().split()[1]) * PAGE


def total(user: User) -> int:
    """Return how many tasks and lists a user has, without the occurrences that completed ones have created."""
    following = {"search": schedules.TITLE, "completed": "false"}
    tasks, others = (user.get("/tasks", params=query).json()["total"] for query in ({"limit": 1}, following))
    return int(tasks - others) + len(user.get("/lists").json()["lists"])


def test_ten_thousand_hostile_requests_leave_the_server_unharmed(service: Service) -> None:
    with User(service.url, USER) as user:
        # Measured: the memory that the allocator keeps grows for ten rounds, and not at all in the next eleven.
        for _ in range(10):
            send_all(service)
        before, created = resident(service.process.pid), total(user)
        sent: Counter[int] = Counter()
        while sent.total() < 10_000:
            sent += send_all(service)
        # 300 bytes a request: anything kept from a request would take more, and what Python caches takes less.
        assert resident(service.process.pid) - before < 3 * 2**20
        assert total(user) == created + sent[201]
        user.create("still here")
        assert user.titles(limit=1) == ["still here"]
        assert user.http.get("/health").status_code == 200
    log = service.log.read_text()
    assert "Traceback" not in log
    assert re.findall(r" 5\d\d [\d.]+ ms", log) == []
