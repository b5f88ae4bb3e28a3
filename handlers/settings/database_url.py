"""What DATABASE_URL says, in libpq's sense: is it clear, and can nobody on the way read along?"""

import re
from collections.abc import Mapping
from ipaddress import ip_address
from itertools import zip_longest


def is_unambiguous(url: str, parameters: Mapping[str, object]) -> bool:
    """Say whether nothing of a password is in a URL where libpq would take it for a host or a port, and then print it.

    `parameters` are the URL's, as libpq reads them.
    """
    scheme, _, rest = url.partition("://")
    authority, _, path = rest.partition("/")
    return (
        scheme in ("postgresql", "postgres")
        and authority.count("@") <= 1
        and "@" not in path.partition("?")[0]
        and re.fullmatch(r"[0-9,]*", str(parameters.get("port", ""))) is not None
    )


def is_private(parameters: Mapping[str, object], environ: Mapping[str, str]) -> bool:
    """Say whether nobody on the way can read along: TLS is required, or the way does not leave this machine.

    What the URL leaves open, libpq takes from the environment.
    """
    if (parameters.get("sslmode") or environ.get("PGSSLMODE")) in ("require", "verify-ca", "verify-full"):
        return True
    if parameters.get("service") or environ.get("PGSERVICE"):
        return False
    addresses = str(parameters.get("hostaddr") or environ.get("PGHOSTADDR") or "").split(",")
    hosts = str(parameters.get("host") or environ.get("PGHOST") or "").split(",")
    return all(is_local(address or host) for address, host in zip_longest(addresses, hosts, fillvalue=""))


def is_local(host: str) -> bool:
    """Say whether the way to a host, in libpq's sense, does not leave this machine: a socket or a loopback address."""
    if host in ("", "localhost") or host.startswith(("/", "@")):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
