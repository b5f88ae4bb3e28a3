"""Code that mypy must reject because the contract does not allow it: mypy reports every `ignore` that is not needed."""

from todo_api_client import AuthenticatedClient
from todo_api_client.api.tasks import create_task, get_task, list_tasks
from todo_api_client.models import Principal, Task, TaskCreate, TaskList, TaskUpdate


def parameters(client: AuthenticatedClient) -> None:
    """Path, query and body have the types of the contract."""
    get_task.sync("ada", "not a UUID", client=client)  # type: ignore[arg-type]
    list_tasks.sync("ada", client=client, page=2)  # type: ignore[call-arg]
    list_tasks.sync("ada", client=client, limit="10")  # type: ignore[arg-type]
    list_tasks.sync("ada", client=client, tags="home")  # type: ignore[arg-type]
    list_tasks.sync("ada", client=client, cursor=None)  # type: ignore[arg-type]
    create_task.sync("ada", client=client)  # type: ignore[call-arg]


def bodies() -> None:
    """A body has the fields of the contract, and null only in fields that null clears."""
    TaskCreate()  # type: ignore[call-arg]
    TaskCreate(title="A task", colour="red")  # type: ignore[call-arg]
    TaskCreate(title="A task", priority="Urgent")  # type: ignore[arg-type]
    TaskUpdate(title=None)  # type: ignore[arg-type]
    TaskUpdate(due_date="2026-12-24")  # type: ignore[arg-type]
    TaskUpdate(revision="1")  # type: ignore[arg-type]


def nullable(task: Task, page: TaskList, principal: Principal) -> None:
    """A value that may be null must be checked before use."""
    task.description.lower()  # type: ignore[union-attr]
    task.due_date.isoformat()  # type: ignore[union-attr]
    task.completed_at.isoformat()  # type: ignore[union-attr]
    page.total.bit_length()  # type: ignore[union-attr]
    page.offset.bit_length()  # type: ignore[union-attr]
    page.next_cursor.lower()  # type: ignore[union-attr]
    principal.email.lower()  # type: ignore[union-attr]
    principal.name.lower()  # type: ignore[union-attr]
    principal.issued_at.isoformat()  # type: ignore[union-attr]


def responses(task: Task) -> object:
    """A response has the fields of the contract and no others."""
    return task.colour  # type: ignore[attr-defined]
