"""The compiled request path and stock Connexion accept the same requests and pass on the same arguments."""

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

# For a longer search, set this to the number of examples for each parameter. Every run then tries different ones.
FUZZ = os.environ.get("FUZZ_EXAMPLES")
NAME = operator.attrgetter("name")
WITH_INPUT = [operation for operation in OPERATIONS if operation.parameters]
EACH_OPERATION = pytest.mark.parametrize("operation", OPERATIONS, ids=NAME)


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Yield both applications with logging off: stock Connexion logs every request that it rejects."""
    logging.disable(logging.CRITICAL)
    with both() as pair:
        yield pair
    logging.disable(logging.NOTSET)


def status(pair: Pair, request: Request) -> int:
    """Fail unless every difference that a request shows is intended; return the status of our response."""
    ours, stock = pair.outcomes(request)
    assert ours.status != 500, request
    for found in differences(ours, stock):
        assert any(wanted.explains(request, found) for wanted in WANTED.values()), (request, found)
    return ours.status


def statuses(pair: Pair, requests: SearchStrategy[Request], number: int) -> set[int]:
    """Compare the applications on this many requests; return the statuses of our responses."""
    seen = set()

    # A busy machine must not fail the test.
    @settings(max_examples=number, derandomize=not FUZZ, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(requests)
    def compare(request: Request) -> None:
        seen.add(status(pair, request))

    compare()
    return seen


@EACH_OPERATION
def test_each_limit_is_the_same_as_in_stock_connexion(pair: Pair, operation: Operation) -> None:
    assert {status(pair, request) for request in each_edge(operation)} >= {204, 400}


@EACH_OPERATION
def test_random_requests_are_read_as_in_stock_connexion(pair: Pair, operation: Operation) -> None:
    # One in ten of the random batches is valid.
    assert statuses(pair, requests_for(operation), max(operation.size * int(FUZZ or 8), 150)) >= {204, 400}


@pytest.mark.parametrize("operation", WITH_INPUT, ids=NAME)
def test_requests_from_schemathesis_are_read_as_in_stock_connexion(pair: Pair, operation: Operation) -> None:
    assert statuses(pair, requests_by_schemathesis(operation), operation.size * int(FUZZ or 1)) >= {204}


@pytest.mark.parametrize("name", WANTED)
def test_each_intended_difference_still_exists_and_has_a_single_explanation(pair: Pair, name: str) -> None:
    request = WANTED[name].example
    found = differences(*pair.outcomes(request))
    assert found
    for one in found:
        assert [name for name, wanted in WANTED.items() if wanted.explains(request, one)] == [name], one
