"""The metrics of a service, as Prometheus would scrape them."""

import time
from collections.abc import Callable

import httpx
from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, ...], float]


def scrape(port: str) -> Samples:
    """Return every sample by its name and the values of its labels, sorted by label name."""
    text = httpx.get(f"http://127.0.0.1:{port}/metrics").text
    return {
        (one.name, *(value for _, value in sorted(one.labels.items()))): one.value
        for family in text_string_to_metric_families(text)
        for one in family.samples
    }


def eventually(port: str, holds: Callable[[Samples], bool]) -> Samples:
    """Scrape until a condition holds: gauges are updated once a second."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        samples = scrape(port)
        if holds(samples):
            return samples
        time.sleep(0.1)
    raise AssertionError(samples)
