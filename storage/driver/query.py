"""SQLAlchemy Core statements, each compiled once to the SQL that psycopg runs."""

from collections.abc import Sequence
from typing import Any, cast

from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.sql.compiler import SQLCompiler

from storage.driver.connection import Connection, Row

# Compiles parameters to `$1`: psycopg would parse `%(name)s` and renumber it at every execution.
_DIALECT = PGDialect_psycopg(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]


class Query:
    """A compiled statement. `sql` is its text, with parameters as `$1`, `$2` and so on."""

    def __init__(self, statement: ClauseElement, *, prepare: bool | None = None) -> None:
        """Compile `statement`.

        With `prepare=False` it is never prepared, so PostgreSQL plans it for the values of each execution. With
        `None`, psycopg prepares it on each connection that runs it often.
        """
        self._prepare = prepare
        compiled = cast(SQLCompiler, statement.compile(dialect=_DIALECT))
        self.sql = str(compiled).encode()
        self._names = tuple(compiled.positiontup or ())
        required = {name for name, bind in compiled.binds.items() if bind.required}
        self._literals = {name: value for name, value in compiled.params.items() if name not in required}

    def values(self, **parameters: Any) -> list[Any]:
        """Return the values of `$1`, `$2` and so on, in this order."""
        given = self._literals | parameters if self._literals else parameters
        return [given[name] for name in self._names]

    async def fetch_one(self, connection: Connection, **parameters: Any) -> Row | None:
        """Execute the statement and return its first row, or None if it returns no row.

        A write needs RETURNING. Raises psycopg.Error.
        """
        cursor = connection.cursor_of(self.sql)
        await cursor.execute(self.sql, self.values(**parameters), prepare=self._prepare)
        return await cursor.fetchone()

    async def fetch_all(self, connection: Connection, **parameters: Any) -> Sequence[Row]:
        """Execute the statement and return all its rows; a write needs RETURNING. Raises psycopg.Error."""
        # Not a cached cursor: it would keep the rows in memory, and a page can be several megabytes.
        cursor = connection.binary_cursor()
        await cursor.execute(self.sql, self.values(**parameters), prepare=self._prepare)
        return await cursor.fetchall()
