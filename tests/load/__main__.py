"""The command line of the bench: run all of its parts, or some."""

import argparse
import signal
import sys
from collections.abc import Callable

from tests.load import beside, costs, delays, feed, growth, idle, memory, sets, startup, throughput, workers
from tests.load.operations import OPERATIONS


def _arguments(parts: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Run the bench, or parts of it.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(parts)}; default: all")
    operations = [one.name for one in OPERATIONS]
    parser.add_argument(
        "--only",
        default=",".join(operations),
        help="operations to measure, such as get,list",
    )
    parser.add_argument("--servers", default=",".join(throughput.SERVERS), help="servers to compare: %(default)s")
    parser.add_argument("--rounds", type=int, default=5, help="rounds of throughput")
    parser.add_argument("--seconds", type=int, default=2, help="length of a round")
    parser.add_argument("--streams", type=int, default=1000, help="open streams of the parts idle, delays and beside")
    given = parser.parse_args()
    servers = given.servers.split(",")
    for names, known in (given.parts, parts), (given.only.split(","), operations), (servers, list(throughput.SERVERS)):
        if unknown := set(names) - set(known):
            parser.error(f"{', '.join(sorted(unknown))} is not one of {', '.join(known)}")
    return given


def main() -> None:
    """Run the chosen parts in turn. The exit status is 1 if a request failed."""
    parts: dict[str, Callable[[], bool | None]] = {
        "startup": startup.main,
        "throughput": lambda: throughput.main(
            given.servers.split(","), given.only.split(","), given.rounds, given.seconds
        ),
        "sets": sets.main,
        "feed": lambda: feed.main(given.rounds, given.seconds),
        "idle": lambda: idle.main(given.streams),
        "delays": lambda: delays.main(given.streams),
        "beside": lambda: beside.main(given.streams, given.rounds, given.seconds),
        "memory": memory.main,
        "workers": workers.main,
        "growth": growth.main,
        "costs": costs.main,
    }
    given = _arguments(list(parts))
    for stop in (signal.SIGINT, signal.SIGTERM):
        # sys.exit raises an exception, so that context managers stop the processes they started.
        signal.signal(stop, lambda number, _: sys.exit(128 + number))
    sys.exit(False in [parts[part]() for part in given.parts or parts])


main()
