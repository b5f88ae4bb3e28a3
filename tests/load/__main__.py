"""`make bench`, or a part of it."""

import argparse
import sys

from tests.load import throughput
from tests.load.operations import OPERATIONS

parser = argparse.ArgumentParser(prog="python -m tests.load")
parser.add_argument("part", choices=["throughput"])
parser.add_argument("--only", default=",".join(one.name for one in OPERATIONS), help="operations, separated by commas")
parser.add_argument("--servers", default=",".join(throughput.SERVERS), help="servers, separated by commas")
parser.add_argument("--rounds", type=int, default=5)
parser.add_argument("--seconds", type=int, default=3)
given = parser.parse_args()
sys.exit(not throughput.main(given.servers.split(","), given.only.split(","), given.rounds, given.seconds))
