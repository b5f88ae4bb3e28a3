"""The compiled request path against stock Connexion's: the same requests taken, the same arguments handed over."""

import logging
import operator
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.support.oracle.edges import each_edge
from tests.support.oracle.generated import requests_for
from tests.support.oracle.outsiders import requests_by_schemathesis
from tests.support.oracle.sides import OPERATIONS, Operation, Pair, Request, both, differences
from tests.support.oracle.wanted import WANTED

# For whoever looks for more than a change's own faults: so many for each parameter, and others each time.
FUZZ = os.environ.get("FUZZ_EXAMPLES")
NAME = operator.attrgetter("name")
WITH_INPUT = [operation for operation in OPERATIONS if operation.parameters]
EACH_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=NAME)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Yield both, silent: each refusal is a line in stock Connexion's log."""
    logging.disable(logging.CRITICAL)
    with both() as pair:
        yield pair
    logging.disable(logging.NOTSET)


def status(pair: Pair, request: Request) -> int:
    """Fail unless all differences that a request shows are wanted ones; return our answer's status."""
    ours, stock = pair.outcomes(request)
    assert ours.status != 500, request
    for found in differences(ours, stock):
        assert any(wanted.explains(request, found) for wanted in WANTED.values()), (request, found)
    return ours.status


def statuses(pair: Pair, requests: SearchStrategy[Request], number: int) -> set[int]:
    """Compare so many requests; return our answers' statuses."""
    seen = set()

    # A busy machine is no fault.
    @settings(max_examples=number, derandomize=not FUZZ, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(requests)
    def compare(request: Request) -> None:
        seen.add(status(pair, request))

    compare()
    return seen


@EACH_OPERATION
def test_each_limit_is_where_stock_connexion_has_it(pair: Pair, operation: Operation) -> None:
    assert {status(pair, request) for request in each_edge(operation)} >= {204, 400}


@EACH_OPERATION
def test_requests_are_read_as_stock_connexion_reads_them(pair: Pair, operation: Operation) -> None:
    assert statuses(pair, requests_for(operation), operation.size * int(FUZZ or 8)) >= {204, 400}


@pytest.mark.parametrize("operation", WITH_INPUT, ids=NAME)
def test_requests_that_schemathesis_makes_are_read_so_too(pair: Pair, operation: Operation) -> None:
    assert statuses(pair, requests_by_schemathesis(operation), operation.size * int(FUZZ or 1)) >= {204}


@pytest.mark.parametrize("name", WANTED)
def test_each_wanted_difference_is_still_there_and_has_no_other_reason(pair: Pair, name: str) -> None:
    request = WANTED[name].example
    found = differences(*pair.outcomes(request))
    assert found
    for one in found:
        assert [name for name, wanted in WANTED.items() if wanted.explains(request, one)] == [name], one
