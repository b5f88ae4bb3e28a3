"""A group of statements on an exclusive connection, in one round trip.

Psycopg's pipeline sends each statement in a packet of its own, which wakes up the server each time: a transaction of
eight statements takes 0.6 ms longer that way.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg.abc import PQGen
from psycopg.errors import OperationalError, error_from_result
from psycopg.generators import fetch, send
from psycopg.pq import ExecStatus, Format
from psycopg.pq.abc import PGconn, PGresult

from storage.driver.parameters import dumped
from storage.driver.plans import Plan
from storage.driver.query import Query, Row


def exchange(pgconn: PGconn, calls: Iterable[tuple[Query, Mapping[str, Any]]]) -> PQGen[list[Sequence[Row]]]:
    """Send statements together and return the rows of each, for `ExclusiveConnection.wait`.

    Raises psycopg.Error, the first if several fail. While replies have not been read, the connection is in pipeline
    mode.
    """
    texts = [(query.sql, dumped(query.values(**parameters))) for query, parameters in calls]
    pgconn.enter_pipeline_mode()
    for sql, values in texts:
        pgconn.send_query_params(sql, values, result_format=Format.BINARY)
    pgconn.pipeline_sync()
    results: list[PGresult] = []
    try:
        yield from send(pgconn)
        for _ in texts:
            while result := (yield from fetch(pgconn)):
                results.append(result)
        # The reply to the sync.
        yield from fetch(pgconn)
    except OperationalError:
        # The server may have said why it closes the connection.
        for result in results:
            _rows(result)
        raise
    pgconn.exit_pipeline_mode()
    return [_rows(result) for result in results]


def _rows(result: PGresult) -> Sequence[Row]:
    match result.status:
        case ExecStatus.TUPLES_OK:
            return Plan().load(result)
        case ExecStatus.FATAL_ERROR:
            error = error_from_result(result)
            # Libpq's own errors have no SQLSTATE: it has lost the connection.
            raise error if error.sqlstate else OperationalError(str(error))
    return ()
