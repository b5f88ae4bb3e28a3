"""Lists of tasks, called with the generated package."""

import os
import uuid
from http import HTTPStatus

from todo_api_client import AuthenticatedClient
from todo_api_client.api.lists import (
    create_list,
    delete_list,
    get_list,
    list_lists,
    move_list,
    put_list,
    restore_list,
    update_list,
)
from todo_api_client.api.tasks import create_task, list_tasks
from todo_api_client.models import (
    CreateConflictProblem,
    ListColorType1,
    ListPreconditionFailedProblem,
    NoSuchAnchorProblem,
    Task,
    TaskCreate,
    TaskList,
    TodoList,
    TodoListCreate,
    TodoListMove,
    TodoListMoveAt,
    TodoListReplace,
    TodoLists,
    TodoListUpdate,
)

USER = os.environ["USER_ID"]


def create(client: AuthenticatedClient) -> TodoList:
    """Create a list, and find it among the user's lists."""
    made = create_list.sync(USER, client=client, body=TodoListCreate(name="Garden", color=ListColorType1.GREEN))
    assert isinstance(made, TodoList)
    assert (made.name, made.color, made.archived) == ("Garden", ListColorType1.GREEN, False)
    found = list_lists.sync(USER, client=client)
    assert isinstance(found, TodoLists)
    assert made in found.lists
    assert get_list.sync(USER, made.id, client=client) == made
    return made


def change(client: AuthenticatedClient, made: TodoList) -> None:
    etag = f'"{made.revision}"'
    changed = update_list.sync(USER, made.id, client=client, if_match=etag, body=TodoListUpdate(color=None))
    assert isinstance(changed, TodoList)
    assert changed.color is None
    late = update_list.sync(USER, made.id, client=client, if_match=etag, body=TodoListUpdate(name="Late"))
    assert isinstance(late, ListPreconditionFailedProblem)
    assert late.list_ == changed


def move(client: AuthenticatedClient, made: TodoList) -> None:
    moved = move_list.sync(USER, made.id, client=client, body=TodoListMove(at=TodoListMoveAt.FIRST))
    assert isinstance(moved, TodoList)
    refused = move_list.sync(USER, made.id, client=client, body=TodoListMove(after=uuid.uuid4()))
    assert isinstance(refused, NoSuchAnchorProblem)


def put(client: AuthenticatedClient) -> None:
    response = put_list.sync_detailed(USER, uuid.uuid4(), client=client, body=TodoListReplace(name="Mine"))
    assert (response.status_code, isinstance(response.parsed, TodoList)) == (HTTPStatus.CREATED, True)


def fill_and_restore(client: AuthenticatedClient, made: TodoList) -> None:
    """Create a task in a list, delete and restore the list, and find the task in it again."""
    task = create_task.sync(USER, client=client, body=TaskCreate(title="Sow", list_id=made.id))
    assert isinstance(task, Task)
    assert delete_list.sync_detailed(USER, made.id, client=client).status_code == HTTPStatus.NO_CONTENT
    refused = create_task.sync(USER, client=client, body=TaskCreate(title="Late", list_id=made.id))
    assert isinstance(refused, CreateConflictProblem)
    assert isinstance(restore_list.sync(USER, made.id, client=client), TodoList)
    page = list_tasks.sync(USER, client=client, list_id=[str(made.id)])
    assert isinstance(page, TaskList)
    assert [one.id for one in page.tasks] == [task.id]


def every_operation(client: AuthenticatedClient) -> None:
    """Call every operation on lists. Raises AssertionError if a response is not the expected one."""
    made = create(client)
    change(client, made)
    move(client, made)
    put(client)
    fill_and_restore(client, made)
