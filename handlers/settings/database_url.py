"""How libpq reads DATABASE_URL: whether the URL is unambiguous, and whether others can read the connection."""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import zip_longest
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict


def parameters_of(url: str) -> dict[str, Any] | None:
    """Return the parameters that libpq reads from a URL; None if it rejects the URL, or could mistake parts of it."""
    # The messages of psycopg repeat parts of the URL, so they are never shown.
    try:
        parameters = conninfo_to_dict(url)
    except (psycopg.Error, UnicodeEncodeError):
        return None
    return parameters if _is_unambiguous(url, parameters) else None


def _is_unambiguous(url: str, parameters: Mapping[str, object]) -> bool:
    """Return whether libpq cannot mistake a part of the password for a host or a port, which its messages would show.

    `parameters` are those that libpq reads from the URL.
    """
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    return (
        scheme in ("postgresql", "postgres")
        and authority.count("@") <= 1
        and "@" not in path.partition("?")[0]
        and re.fullmatch(r"[0-9,]*", str(parameters.get("port", ""))) is not None
    )


def is_encrypted_or_local(parameters: Mapping[str, object], environ: Mapping[str, str]) -> bool:
    """Return whether a connection requires TLS or stays on this machine, so that nobody else can read it.

    `parameters` are those that libpq reads from the URL; it looks up missing ones in the environment.
    """
    if (parameters.get("sslmode") or environ.get("PGSSLMODE")) in ("require", "verify-ca", "verify-full"):
        return True
    if parameters.get("service") or environ.get("PGSERVICE"):
        return False
    addresses = str(parameters.get("hostaddr") or environ.get("PGHOSTADDR") or "").split(",")
    hosts = str(parameters.get("host") or environ.get("PGHOST") or "").split(",")
    return all(is_local(address or host) for address, host in zip_longest(addresses, hosts, fillvalue=""))


def is_local(host: str) -> bool:
    """Return whether a host, as libpq understands it, is this machine: a socket or a loopback address."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
