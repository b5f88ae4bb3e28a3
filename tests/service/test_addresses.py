"""HOST: on which addresses the service listens."""

import json
import socket
import subprocess
from pathlib import Path

import httpx
import pytest

from tests.support.server import command, environment, free_port, run, start


def has_ipv6() -> bool:
    """Return whether this machine has the loopback address ::1."""
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


pytestmark = pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")


@pytest.mark.parametrize("workers", ["1", "2"])
@pytest.mark.parametrize("host", ["::", "[::]", "0::0"])
def test_the_unspecified_ipv6_address_listens_on_both_families(
    database: str, tmp_path: Path, host: str, workers: str
) -> None:
    with start(tmp_path, DATABASE_URL=database, HOST=host, WEB_CONCURRENCY=workers) as service:
        port = service.url.rpartition(":")[2]
        for address in ("127.0.0.1", "[::1]"):
            assert httpx.get(f"http://{address}:{port}/health").status_code == 200
        log = service.log.read_text()
    assert f"Uvicorn running on http://[::]:{port} " in log
    assert "Traceback" not in service.log.read_text()


def test_ipv4_clients_keep_their_addresses_and_their_proxies(database: str, tmp_path: Path) -> None:
    settings = {"ENVIRONMENT": "production", "FORWARDED_ALLOW_IPS": "127.0.0.1"}
    with start(tmp_path, DATABASE_URL=database, HOST="::", **settings) as service:
        port = service.url.rpartition(":")[2]
        for address in ("127.0.0.1", "[::1]"):
            for headers in ({}, {"X-Forwarded-For": "192.0.2.7"}):
                httpx.get(f"http://{address}:{port}/health/live", headers=headers)
        service.stop()
        records = [json.loads(line) for line in service.log.read_text().splitlines()]
    clients = [one["client"] for one in records if one.get("route") == "/health/live"]
    assert clients == ["127.0.0.1", "192.0.2.7", "::1", "::1"]


def test_an_ipv6_address_in_brackets_listens_on_ipv6_only(database: str, tmp_path: Path) -> None:
    settings = environment(DATABASE_URL=database, HOST="[::1]", PORT=str(free_port()))
    with subprocess.Popen(command("serve"), cwd=tmp_path, env=settings, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            assert any("Uvicorn running on http://[::1]:" in line for line in process.stdout)
            assert httpx.get(f"http://[::1]:{settings['PORT']}/health").status_code == 200
            with pytest.raises(httpx.ConnectError):
                httpx.get(f"http://127.0.0.1:{settings['PORT']}/health")
        finally:
            process.terminate()


@pytest.mark.parametrize("taken", ["127.0.0.1", "::1"])
def test_a_port_that_is_in_use_on_one_family_is_named(database: str, tmp_path: Path, taken: str) -> None:
    family = socket.AF_INET6 if ":" in taken else socket.AF_INET
    with socket.create_server((taken, 0), family=family) as listener:
        port = str(listener.getsockname()[1])
        refused = run("serve", directory=tmp_path, settings={"DATABASE_URL": database, "HOST": "::", "PORT": port})
    assert refused.returncode == 1
    assert refused.stderr == (
        f"Error: Cannot listen on ::, port {port}: Address already in use. Set HOST or PORT to another value.\n"
    )


def test_metrics_are_served_on_both_families_too(database: str, tmp_path: Path) -> None:
    metrics = free_port()
    with start(tmp_path, DATABASE_URL=database, HOST="[::]", METRICS_PORT=str(metrics)):
        for address in ("127.0.0.1", "[::1]"):
            assert "todo_api_" in httpx.get(f"http://{address}:{metrics}/metrics").text
