"""The sockets that the service listens on."""

import socket
from typing import Any

import click


def url_of(host: str, port: int) -> str:
    """Return the URL of an address, which puts brackets around an IPv6 address."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def bound(host: str, port: int, advice: str) -> list[socket.socket]:
    """Return a socket for each address of a host, bound but not yet listening; `::` stands for all of both families.

    Raises ClickException, which says why it is not possible and ends with the advice.
    """
    # One socket for both families would show the IPv4 client 192.0.2.1 as ::ffff:192.0.2.1, in logs and to the check of
    # FORWARDED_ALLOW_IPS. Without a host, the addresses are 0.0.0.0 and ::.
    name = None if host == "::" else host
    try:
        found = socket.getaddrinfo(name, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        return [_bound(family, address) for family, address in {(one[0], one[4]) for one in found}]
    except (OSError, UnicodeError) as error:
        raise _refusal(host, port, error, advice) from None


def check(host: str, port: int, advice: str) -> None:
    """Raise ClickException for an address that cannot be listened on."""
    for one in bound(host, port, advice):
        with one:
            try:
                one.listen()
            except OSError as error:
                raise _refusal(host, port, error, advice) from None


def _bound(family: socket.AddressFamily, address: tuple[Any, ...]) -> socket.socket:
    one = socket.socket(family, socket.SOCK_STREAM)
    try:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        one.bind(address)
    except OSError:
        one.close()
        raise
    return one


def _refusal(host: str, port: int, error: OSError | UnicodeError, advice: str) -> click.ClickException:
    reason = "this is not a host name" if isinstance(error, UnicodeError) else error.strerror
    return click.ClickException(f"Cannot listen on {host}, port {port}: {reason}. {advice}")
