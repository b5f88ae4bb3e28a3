"""Positions: there is always one between two others, and they sort by code point."""

import re
from itertools import pairwise

import psycopg
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import BigInteger, literal_column, select

from storage import new_positions
from storage.driver.query import Query
from storage.positions import DIGITS, LONGEST, PATTERN, between, first, last, placed, spaced, with_room
from tests.support.conformance import CONTRACT

POSITION = re.compile(PATTERN.replace("$", r"\Z"))
POSITIONS = st.from_regex(POSITION).filter(lambda text: len(text) <= LONGEST)
SHORT = st.builds(str.__add__, st.text(DIGITS, max_size=6), st.sampled_from(DIGITS[1:]))


def is_position(text: str) -> bool:
    """Return whether the contract's pattern accepts a text."""
    return len(text) <= LONGEST and POSITION.match(text) is not None


def insertions(low: str | None, high: str | None, *, ascending: bool) -> int:
    """Return how many positions fit, one after the other, each next to the one before it, until there is no room."""
    number = 0
    while found := between(low, high):
        low, high = (found, high) if ascending else (low, found)
        number += 1
    return number


@given(st.lists(SHORT | POSITIONS, min_size=2, max_size=2, unique=True).map(sorted))
def test_a_position_between_two_others(ends: list[str]) -> None:
    found = between(*ends)
    if found is None:
        assert max(map(len, ends)) == LONGEST
    else:
        assert ends[0] < found < ends[1]
        assert is_position(found)
        assert len(found) <= max(map(len, ends)) + 1


@given(SHORT | POSITIONS)
def test_a_position_before_and_one_after_another(position: str) -> None:
    before, after = between(None, position), between(position, None)
    assert before is None or (before < position and is_position(before))
    assert after is None or (after > position and is_position(after))
    if len(position) < LONGEST:
        assert None not in (before, after)


@given(SHORT | POSITIONS, SHORT | POSITIONS)
def test_nothing_is_between_equal_or_exchanged_positions(one: str, other: str) -> None:
    assert between(one, one) is None
    assert between(*sorted([one, other], reverse=True)) is None


@given(st.integers(1, 300), st.lists(st.none() | SHORT, min_size=2, max_size=2))
def test_spaced_positions_ascend_between_their_ends(number: int, ends: list[str | None]) -> None:
    low, high = ends
    found = spaced(number, low, high)
    if low is not None and high is not None and low >= high:
        assert found is None
    else:
        assert found is not None
        assert len(found) == number
        assert all(map(is_position, found))
        sequence = [*([low] if low else []), *found, *([high] if high else [])]
        assert all(one < other for one, other in pairwise(sequence))


@given(st.integers(1, 5_000))
def test_spaced_positions_are_short_and_even(number: int) -> None:
    found = spaced(number)
    assert found is not None
    longest = max(map(len, found))
    assert 64 ** (longest - 1) <= number + 1
    values = [sum(DIGITS.index(digit) * 64 ** (longest - place) for place, digit in enumerate(one, 1)) for one in found]
    gaps = {other - one for one, other in pairwise([0, *values, 64**longest])}
    assert max(gaps) - min(gaps) <= 1


@given(st.lists(st.tuples(st.integers(0), st.sampled_from(["before", "after"])), max_size=200))
def test_any_sequence_of_insertions_keeps_the_order(moves: list[tuple[int, str]]) -> None:
    arranged: list[str] = []
    for number, side in moves:
        place = number % len(arranged) + (side == "after") if arranged else 0
        low = arranged[place - 1] if place else None
        high = arranged[place] if place < len(arranged) else None
        found = between(low, high)
        assert found is not None
        arranged.insert(place, found)
    assert arranged == sorted(set(arranged))


def test_more_than_a_thousand_insertions_at_one_spot_fit() -> None:
    low, high = "m00000000000a", "m00000000000b"
    assert insertions(low, high, ascending=True) > 1_000
    assert insertions(low, high, ascending=False) > 1_000


def test_an_open_end_is_reached_only_after_many_positions() -> None:
    assert insertions(None, None, ascending=True) > 1_000
    assert insertions(None, None, ascending=False) > 1_000


def test_what_is_not_a_position() -> None:
    for text in ("", "-", "a-", "a b", "ä", "a\n", "a" * (LONGEST + 1), "+", "~"):
        assert not is_position(text)
    for text in ("a", "-a", "0", "_", "z", "a" * LONGEST, "m00000000000a"):
        assert is_position(text)


def test_the_contract_has_the_pattern() -> None:
    schema = CONTRACT["components"]["schemas"]["Position"]
    assert (schema["pattern"], schema["maxLength"]) == (PATTERN, LONGEST)


def test_digits_are_in_the_order_of_their_code_points() -> None:
    assert list(DIGITS) == sorted(set(DIGITS))


SERVERS = st.builds(last, st.integers(1, 50)) | st.builds(first, st.integers(1, 50))


@given(st.lists(SHORT | SERVERS | st.sampled_from(["a", "k", "z"]), max_size=40).map(sorted), st.data())
def test_room_is_made_among_any_positions(arranged: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(arranged)))
    start, found = with_room(arranged, place, 51)
    end = start + len(found) - 1
    assert start <= place <= end
    assert all(is_position(one) for one in found)
    after = arranged[:start] + found + arranged[end:]
    assert after == sorted(after)
    assert len({*found}) == len(found)
    assert not {*found} & {*arranged[:start], *arranged[end:]}


@pytest.mark.parametrize(("place", "changes"), [(1, 1), (249, 1), (100, 100), (200, 50)])
def test_a_tie_is_mended_on_its_shorter_side(place: int, changes: int) -> None:
    arranged = ["b", *["k"] * 250, "z"]
    _, found = with_room(arranged, place + 1, 51)
    assert len(found) == changes + 1


@given(st.lists(SHORT, unique=True, max_size=10).map(sorted), st.data())
def test_where_there_is_room_nothing_else_changes(arranged: list[str], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(arranged)))
    start, found = with_room(arranged, place, 51)
    assert (start, len(found)) == (place, 1)


@given(st.lists(st.sampled_from(["first", "last", "inside"]), max_size=100))
def test_moves_to_the_ends_make_positions_as_short_as_new_ones(moves: list[str]) -> None:
    arranged = [last(1), last(2)]
    for revision, side in enumerate(moves, 3):
        low = {"first": None, "last": arranged[-1], "inside": arranged[0]}[side]
        high = {"first": arranged[0], "last": None, "inside": arranged[1]}[side]
        found = placed(low, high, revision)
        assert found is not None
        assert side == "inside" or len(found) == 13
        assert first(revision + 1) < found < last(revision + 1)
        arranged = sorted([*arranged, found])
    assert len({*arranged}) == len(moves) + 2


def test_positions_in_sql_are_those_in_python(database: str) -> None:
    with psycopg.connect(database) as connection:
        for revision in (1, 10, 4096, 16**12 - 1):
            number = literal_column(str(revision), BigInteger)
            sql = Query(select(new_positions.first(number), new_positions.last(number))).sql
            assert connection.execute(sql).fetchone() == (first(revision), last(revision))
