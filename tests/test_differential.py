"""The compiled request path against stock Connexion's: the same requests taken, the same arguments handed over."""

import logging
import os
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy

from tests.differential import OPERATIONS, Operation, Pair, Request, both, differences
from tests.generated import requests_for
from tests.outsiders import requests_by_schemathesis
from tests.wanted import WANTED

# For whoever looks for more than a change's own faults: so many for each parameter, and others each time.
WITH_INPUT = [operation for operation in OPERATIONS if operation.parameters]
FUZZ = os.environ.get("FUZZ_EXAMPLES")


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    """Yield both, silent: each refusal is a line in stock Connexion's log."""
    logging.disable(logging.CRITICAL)
    with both() as pair:
        yield pair
    logging.disable(logging.NOTSET)


def compared(pair: Pair, requests: SearchStrategy[Request], number: int) -> set[int]:
    """Fail unless all differences that so many requests show are wanted ones; return our answers' statuses."""
    statuses = set()

    # A busy machine is no fault.
    @settings(max_examples=number, derandomize=not FUZZ, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(requests)
    def compare(request: Request) -> None:
        ours, stock = pair.outcomes(request)
        for found in differences(ours, stock):
            assert any(wanted.explains(request, found) for wanted in WANTED.values()), (request, found)
        statuses.add(ours.status)

    compare()
    return statuses


@pytest.mark.parametrize("operation", OPERATIONS, ids=[operation.name for operation in OPERATIONS])
def test_requests_are_read_as_stock_connexion_reads_them(pair: Pair, operation: Operation) -> None:
    assert compared(pair, requests_for(operation), operation.size * int(FUZZ or 20)) >= {204, 400}


@pytest.mark.parametrize("operation", WITH_INPUT, ids=[operation.name for operation in WITH_INPUT])
def test_requests_that_schemathesis_makes_are_read_so_too(pair: Pair, operation: Operation) -> None:
    assert compared(pair, requests_by_schemathesis(operation), operation.size * int(FUZZ or 2)) >= {204, 400}


@pytest.mark.parametrize("name", WANTED)
def test_each_wanted_difference_is_still_there_and_has_no_other_reason(pair: Pair, name: str) -> None:
    request = WANTED[name].example
    found = differences(*pair.outcomes(request))
    assert found
    for one in found:
        assert [name for name, wanted in WANTED.items() if wanted.explains(request, one)] == [name], one
