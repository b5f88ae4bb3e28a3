"""The statements that a connection has prepared."""

from secrets import token_hex

from psycopg.adapt import Transformer
from psycopg.errors import DataError
from psycopg.pq.abc import PGconn, PGresult

from storage.driver.query import Row


class Plan:
    """A statement as a connection runs it. `name` is that of the prepared statement, empty if it is not prepared."""

    def __init__(self, name: bytes = b"") -> None:
        self.name = name
        self._transformer = Transformer()
        self._columns: int | None = None

    def load(self, result: PGresult) -> list[Row]:
        """Return the rows of a result. All have the same types: PostgreSQL rejects the plan when they change."""
        if self._columns is not None and self._columns != result.nfields:
            # Psycopg would read memory that does not belong to the row.
            raise DataError("the result has other columns than those before it")
        self._transformer.set_pgresult(result, set_loaders=self._columns is None)
        self._columns = result.nfields
        rows = self._transformer.load_rows(0, result.ntuples, tuple)
        # Otherwise the transformer would keep the result, which can be several megabytes.
        self._transformer.set_pgresult(None, set_loaders=False)
        return rows


class Plans:
    """The plans of one connection, by the SQL of their statements."""

    def __init__(self, most: int) -> None:
        """Prepare the first `most` statements; PostgreSQL plans all others at each execution."""
        self._most = most
        self._plans: dict[bytes, Plan] = {}

    def find(self, sql: bytes, pgconn: PGconn) -> Plan:
        """Return the plan of a statement, and send what prepares it if that is new."""
        plan = self._plans.get(sql)
        if plan is None:
            if len(self._plans) >= self._most:
                return Plan()
            # Behind a connection pooler in transaction mode, two connections would use one name for two statements.
            plan = self._plans[sql] = Plan(token_hex(12).encode())
            pgconn.send_prepare(plan.name, sql)
        return plan

    def forget(self, sql: bytes, plan: Plan) -> None:
        """Have the statement prepared again before its next use."""
        if self._plans.get(sql) is plan:
            del self._plans[sql]
