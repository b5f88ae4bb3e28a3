"""Every operation of the API, called with the package that openapi-python-client generates from its contract."""

import datetime
import os
import sys
import uuid
from collections.abc import Iterator
from http import HTTPStatus

import httpx
import lists_of_tasks
import synchronisation
import trusted_writes
from todo_api_client import AuthenticatedClient, Client
from todo_api_client.api.auth import verify_token
from todo_api_client.api.health import get_health, get_liveness, get_readiness
from todo_api_client.api.preferences import get_preferences, update_preferences
from todo_api_client.api.tags import list_tags
from todo_api_client.api.tasks import (
    create_task,
    delete_task,
    get_task,
    list_tasks,
    move_task,
    skip_occurrence,
    update_task,
)
from todo_api_client.models import (
    ForbiddenProblem,
    Health,
    HealthDatabase,
    HealthStatus,
    InvalidInputProblem,
    ListTasksSortBy,
    ListTasksSortDirection,
    Liveness,
    LivenessStatus,
    MoveConflictProblem,
    NoNextOccurrenceProblem,
    NotFoundProblem,
    PreconditionFailedProblem,
    Preferences,
    PreferencesUpdate,
    Principal,
    Priority,
    Readiness,
    ReadinessMigrations,
    Task,
    TaskCreate,
    TaskList,
    TaskMove,
    TaskMoveAt,
    TaskRecurrenceType0,
    TaskRecurrenceType0Frequency,
    TaskUpdate,
    UnauthorizedProblem,
    UpdateConflictProblem,
    WeekStart,
)
from todo_api_client.types import UNSET, Unset

API, USER, TOKEN = os.environ["API"], os.environ["USER_ID"], os.environ["TOKEN"]


def print_call(request: httpx.Request) -> None:
    """Print the method and the path of a request."""
    sys.stdout.write(f"called {request.method} {request.url.path}\n")


OBSERVED = {"event_hooks": {"request": [print_call]}}


def verify(client: AuthenticatedClient) -> None:
    principal = verify_token.sync(client=client)
    assert isinstance(principal, Principal)
    assert (principal.user_id, principal.email, principal.name) == (USER, "ada@example.com", "Ada")
    assert isinstance(principal.issued_at, datetime.datetime)
    assert principal.expires_at - principal.issued_at == datetime.timedelta(hours=1)
    stranger = AuthenticatedClient(base_url=API, token="none")
    assert isinstance(verify_token.sync(client=stranger), UnauthorizedProblem)


def create(client: AuthenticatedClient) -> Task:
    """Create a task from just a title, and return it."""
    task = create_task.sync(USER, client=client, body=TaskCreate(title="Water the plants"))
    assert isinstance(task, Task)
    assert (task.description, task.completed, task.completed_at) == (None, False, None)
    assert (task.priority, task.due_date, task.tags, task.list_id) == (Priority.MEDIUM, None, [], None)
    return task


def rejected_input_gets_every_error(client: AuthenticatedClient) -> None:
    problem = create_task.sync(USER, client=client, body=TaskCreate(title="", tags=["a", "a"]))
    assert isinstance(problem, InvalidInputProblem)
    assert sorted(str(error.pointer) for error in problem.errors) == ["/tags", "/title"]
    assert isinstance(create_task.sync("grace", client=client, body=TaskCreate(title="Mine")), ForbiddenProblem)


def read(client: AuthenticatedClient, task: Task) -> None:
    response = get_task.sync_detailed(USER, task.id, client=client)
    assert response.parsed == task
    again = get_task.sync_detailed(USER, task.id, client=client, if_none_match=response.headers["ETag"])
    assert (again.status_code, again.parsed) == (HTTPStatus.NOT_MODIFIED, None)
    assert isinstance(get_task.sync(USER, uuid.uuid4(), client=client), NotFoundProblem)


def change(client: AuthenticatedClient, task: Task) -> Task:
    """Update a task, check that an update of an older revision changes nothing, and return the current task."""
    etag = f'"{task.revision}"'
    day = datetime.date(2026, 12, 24)
    due = update_task.sync(USER, task.id, client=client, if_match=etag, body=TaskUpdate(due_date=day, completed=True))
    assert isinstance(due, Task)
    assert (due.due_date, due.title) == (day, task.title)
    late = update_task.sync(USER, task.id, client=client, if_match=etag, body=TaskUpdate(title="Late"))
    assert isinstance(late, PreconditionFailedProblem)
    assert late.task == due
    cleared = update_task.sync(USER, task.id, client=client, body=TaskUpdate(due_date=None))
    assert isinstance(cleared, Task)
    assert (cleared.due_date, cleared.completed) == (None, True)
    return send_back(client, cleared)


def send_back(client: AuthenticatedClient, task: Task) -> Task:
    """Change a task by sending all of it, as it was read, with one other value."""
    whole = TaskUpdate.from_dict(task.to_dict())
    whole.completed = False
    opened = update_task.sync(USER, task.id, client=client, body=whole)
    assert isinstance(opened, Task)
    assert (opened.completed, opened.revision) == (False, task.revision + 1)
    return opened


def every_task(client: AuthenticatedClient, *tags: str) -> Iterator[Task]:
    """Yield every task that has one of the tags, page by page, sorted by title."""
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        page = list_tasks.sync(
            USER,
            client=client,
            tags=list(tags),
            sort_by=ListTasksSortBy.TITLE,
            sort_direction=ListTasksSortDirection.ASC,
            limit=2,
            cursor=cursor,
        )
        assert isinstance(page, TaskList)
        yield from page.tasks
        cursor = page.next_cursor


def search_and_count(client: AuthenticatedClient) -> None:
    for title in ("d", "b", "a", "e", "c"):
        create_task.sync(USER, client=client, body=TaskCreate(title=title, tags=["alphabet"]))
    assert [task.title for task in every_task(client, "alphabet")] == ["a", "b", "c", "d", "e"]
    response = list_tasks.sync_detailed(USER, client=client, search="B", priority=[Priority.MEDIUM], completed=False)
    assert isinstance(response.parsed, TaskList)
    assert ([task.title for task in response.parsed.tasks], response.parsed.total) == (["b"], 1)
    again = list_tasks.sync_detailed(USER, client=client, if_none_match=response.headers["ETag"])
    assert again.status_code == HTTPStatus.NOT_MODIFIED
    tags = list_tags.sync(USER, client=client)
    assert isinstance(tags, list)
    assert [(tag.name, tag.usage_count) for tag in tags] == [("alphabet", 5)]


def set_times(client: AuthenticatedClient) -> None:
    body = TaskCreate(title="Call", due_date=datetime.date(2026, 11, 24), due_time="18:30", time_zone="Europe/Berlin")
    call = create_task.sync(USER, client=client, body=body)
    assert isinstance(call, Task)
    assert call.due_at == datetime.datetime(2026, 11, 24, 17, 30, tzinfo=datetime.UTC)
    update_task.sync(USER, call.id, client=client, body=TaskUpdate(due_date=None))
    refused = update_task.sync(USER, call.id, client=client, body=TaskUpdate(due_time="09:00"))
    assert isinstance(refused, UpdateConflictProblem)
    delete_task.sync(USER, call.id, client=client)
    assert isinstance(get_preferences.sync(USER, client=client), Preferences)
    preferred = update_preferences.sync(USER, client=client, body=PreferencesUpdate(week_start=WeekStart.SUNDAY))
    assert isinstance(preferred, Preferences)
    assert (preferred.time_zone, preferred.week_start) == (None, WeekStart.SUNDAY)


def move(client: AuthenticatedClient, task: Task) -> Task:
    """Move a task to the first place and behind another task, and return it."""
    first = move_task.sync(USER, task.id, client=client, body=TaskMove(at=TaskMoveAt.FIRST))
    assert isinstance(first, Task)
    other = create_task.sync(USER, client=client, body=TaskCreate(title="Feed the cat"))
    assert isinstance(other, Task)
    last = move_task.sync(USER, task.id, client=client, body=TaskMove(after=other.id))
    assert isinstance(last, Task)
    assert first.position < other.position < last.position
    missing = move_task.sync(USER, task.id, client=client, body=TaskMove(before=uuid.uuid4()))
    assert isinstance(missing, MoveConflictProblem)
    subtask = move_task.sync(USER, other.id, client=client, body=TaskMove(parent_id=task.id))
    assert isinstance(subtask, Task)
    assert subtask.parent_id == task.id
    return last


def recur(client: AuthenticatedClient) -> None:
    monthly = TaskRecurrenceType0(frequency=TaskRecurrenceType0Frequency.MONTHLY)
    body = TaskCreate(title="Pay the rent", due_date=datetime.date(2096, 1, 31), recurrence=monthly)
    rent = create_task.sync(USER, client=client, body=body)
    assert isinstance(rent, Task)
    assert (rent.recurrence and rent.recurrence.month_day, rent.occurrence_date) == (31, rent.due_date)
    skipped = skip_occurrence.sync(USER, rent.id, client=client)
    assert isinstance(skipped, Task)
    assert skipped.due_date == datetime.date(2096, 2, 29)
    done = update_task.sync(USER, rent.id, client=client, body=TaskUpdate(completed=True))
    assert isinstance(done, Task)
    assert done.next_task_id
    assert isinstance(skip_occurrence.sync(USER, rent.id, client=client), NoNextOccurrenceProblem)
    delete_task.sync(USER, done.next_task_id, client=client)
    delete_task.sync(USER, rent.id, client=client)


def delete(client: AuthenticatedClient, task: Task) -> None:
    rejected = delete_task.sync(USER, task.id, client=client, if_match='"0"')
    assert isinstance(rejected, PreconditionFailedProblem)
    assert rejected.task == task
    response = delete_task.sync_detailed(USER, task.id, client=client, if_match=f'"{task.revision}"')
    assert response.status_code == HTTPStatus.NO_CONTENT
    assert isinstance(delete_task.sync(USER, task.id, client=client), NotFoundProblem)


def health(client: Client) -> None:
    overall = get_health.sync(client=client)
    assert isinstance(overall, Health)
    assert (overall.status, overall.database) == (HealthStatus.HEALTHY, HealthDatabase.UP)
    live = get_liveness.sync(client=client)
    assert isinstance(live, Liveness)
    assert live.status == LivenessStatus.ALIVE
    ready = get_readiness.sync(client=client)
    assert isinstance(ready, Readiness)
    assert ready.migrations == ReadinessMigrations.APPLIED


def main() -> None:
    """Call every operation. Raises AssertionError if a response is not the expected one."""
    with AuthenticatedClient(base_url=API, token=TOKEN, httpx_args=OBSERVED) as client:
        verify(client)
        task = create(client)
        rejected_input_gets_every_error(client)
        read(client, task)
        task = move(client, change(client, task))
        search_and_count(client)
        set_times(client)
        recur(client)
        delete(client, task)
        trusted_writes.every_write(client)
        lists_of_tasks.every_operation(client)
        synchronisation.follow_changes(client)
        synchronisation.follow_events(client)
    with Client(base_url=API, httpx_args=OBSERVED) as anonymous_client:
        health(anonymous_client)


if __name__ == "__main__":
    main()
