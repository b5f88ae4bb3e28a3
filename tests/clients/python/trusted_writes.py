"""Writes that can be repeated, batched and undone, called with the generated package."""

import os
import uuid
from http import HTTPStatus

from todo_api_client import AuthenticatedClient
from todo_api_client.api.batch import run_batch
from todo_api_client.api.tags import remove_tag, rename_tag
from todo_api_client.api.tasks import create_task, delete_task, delete_tasks, put_task, update_tasks
from todo_api_client.api.trash import empty_trash, erase_task, list_trash, restore_deletion, restore_task
from todo_api_client.models import (
    Batch,
    BatchCreate,
    BatchCreateOp,
    BatchDelete,
    BatchDeleteOp,
    BatchFailedProblem,
    BatchMode,
    BatchResult,
    BatchUpdate,
    BatchUpdateOp,
    BulkDeleteResult,
    BulkUpdateResult,
    ConflictProblem,
    Deletion,
    IdempotencyMismatchProblem,
    NotFoundProblem,
    PutPreconditionFailedProblem,
    RestoreResult,
    TagUpdate,
    TagUpdateResult,
    Task,
    TaskBulkUpdate,
    TaskChanges,
    TaskCreate,
    TaskReplace,
    TaskUpdate,
    TrashList,
)

USER = os.environ["USER_ID"]


def put(client: AuthenticatedClient) -> None:
    """Create a task under an id of one's own, repeat that, and replace the task."""
    task_id = uuid.uuid4()
    made = put_task.sync_detailed(USER, task_id, client=client, body=TaskReplace(title="Mine", tags=["own"]))
    assert (made.status_code, isinstance(made.parsed, Task)) == (HTTPStatus.CREATED, True)
    again = put_task.sync_detailed(USER, task_id, client=client, body=TaskReplace(title="Mine", tags=["own"]))
    assert (again.status_code, again.parsed) == (HTTPStatus.OK, made.parsed)
    replaced = put_task.sync(USER, task_id, client=client, body=TaskReplace(title="Changed"))
    assert isinstance(replaced, Task)
    assert (replaced.title, replaced.tags) == ("Changed", [])
    refused = put_task.sync(USER, uuid.uuid4(), client=client, if_match='"1"', body=TaskReplace(title="Nobody's"))
    assert isinstance(refused, PutPreconditionFailedProblem)
    assert refused.task is None
    delete_task.sync(USER, task_id, client=client)
    assert isinstance(put_task.sync(USER, task_id, client=client, body=TaskReplace(title="Late")), ConflictProblem)


def create_once(client: AuthenticatedClient) -> None:
    """Repeat a creation with its key, as after an answer that was lost."""
    key, body = str(uuid.uuid4()), TaskCreate(title="Once")
    first = create_task.sync_detailed(USER, client=client, body=body, idempotency_key=key)
    again = create_task.sync_detailed(USER, client=client, body=body, idempotency_key=f'"{key}"')
    assert (again.status_code, again.parsed) == (first.status_code, first.parsed)
    assert [one.headers.get("Idempotency-Replayed") for one in (first, again)] == [None, "true"]
    other = create_task.sync(USER, client=client, body=TaskCreate(title="Twice"), idempotency_key=key)
    assert isinstance(other, IdempotencyMismatchProblem)


def batch(client: AuthenticatedClient) -> None:
    """Run writes together, once all or none of them, and once each by itself."""
    task_id = uuid.uuid4()
    create = BatchCreate(op=BatchCreateOp.CREATE, id=task_id, task=TaskCreate(title="One", tags=["batch"]))
    remove = BatchDelete(op=BatchDeleteOp.DELETE, id=uuid.uuid4())
    failed = run_batch.sync(USER, client=client, body=Batch(operations=[create, remove]))
    assert isinstance(failed, BatchFailedProblem)
    assert [result.status for result in failed.results] == [424, 404]
    both = Batch(mode=BatchMode.INDEPENDENT, operations=[create, remove])
    done = run_batch.sync(USER, client=client, body=both)
    assert isinstance(done, BatchResult)
    assert [(result.status, result.id) for result in done.results] == [(201, task_id), (404, remove.id)]
    changes, base = TaskUpdate(completed=True), TaskChanges(completed=False)
    update = BatchUpdate(op=BatchUpdateOp.UPDATE, id=task_id, changes=changes, base=base)
    merged = run_batch.sync(USER, client=client, body=Batch(operations=[update]))
    assert isinstance(merged, BatchResult)
    task = merged.results[0].task
    assert isinstance(task, Task)
    assert task.completed


def many(client: AuthenticatedClient) -> None:
    """Update and delete the tasks that match, and undo the deletion."""
    tagged = update_tasks.sync(USER, client=client, tags=["batch"], body=TaskBulkUpdate(add_tags=["many"]))
    assert isinstance(tagged, BulkUpdateResult)
    assert (tagged.matched, tagged.changed) == (1, 1)
    counted = delete_tasks.sync(USER, client=client, tags=["many"], dry_run=True)
    assert isinstance(counted, BulkDeleteResult)
    assert (counted.changed, counted.deletion_id, counted.revision) == (1, None, tagged.revision)
    deleted = delete_tasks.sync(USER, client=client, tags=["many"])
    assert isinstance(deleted, BulkDeleteResult)
    assert deleted.deletion_id is not None
    undone = restore_deletion.sync(USER, client=client, body=Deletion(deletion_id=deleted.deletion_id))
    assert isinstance(undone, RestoreResult)
    assert (undone.matched, undone.changed, undone.has_more) == (1, 1, False)


def tags(client: AuthenticatedClient) -> None:
    """Rename a tag and remove it, on every task that has it."""
    renamed = rename_tag.sync(USER, client=client, name="many", body=TagUpdate(name="a/b & c"))
    assert isinstance(renamed, TagUpdateResult)
    assert renamed.changed == 1
    removed = remove_tag.sync(USER, client=client, name="a/b & c")
    assert isinstance(removed, TagUpdateResult)
    assert (removed.changed, removed.revision) == (1, renamed.revision + 1)
    assert isinstance(remove_tag.sync(USER, client=client, name="a/b & c"), NotFoundProblem)


def trash(client: AuthenticatedClient) -> None:
    """Find a deleted task, restore it, delete it again, and erase it."""
    empty_trash.sync_detailed(USER, client=client)
    task = create_task.sync(USER, client=client, body=TaskCreate(title="Old news"))
    assert isinstance(task, Task)
    delete_task.sync(USER, task.id, client=client)
    found = list_trash.sync(USER, client=client)
    assert isinstance(found, TrashList)
    assert [(one.id, one.deleted_at) for one in found.tasks] == [(task.id, found.tasks[0].updated_at)]
    restored = restore_task.sync(USER, task.id, client=client)
    assert isinstance(restored, Task)
    assert (restored.title, restored.revision) == (task.title, task.revision + 2)
    delete_task.sync(USER, task.id, client=client)
    assert erase_task.sync_detailed(USER, task.id, client=client).status_code == HTTPStatus.NO_CONTENT
    assert isinstance(restore_task.sync(USER, task.id, client=client), NotFoundProblem)


def every_write(client: AuthenticatedClient) -> None:
    """Call every operation of this module. Raises AssertionError if a response is not the expected one."""
    put(client)
    create_once(client)
    batch(client)
    many(client)
    tags(client)
    trash(client)
