"""Headless Chromium and a website for it, to test what browsers do with the service's responses."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

from playwright.sync_api import Browser, ConsoleMessage, Page, Request, sync_playwright

CHROMIUM = shutil.which("chromium")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Run the installed Chromium."""
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=["--disable-gpu"]) as browser,
    ):
        yield browser


@contextmanager
def website(directory: Path) -> Iterator[int]:
    """Serve an empty page at `/`, and yield the port. To a browser, 127.0.0.1 and localhost are different origins."""
    (directory / "index.html").write_text('<!doctype html><title>A website</title><link rel="icon" href="data:,">')
    handler = partial(SimpleHTTPRequestHandler, directory=str(directory))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()


def faults_of(page: Page, origin: str) -> list[str]:
    """Return a list that collects a page's errors, warnings, policy violations and requests to other origins."""
    faults: list[str] = []

    def note_message(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning"):
            faults.append(message.text)

    def note_request(request: Request) -> None:
        url = urlsplit(request.url)
        if url.scheme not in ("data", "blob") and f"{url.scheme}://{url.netloc}" != origin:
            faults.append(f"requested {request.url}")

    # The console does not report every violation.
    report = "event => console.error(`${event.violatedDirective} forbids ${event.blockedURI}`)"
    page.add_init_script(f"addEventListener('securitypolicyviolation', {report})")
    page.on("console", note_message)
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("request", note_request)
    page.on("requestfailed", lambda request: faults.append(f"{request.url}: {request.failure}"))
    return faults
