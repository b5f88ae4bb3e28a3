"""Parameters that other drivers read from a database's URL, and that libpq rejects."""

import re
from typing import NamedTuple

# Where libpq stops looking for a user name and a password, which may contain a question mark.
_CREDENTIALS = re.compile(r"[^/]*//(?:[^/@]*@)?")

# Providers print these for Prisma, in URLs that are meant to be copied.
_IGNORED = {
    "pgbouncer": "Behind a connection pooler in transaction mode, set DATABASE_PREPARED_STATEMENTS=false",
    "connection_limit": "DATABASE_POOL_MAX_SIZE limits the connections of each worker",
}
_TLS = "write sslmode=require or sslmode=verify-full instead"
_SCHEMA = "remove it for the schema public, or write options=-csearch_path%3DNAME for another one"
_PREPARED = "remove it, and behind a connection pooler in transaction mode set DATABASE_PREPARED_STATEMENTS=false"
_POOL_SIZE = "set DATABASE_POOL_MAX_SIZE instead"
_STATEMENT_TIMEOUT = "set DATABASE_STATEMENT_TIMEOUT instead"
_INSTEAD = {
    "ssl": _TLS,
    "sslaccept": _TLS,
    "sslidentity": "write sslcert and sslkey instead",
    "uselibpqcompat": "remove it",
    "supa": "remove it",
    "schema": _SCHEMA,
    "currentSchema": _SCHEMA,
    "search_path": _SCHEMA,
    "statement_cache_size": _PREPARED,
    "prepared_statement_cache_size": _PREPARED,
    "prepared_statements": _PREPARED,
    "prepareThreshold": _PREPARED,
    "default_query_exec_mode": _PREPARED,
    "pool": _POOL_SIZE,
    "pool_size": _POOL_SIZE,
    "pool_max_conns": _POOL_SIZE,
    "pool_timeout": "set DATABASE_POOL_TIMEOUT instead",
    "socket_timeout": _STATEMENT_TIMEOUT,
    "socketTimeout": _STATEMENT_TIMEOUT,
    "command_timeout": _STATEMENT_TIMEOUT,
    "statement_timeout": _STATEMENT_TIMEOUT,
}


class Separated(NamedTuple):
    """A URL without the parameters of other drivers, and sentences without their subject about these parameters."""

    url: str
    faults: list[str]
    warnings: list[str]


def without_foreign_parameters(url: str) -> Separated:
    """Return a URL without the parameters that are known to belong to other drivers.

    Only known names are part of the sentences: an unknown one may be a piece of a password.
    """
    found = _CREDENTIALS.match(url)
    start = found.end() if found else 0
    base, _, query = url[start:].partition("?")
    kept, faults, warnings = [], [], []
    for parameter in query.split("&"):
        name = parameter.partition("=")[0]
        if name in _IGNORED:
            warnings.append(f"has the parameter {name}, which is ignored. {_IGNORED[name]}.")
        # libpq reads ssl=true as sslmode=require.
        elif name in _INSTEAD and parameter != "ssl=true":
            faults.append(f"has the parameter {name}, which belongs to another driver: {_INSTEAD[name]}.")
        else:
            kept.append(parameter)
    rest = "&".join(kept)
    return Separated(url[:start] + base + (f"?{rest}" if rest else ""), faults, warnings)
