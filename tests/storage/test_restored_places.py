"""Where restored tasks come: in their families as far as there is room, and never a subtask without its parent."""

from collections.abc import Mapping
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from storage.family import MOST_LEVELS, Place, resettled

LISTS = (None, UUID(int=1 << 64), UUID(int=2 << 64))
Places = Mapping[UUID, Place]


@st.composite
def live_tasks(draw: st.DrawFn) -> list[Place]:
    """Return tasks on up to three levels, each in the list of its parent."""
    found: dict[UUID, Place] = {}
    for number in range(draw(st.integers(1, 6))):
        parent = draw(st.sampled_from([None, *(one for one in found.values() if level(found, one) < MOST_LEVELS)]))
        list_id = parent.list_id if parent else draw(st.sampled_from(LISTS))
        found[UUID(int=number)] = Place(UUID(int=number), parent and parent.id, list_id, is_live=True)
    return [*found.values()]


@st.composite
def deleted_family(draw: st.DrawFn, live: list[Place], first: int) -> list[Place]:
    """Return tasks on up to three levels that were deleted together, perhaps under a parent, which may be gone."""
    above = draw(st.sampled_from([None, UUID(int=99), *(one.id for one in live)]))
    found = {UUID(int=first): Place(UUID(int=first), above, draw(st.sampled_from(LISTS)), is_live=True)}
    for number in range(first + 1, first + draw(st.integers(1, 6))):
        parent = draw(st.sampled_from([one for one in found.values() if level(found, one) < MOST_LEVELS]))
        found[UUID(int=number)] = Place(UUID(int=number), parent.id, parent.list_id, is_live=True)
    return [*found.values()]


@st.composite
def restorations(draw: st.DrawFn) -> tuple[Places, set[UUID]]:
    """Return places, and the tasks that are restored."""
    live = draw(live_tasks())
    restored = [one for first in (10, 20) for one in draw(deleted_family(live, first))]
    return {one.id: one for one in (*live, *restored)}, {one.id for one in restored}


def level(places: Places, place: Place) -> int:
    """Return 1 for a task at the top."""
    parent = places.get(place.parent_id) if place.parent_id else None
    return 1 + level(places, parent) if parent else 1


def height(places: Places, place: Place) -> int:
    """Return how many levels a task takes with its subtasks."""
    return 1 + max((height(places, one) for one in places.values() if one.parent_id == place.id), default=0)


@given(restorations())
def test_every_restored_task_is_under_a_live_parent_in_its_list_or_at_the_top(given: tuple[Places, set[UUID]]) -> None:
    places, restored = given
    moved = {one.id: one for one in resettled(places, restored)}
    assert moved.keys() <= restored
    new = {**places, **moved}
    for one in new.values():
        assert level(new, one) <= MOST_LEVELS
        assert one.parent_id is None or one.list_id == new[one.parent_id].list_id


@given(restorations())
def test_a_family_is_moved_to_the_inbox_as_a_whole_and_only_without_room(given: tuple[Places, set[UUID]]) -> None:
    places, restored = given
    new = {**places, **{one.id: one for one in resettled(places, restored)}}
    for one in (places[task_id] for task_id in restored):
        parent = places.get(one.parent_id) if one.parent_id else None
        has_room = parent is not None and level(places, parent) + height(places, one) <= MOST_LEVELS
        stays = has_room or one.parent_id in restored
        assert new[one.id].parent_id == (one.parent_id if stays else None)
        if not stays:
            assert new[one.id].list_id == (None if one.parent_id else one.list_id)


@given(restorations(), st.data())
def test_subtasks_that_are_restored_later_need_room_too(given: tuple[Places, set[UUID]], data: st.DataObject) -> None:
    places, restored = given
    # Parents are restored first.
    first = set(sorted(restored)[: data.draw(st.integers(0, len(restored)))])
    now = {one.id: one._replace(is_live=one.id in first or one.id not in restored) for one in places.values()}
    then = {**places, **{one.id: one for one in resettled(now, first)}}
    then = {**then, **{one.id: one for one in resettled(then, restored - first)}}
    assert then == {**places, **{one.id: one for one in resettled(places, restored)}}
