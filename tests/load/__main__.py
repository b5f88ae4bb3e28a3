"""`make bench`, or a part of it."""

import argparse
import signal
import sys
from collections.abc import Callable

from tests.load import growth, memory, startup, throughput, workers
from tests.load.operations import OPERATIONS


def _arguments(parts: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.load", description="Measures all, or some parts.")
    parser.add_argument("parts", nargs="*", metavar="part", help=f"one of {', '.join(parts)}; all by default")
    operations = [one.name for one in OPERATIONS]
    parser.add_argument("--only", default=",".join(operations), help="operations for throughput, such as get,list")
    parser.add_argument("--servers", default=",".join(throughput.SERVERS), help="servers for throughput")
    parser.add_argument("--rounds", type=int, default=5, help="of throughput")
    parser.add_argument("--seconds", type=int, default=2, help="of each round")
    given = parser.parse_args()
    servers = given.servers.split(",")
    for names, known in (given.parts, parts), (given.only.split(","), operations), (servers, list(throughput.SERVERS)):
        if unknown := set(names) - set(known):
            parser.error(f"{', '.join(sorted(unknown))} is not one of {', '.join(known)}")
    return given


def main() -> None:
    """Run the parts that are asked for, one after the other; the exit status is 1 when a request has failed."""
    parts: dict[str, Callable[[], bool | None]] = {
        "startup": startup.main,
        "throughput": lambda: throughput.main(
            given.servers.split(","), given.only.split(","), given.rounds, given.seconds
        ),
        "memory": memory.main,
        "workers": workers.main,
        "growth": growth.main,
    }
    given = _arguments(list(parts))
    for stop in (signal.SIGINT, signal.SIGTERM):
        # By way of an exception, so that what was started is ended.
        signal.signal(stop, lambda number, _: sys.exit(128 + number))
    sys.exit(False in [parts[part]() for part in given.parts or parts])


main()
