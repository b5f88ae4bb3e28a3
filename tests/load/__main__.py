"""`make bench`, or a part of it."""

import argparse
import sys

from tests.load import throughput
from tests.load.servers import SERVERS

parser = argparse.ArgumentParser(prog="python -m tests.load")
parser.add_argument("part", choices=["throughput"])
parser.add_argument("--only", default="", help="operations, separated by commas")
parser.add_argument("--servers", default=",".join(SERVERS), help="servers, separated by commas")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=float, default=3)
given = parser.parse_args()
only = [name for name in given.only.split(",") if name]
sys.exit(not throughput.main(given.servers.split(","), only, given.rounds, given.seconds))
