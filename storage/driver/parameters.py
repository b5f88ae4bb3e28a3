"""Parameters of statements, as the text that PostgreSQL reads."""

from collections.abc import Sequence
from typing import Any

from psycopg import adapters
from psycopg.abc import Buffer
from psycopg.adapt import AdaptersMap, Dumper, PyFormat, Transformer


class _Hex(Dumper):
    """Writes bytes in hexadecimal digits. Without a connection, psycopg would escape them for a literal."""

    oid = adapters.types["bytea"].oid

    def dump(self, obj: bytes) -> bytes:
        return rb"\x" + obj.hex().encode()


class _Context:
    adapters = AdaptersMap(adapters)
    adapters.register_dumper(bytes, _Hex)
    connection = None


_dumper = Transformer(_Context())


def dumped(values: Sequence[Any]) -> Sequence[Buffer | None]:
    """Return parameters as text, which the server converts to types that it knows. Raises psycopg.DataError.

    Psycopg would guess the types from the values.
    """
    return _dumper.dump_sequence(values, [PyFormat.TEXT] * len(values))
