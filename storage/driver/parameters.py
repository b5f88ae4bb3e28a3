"""Parameters of statements, as the text that PostgreSQL reads."""

from collections.abc import Sequence
from typing import Any

import orjson
from psycopg import adapters
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, PyFormat, Transformer


class _Hex(Dumper):
    """Writes bytes in hexadecimal digits. Without a connection, psycopg would escape them for a literal."""

    oid = adapters.types["bytea"].oid

    def dump(self, obj: bytes) -> bytes:
        return rb"\x" + obj.hex().encode()


class _Json(Dumper):
    """Writes a dictionary as JSON."""

    oid = adapters.types["jsonb"].oid

    def dump(self, obj: dict[str, Any]) -> bytes:
        return orjson.dumps(obj)


class _Context:
    adapters = AdaptersMap(adapters)
    adapters.register_dumper(bytes, _Hex)
    adapters.register_dumper(dict, _Json)
    connection = None


_dumper = Transformer(_Context())


def dumped(values: Sequence[Any]) -> Sequence[Buffer | None]:
    """Return parameters as text, which the server converts to types that it knows. Raises psycopg.DataError.

    Psycopg would guess the types from the values.
    """
    return _dumper.dump_sequence(values, [PyFormat.TEXT] * len(values))
