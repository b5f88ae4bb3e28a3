"""The peer: the stack that users would otherwise choose, written competently and as its documentation recommends.

FastAPI, Pydantic, SQLAlchemy's async ORM on asyncpg. It does less than this service: it assigns no revisions, has no
CORS, request ids, access log or security headers, and sends FastAPI's own error responses.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime, time
from typing import Annotated, Any, Literal
from uuid import UUID

import jwt
from fastapi import Depends, FastAPI, Header, HTTPException, Query, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from sqlalchemy import ARRAY, DateTime, Select, SmallInteger, Text, delete, func, literal_column, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from uuid6 import uuid7

_SECRET = os.environ["BETTER_AUTH_SECRET"]
_URL = os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+asyncpg:")
_PRIORITIES = {"Low": 1, "Medium": 2, "High": 3}
_PRIORITY_NAMES = {number: name for name, number in _PRIORITIES.items()}

engine = create_async_engine(_URL, pool_size=10, max_overflow=0)
new_session = async_sessionmaker(engine, expire_on_commit=False)


class Base(DeclarativeBase):
    """The tables."""


class Account(Base):
    """A user's revision."""

    __tablename__ = "accounts"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    revision: Mapped[int]


class Task(Base):
    """A stored task."""

    __tablename__ = "tasks"

    user_id: Mapped[str] = mapped_column(Text, primary_key=True)
    id: Mapped[UUID] = mapped_column(primary_key=True)
    revision: Mapped[int]
    title: Mapped[str] = mapped_column(Text)
    description: Mapped[str | None] = mapped_column(Text)
    completed: Mapped[bool]
    completed_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    priority: Mapped[int] = mapped_column(SmallInteger)
    due_date: Mapped[date | None]
    due_time: Mapped[time | None]
    time_zone: Mapped[str | None] = mapped_column(Text)
    due_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))
    recurrence: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    series_id: Mapped[UUID | None]
    occurrence_date: Mapped[date | None]
    next_task_id: Mapped[UUID | None]
    tags: Mapped[list[str]] = mapped_column(ARRAY(Text))
    list_id: Mapped[UUID | None]
    parent_id: Mapped[UUID | None]
    position: Mapped[str] = mapped_column(Text)
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    updated_at: Mapped[datetime] = mapped_column(DateTime(timezone=True))
    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), deferred=True)


Priority = Literal["Low", "Medium", "High"]
Title = Annotated[str, Field(min_length=1, max_length=200, pattern=r"\S")]
Description = Annotated[str, Field(max_length=10_000)]
Tag = Annotated[str, Field(min_length=1, max_length=50, pattern=r"^\S(.*\S)?$")]
Tags = Annotated[list[Tag], Field(max_length=20)]


class TaskCreate(BaseModel):
    """The fields of a new task."""

    model_config = ConfigDict(extra="forbid")

    title: Title
    description: Description | None = None
    completed: bool = False
    priority: Priority = "Medium"
    due_date: date | None = None
    tags: Tags = []
    list_id: UUID | None = None


class TaskUpdate(BaseModel):
    """The fields of a task to change."""

    model_config = ConfigDict(extra="forbid")

    title: Title = ""
    description: Description | None = None
    completed: bool = False
    priority: Priority = "Medium"
    due_date: date | None = None
    tags: Tags = []
    list_id: UUID | None = None


class TaskOut(BaseModel):
    """A task in a response."""

    model_config = ConfigDict(from_attributes=True)

    id: UUID
    user_id: str
    title: str
    description: str | None
    completed: bool
    completed_at: datetime | None
    priority: Annotated[Priority, BeforeValidator(_PRIORITY_NAMES.get)]
    due_date: date | None
    due_time: time | None
    time_zone: str | None
    due_at: datetime | None
    recurrence: dict[str, Any] | None
    rrule: None = None
    series_id: UUID | None
    occurrence_date: date | None
    next_task_id: UUID | None
    tags: list[str]
    list_id: UUID | None
    parent_id: UUID | None
    position: str
    created_at: datetime
    updated_at: datetime
    revision: int


class TaskList(BaseModel):
    """A page of tasks."""

    model_config = ConfigDict(from_attributes=True)

    tasks: list[TaskOut]
    total: int
    limit: int
    offset: int
    next_cursor: str | None


class TagOut(BaseModel):
    """A tag, and the number of tasks that have it."""

    model_config = ConfigDict(from_attributes=True)

    name: str
    usage_count: int


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=_lifespan, telemetry={"tracing": False, "metrics": False, "logs": False})


async def _session() -> AsyncIterator[AsyncSession]:
    async with new_session() as session:
        yield session


# Asynchronous, because FastAPI runs synchronous dependencies in threads.
async def _user(user_id: str, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]) -> str:
    try:
        claims = jwt.decode(credentials.credentials, _SECRET, algorithms=["HS256"], options={"verify_aud": False})
    except jwt.PyJWTError:
        raise HTTPException(401, "The token is not valid.") from None
    if claims.get("sub") != user_id:
        raise HTTPException(403, "The token is another user's.")
    return user_id


# By default, a session would hold its connection until the response has been sent.
Session = Annotated[AsyncSession, Depends(_session, scope="function")]
User = Annotated[str, Depends(_user)]
IfNoneMatch = Annotated[str | None, Header()]


async def _unchanged(session: AsyncSession, user: str, tag: str | None) -> bool:
    """Return whether a list's entity tag matches the user's current revision."""
    if tag is None:
        return False
    revision = await session.scalar(select(Account.revision).where(Account.user_id == user))
    return tag == f'W/"{revision}"'


async def _find(session: AsyncSession, user: str, task_id: UUID) -> Task:
    task: Task | None = await session.scalar(_live(user).where(Task.id == task_id))
    if task is None:
        raise HTTPException(404, "There is no such task.")
    return task


def _live(user: str) -> Select[Task]:
    return select(Task).where(Task.user_id == user, Task.deleted_at.is_(None))


@app.get("/api/{user_id}/tasks", response_model=TaskList)
async def list_tasks(
    session: Session,
    user: User,
    if_none_match: IfNoneMatch = None,
    search: Annotated[str | None, Query(max_length=200)] = None,
    completed: bool | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 50,
    offset: Annotated[int, Query(ge=0, le=100_000)] = 0,
) -> Any:
    """Return one page of tasks."""
    if await _unchanged(session, user, if_none_match):
        return Response(status_code=304)
    tasks = _live(user)
    if search:
        # Literals, not parameters, so that the expression matches that of the index.
        description = func.lower(func.coalesce(Task.description, literal_column("''")))
        text = func.lower(Task.title, type_=Text) + literal_column("'X'") + description
        tasks = tasks.where(text.contains(search.lower(), autoescape=True))
    if completed is not None:
        tasks = tasks.where(Task.completed == completed)
    total = await session.scalar(select(func.count()).select_from(tasks.subquery()))
    page = tasks.order_by(Task.created_at.desc(), Task.id.desc()).limit(limit + 1).offset(offset)
    found = (await session.scalars(page)).all()
    cursor = str(found[limit - 1].id) if len(found) > limit else None
    return {"tasks": found[:limit], "total": total, "limit": limit, "offset": offset, "next_cursor": cursor}


@app.post("/api/{user_id}/tasks", status_code=201, response_model=TaskOut)
async def create_task(session: Session, user: User, body: TaskCreate) -> Any:
    """Create a task and return it."""
    now = datetime.now(UTC)
    values = body.model_dump() | {"priority": _PRIORITIES[body.priority]}
    times = {"created_at": now, "updated_at": now, "completed_at": now if body.completed else None}
    new_id = UUID(int=uuid7().int)
    # Sorts by the time of creation, as the id does.
    task = Task(user_id=user, id=new_id, position=f"m{new_id.hex[:12]}", revision=1, **times, **values)
    session.add(task)
    await session.commit()
    return task


@app.get("/api/{user_id}/tasks/{task_id}", response_model=TaskOut)
async def get_task(session: Session, user: User, task_id: UUID, if_none_match: IfNoneMatch = None) -> Any:
    """Return a task."""
    task = await _find(session, user, task_id)
    if if_none_match == f'"{task.revision}"':
        return Response(status_code=304)
    return task


@app.patch("/api/{user_id}/tasks/{task_id}", response_model=TaskOut)
async def update_task(session: Session, user: User, task_id: UUID, body: TaskUpdate) -> Any:
    """Change a task and return it."""
    task = await _find(session, user, task_id)
    for name, value in body.model_dump(exclude_unset=True).items():
        setattr(task, name, _PRIORITIES[value] if name == "priority" else value)
    task.updated_at = datetime.now(UTC)
    if "completed" in body.model_fields_set:
        task.completed_at = task.completed_at or task.updated_at if body.completed else None
    await session.commit()
    return task


@app.delete("/api/{user_id}/tasks/{task_id}", status_code=204)
async def delete_task(session: Session, user: User, task_id: UUID) -> None:
    """Delete a task with one statement."""
    await session.execute(delete(Task).where(Task.user_id == user, Task.id == task_id))
    await session.commit()


@app.get("/api/{user_id}/tags", response_model=list[TagOut])
async def list_tags(session: Session, user: User, if_none_match: IfNoneMatch = None) -> Any:
    """Return the tags in use."""
    if await _unchanged(session, user, if_none_match):
        return Response(status_code=304)
    name = func.unnest(Task.tags).label("name")
    used = select(name).where(Task.user_id == user, Task.deleted_at.is_(None)).subquery()
    tags = select(used.c.name, func.count().label("usage_count")).group_by(used.c.name)
    return (await session.execute(tags.order_by(used.c.name.collate("C")))).all()
