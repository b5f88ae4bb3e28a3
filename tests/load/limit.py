"""The limit: the cost of the libraries alone. Bare ASGI, PyJWT, a psycopg pool, one SQL statement and orjson.

It validates nothing, stamps no revision and logs nothing; it returns a cursor but does not accept one.
"""

import os
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID

import jwt
import orjson
from psycopg_pool import AsyncConnectionPool
from starlette.types import Receive, Scope, Send
from uuid6 import uuid7

_SECRET = os.environ["BETTER_AUTH_SECRET"]
_COLUMNS = (
    "id, user_id, title, description, completed, completed_at, priority, due_date, due_time, time_zone, due_at, "
    "recurrence, series_id, occurrence_date, next_task_id, tags, list_id, parent_id, position, created_at, updated_at, "
    "revision"
)
_NAMES = _COLUMNS.split(", ")
_PRIORITIES = {"Low": 1, "Medium": 2, "High": 3}
_PRIORITY_NAMES = {number: name for name, number in _PRIORITIES.items()}
_OWN = "user_id = %s AND deleted_at IS NULL"
# The expression of the index.
_SEARCH = "lower(title) || 'X' || lower(coalesce(description, '')) LIKE lower(%s)"
_GET = f"SELECT {_COLUMNS} FROM tasks WHERE id = %s AND {_OWN}"  # noqa: S608 - built from constants
_LIST = f"SELECT (SELECT count(*) FROM tasks WHERE {_OWN}), {_COLUMNS} FROM tasks WHERE {_OWN}"  # noqa: S608
_LIST += " ORDER BY created_at DESC, id DESC LIMIT 51"
_FOUND = f"SELECT (SELECT count(*) FROM tasks WHERE {_OWN} AND {_SEARCH}), {_COLUMNS} FROM tasks "  # noqa: S608
_FOUND += f"WHERE {_OWN} AND {_SEARCH} ORDER BY created_at DESC, id DESC LIMIT 51"
_TAGS = f"SELECT name, count(*) FROM tasks, unnest(tags) AS name WHERE {_OWN} GROUP BY name "  # noqa: S608
_TAGS += 'ORDER BY name COLLATE "C"'
_REVISION = "SELECT revision FROM accounts WHERE user_id = %s"
_CREATE = f"""
    INSERT INTO tasks (id, user_id, title, description, completed, priority, due_date, tags, position,
                       created_at, updated_at, revision)
    VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, now(), now(), 1) RETURNING {_COLUMNS}
"""  # noqa: S608
_DELETE = "DELETE FROM tasks WHERE id = %s AND user_id = %s"
_JSON = [(b"content-type", b"application/json")]

pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
    os.environ["DATABASE_URL"],
    kwargs={"autocommit": True, "client_encoding": "utf8", "options": "-c timezone=UTC"},
    min_size=1,
    max_size=10,
    open=False,
)


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    """Serve one request. Any error but an invalid token becomes a 500."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    headers = dict(scope["headers"])
    try:
        token = headers.get(b"authorization", b"")[7:]
        user_id = jwt.decode(token, _SECRET, algorithms=["HS256"], options={"verify_aud": False})["sub"]
    except jwt.PyJWTError:
        await _respond(send, 401, b"")
        return
    await _respond(send, *await _route(scope, receive, user_id, headers.get(b"if-none-match")))


async def _lifespan(receive: Receive, send: Send) -> None:
    await receive()
    await pool.open(wait=True)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await pool.close()
    await send({"type": "lifespan.shutdown.complete"})


async def _respond(send: Send, status: int, body: bytes) -> None:
    headers = [*_JSON, (b"content-length", str(len(body)).encode())] if status not in (204, 304) else []
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _route(scope: Scope, receive: Receive, user_id: str, tag: bytes | None) -> tuple[int, bytes]:
    """Return the status and body for `tasks`, `tasks/{id}` or `tags` below `/api/{user_id}/`."""
    method, parts = scope["method"], scope["path"].split("/")
    if len(parts) == 5:
        return await _task(method, UUID(parts[4]), user_id, receive, tag)
    if method == "POST":
        return await _create(user_id, await _body(receive))
    if tag is not None and await _fetch_one(_REVISION, user_id) == (int(tag[3:-1]),):
        return 304, b""
    if parts[3] == "tags":
        return 200, orjson.dumps([{"name": row[0], "usage_count": row[1]} for row in await _fetch(_TAGS, user_id)])
    query = scope["query_string"].decode()
    if query.startswith("search="):
        text = f"%{query[7:]}%"
        return 200, _page(await _fetch(_FOUND, user_id, text, user_id, text))
    return 200, _page(await _fetch(_LIST, user_id, user_id))


async def _task(method: str, task_id: UUID, user_id: str, receive: Receive, tag: bytes | None) -> tuple[int, bytes]:
    if method == "DELETE":
        async with pool.connection() as connection:
            await connection.execute(_DELETE, (task_id, user_id))
        return 204, b""
    if method == "PATCH":
        body = await _body(receive)
        if "completed" in body:
            body["completed_at"] = datetime.now(UTC) if body["completed"] else None
        changes = ", ".join(f"{name} = %s" for name in body)
        update = f"UPDATE tasks SET {changes}, updated_at = now() WHERE id = %s AND {_OWN} RETURNING {_COLUMNS}"  # noqa: S608
        return 200, _json(await _fetch_one(update, *body.values(), task_id, user_id))
    row = await _fetch_one(_GET, task_id, user_id)
    if tag is not None and int(tag[1:-1]) == row[-1]:
        return 304, b""
    return 200, _json(row)


async def _create(user_id: str, body: dict[str, Any]) -> tuple[int, bytes]:
    due = date.fromisoformat(body["due_date"]) if body.get("due_date") else None
    text = body["title"], body.get("description"), body.get("completed", False)
    choices = _PRIORITIES[body.get("priority", "Medium")], due, body.get("tags", [])
    new_id = UUID(int=uuid7().int)
    # Sorts by the time of creation, as the id does.
    row = await _fetch_one(_CREATE, new_id, user_id, *text, *choices, f"m{new_id.hex[:12]}")
    return 201, _json(row)


async def _body(receive: Receive) -> Any:
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return orjson.loads(body)


async def _fetch(sql: str, *parameters: object) -> Any:
    async with pool.connection() as connection:
        return await (await connection.execute(sql.encode(), parameters, binary=True)).fetchall()


async def _fetch_one(sql: str, *parameters: object) -> Any:
    async with pool.connection() as connection:
        return await (await connection.execute(sql.encode(), parameters, binary=True)).fetchone()


def _resource(row: tuple[Any, ...]) -> dict[str, Any]:
    task = dict(zip(_NAMES, row, strict=True))
    task["priority"] = _PRIORITY_NAMES[task["priority"]]
    # No task of the bench recurs.
    task["rrule"] = None
    return task


def _json(row: tuple[Any, ...]) -> bytes:
    return orjson.dumps(_resource(row), option=orjson.OPT_UTC_Z)


def _page(rows: list[tuple[Any, ...]]) -> bytes:
    tasks = [_resource(row[1:]) for row in rows[:50]]
    page = {
        "tasks": tasks,
        "total": rows[0][0] if rows else 0,
        "limit": 50,
        "offset": 0,
        "next_cursor": tasks[-1]["id"] if len(rows) > 50 else None,
    }
    return orjson.dumps(page, option=orjson.OPT_UTC_Z)
