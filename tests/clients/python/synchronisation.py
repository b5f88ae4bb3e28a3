"""What has changed, and the moment it changes, with the generated package."""

import json
import os
from collections.abc import Iterable, Iterator

from todo_api_client import AuthenticatedClient
from todo_api_client.api.changes import list_changes
from todo_api_client.api.events import stream_events
from todo_api_client.api.tasks import create_task, delete_task
from todo_api_client.models import ChangedEvent, ChangeList, ReadyEvent, SyncResetProblem, Task, TaskCreate

USER = os.environ["USER_ID"]


def follow_changes(client: AuthenticatedClient) -> None:
    """Download everything, and ask what has changed since."""
    kept = create_task.sync(USER, client=client, body=TaskCreate(title="Keep"))
    deleted = create_task.sync(USER, client=client, body=TaskCreate(title="Delete"))
    assert isinstance(kept, Task)
    assert isinstance(deleted, Task)
    everything = list_changes.sync(USER, client=client, limit=1000)
    assert isinstance(everything, ChangeList)
    assert everything.tasks[-2:] == [kept, deleted]
    assert not everything.has_more
    delete_task.sync(USER, deleted.id, client=client)
    page = list_changes.sync(USER, client=client, sync_token=everything.sync_token)
    assert isinstance(page, ChangeList)
    assert (page.tasks, [one.id for one in page.deleted]) == ([], [deleted.id])
    assert isinstance(list_changes.sync(USER, client=client, sync_token="1.1.0"), SyncResetProblem)


def follow_events(client: AuthenticatedClient) -> None:
    """Read the stream as it comes. The package itself would wait for its end."""
    request = stream_events._get_kwargs(USER)
    with client.get_httpx_client().stream(**request) as response:
        found = data_of(response.iter_lines())
        ready = ReadyEvent.from_dict(json.loads(next(found)))
        task = create_task.sync(USER, client=client, body=TaskCreate(title="Ring the bell"))
        assert isinstance(task, Task)
        changed = ChangedEvent.from_dict(json.loads(next(found)))
    assert (changed.revision, changed.sync_token != ready.sync_token) == (task.revision, True)


def data_of(lines: Iterable[str]) -> Iterator[str]:
    """Yield the data of each event of a stream."""
    return (line.removeprefix("data: ") for line in lines if line.startswith("data: "))
