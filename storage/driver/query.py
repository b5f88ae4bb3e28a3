"""SQLAlchemy Core statements, each compiled once to the SQL that a connection runs."""

import re
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, Protocol, cast

from sqlalchemy import ClauseElement, text
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

Row = tuple[Any, ...]

# Compiles parameters to `$1`: psycopg would parse `%(name)s` and renumber it at every execution.
_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
# Also matches FOR UPDATE, which waits for locks as a write does.
_WRITES = re.compile(r"\b(INSERT|UPDATE|DELETE|MERGE)\b")


class Query:
    """A statement and its compiled text, `sql`, with parameters as `$1`, `$2` and so on."""

    def __init__(self, statement: ClauseElement, *, prepare: bool = True) -> None:
        """Compile `statement`.

        With `prepare=False` it is never prepared, so PostgreSQL plans it for the values of each execution.
        """
        self.statement = statement
        compiled = cast(SQLCompiler, statement.compile(dialect=_DIALECT))
        text = str(compiled)
        self.sql = text.encode()
        self.prepare = prepare
        self.is_write = _WRITES.search(text) is not None
        self._names = tuple(compiled.positiontup or ())
        required = {name for name, bind in compiled.binds.items() if bind.required}
        self._literals = {name: value for name, value in compiled.params.items() if name not in required}

    def values(self, **parameters: Any) -> list[Any]:
        """Return the values of `$1`, `$2` and so on, in this order."""
        given = self._literals | parameters if self._literals else parameters
        return [given[name] for name in self._names]

    async def fetch_one(self, connection: "Connection", **parameters: Any) -> Row | None:
        """Execute the statement and return its first row, or None if it returns no row.

        A write needs RETURNING. Raises what `connection.run` raises.
        """
        rows = await connection.run(self, parameters)
        return rows[0] if rows else None

    async def fetch_all(self, connection: "Connection", **parameters: Any) -> Sequence[Row]:
        """Execute the statement and return all its rows; the rest is as for `fetch_one`."""
        return await connection.run(self, parameters)


class Connection(Protocol):
    """What runs a query: the pipeline, for a single statement, or an exclusive connection, inside a transaction."""

    def run(self, query: Query, parameters: Mapping[str, Any]) -> Awaitable[Sequence[Row]]:
        """Execute the query with these parameters and return all its rows."""


PING = Query(text("SELECT 1"))
"""Asks whether the database responds at all."""
