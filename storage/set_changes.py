"""Sets of tasks: one transaction picks them under the account's lock, and changes them in portions."""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from storage import accounts, idempotency, instants, set_subtasks
from storage.driver.database import Database
from storage.driver.query import Connection, Query
from storage.driver.transaction import Call, Transaction
from storage.errors import NoSuchList, TooMany, TooManyTags
from storage.idempotency import Key
from storage.set_statements import Statements

# An update writes the task's text to the search index again, even if the text does not change. In one statement, 10,000
# tasks with long texts would take longer than a statement may.
_PORTION = 250


class Picked(NamedTuple):
    """The tasks of a set: how many match, and those that will change.

    `occurrences` are those that will have a next occurrence, or have it no more, and `ids` are the others. Also,
    whether one would have too many tags, whether the list that they are to be in is there, if any, and whether one may
    have subtasks.
    """

    matched: int
    ids: Sequence[UUID]
    has_too_many_tags: bool
    has_list: bool
    occurrences: Sequence[UUID] = ()
    has_parents: bool = False


class Outcome(NamedTuple):
    """What became of a set: how many tasks matched and changed, and the user's revision after it.

    `deletion_id` is the id, as text, under which tasks were deleted. `is_replayed` says whether the outcome is that of
    an earlier request with the same idempotency key.
    """

    matched: int
    changed: int
    revision: int
    deletion_id: str | None = None
    is_replayed: bool = False


class Moves(NamedTuple):
    """Statements that write occurrences, and how many rows they write, each with a revision of its own."""

    calls: Sequence[Call]
    writes: int


MoveSeries = Callable[[Transaction, Sequence[UUID], int, datetime], Awaitable[Moves]]
"""Decides about occurrences, by their ids. It gets the revision before the first write, and the time."""


def check_size(picked: Picked, most: int) -> None:
    """Raise TooMany if more than `most` tasks match, TooManyTags if one would have too many tags, and NoSuchList."""
    if picked.matched > most:
        raise TooMany("task", most)
    if picked.has_too_many_tags:
        raise TooManyTags
    if not picked.has_list:
        raise NoSuchList


async def count_set(connection: Connection, user_id: str, chosen: Statements, values: Mapping[str, Any]) -> Outcome:
    """Return what would become of a set of any size. Raises TooManyTags and NoSuchList."""
    row: Any = await chosen.total.fetch_one(connection, user_id=user_id, **values)
    revision, matched, changed, has_too_many_tags, has_list = row
    check_size(Picked(matched, (), has_too_many_tags, has_list), matched)
    return Outcome(matched, changed, revision)


async def change_set(
    database: Database,
    user_id: str,
    chosen: Statements,
    values: Mapping[str, Any],
    *,
    most: int,
    check: Callable[[Picked], None],
    key: Key | None = None,
    move_series: MoveSeries | None = None,
) -> Outcome:
    """Change up to `most` tasks of a set, each with a revision of its own, in the order of `created_at` and `id`.

    `values` are the parameters of the statements. If more tasks match, one more than `most` is reported as matched.
    Nothing is written if `check` raises an error. `move_series` decides about the tasks that get a next occurrence or
    lose it, which come after the others. Raises what that raises, KeyReused, and what `Database.in_transaction` raises.
    """
    parameters = {**values, "user_id": user_id}

    async def work(transaction: Transaction) -> Outcome:
        turn = await _turn(transaction, user_id, (chosen.pick, {**parameters, "limit": most + 1}), key)
        if turn.answer is not None:
            return Outcome(**turn.answer, is_replayed=True)
        check(turn.picked)
        ids = [*turn.picked.ids[:most], *await _others_below(transaction, turn, chosen, parameters, most)]
        deletion_id = str(values["deletion_id"]) if ids and "deletion_id" in values else None
        calls, revision = await _plain_calls(transaction, turn, chosen, parameters, ids)
        if move_series and turn.picked.occurrences:
            # What it reads may have subtasks that match too, so these are written first.
            await _run(transaction, calls)
            calls, writes = await move_series(transaction, turn.picked.occurrences, revision, turn.at)
            revision += writes
        changed = len(ids) + len(turn.picked.occurrences)
        outcome = Outcome(turn.picked.matched, changed, revision, deletion_id)
        last = [accounts.set_revision(user_id, revision)] if changed or key else []
        if key:
            last.append(idempotency.keep(user_id, key, _answer(outcome), turn.at))
        await send(transaction, calls, last)
        return outcome

    return await database.in_transaction(user_id, work, is_long=True)


class _Turn(NamedTuple):
    """What a request finds once it has the account's lock: `answer` is that of an earlier one with the same key."""

    revision: int
    at: datetime
    picked: Picked
    answer: dict[str, Any] | None


async def _turn(transaction: Transaction, user_id: str, pick: Call, key: Key | None) -> _Turn:
    """Lock the account, then pick the tasks, in one round trip.

    An account is opened if there is none to lock. It stays only if something is written.
    """
    own = {"user_id": user_id}
    find = [idempotency.find(user_id, key)] if key else []
    rows = await transaction.run((accounts.OPEN, own), (accounts.LOCK, own), pick, *find)
    opened, ((revision, at),), (picked,), *found = rows
    matched, ids, has_too_many_tags, has_list, occurrences, has_parents = picked
    answer = idempotency.answer_of(found[0], key) if key else None
    picked = Picked(matched, ids or (), has_too_many_tags, has_list, occurrences or (), has_parents)
    return _Turn(revision - len(opened), at, picked, answer)


async def _others_below(
    transaction: Transaction, turn: _Turn, chosen: Statements, parameters: Mapping[str, Any], most: int
) -> list[UUID]:
    """Return the subtasks that are changed with the tasks of the set, and are not among them."""
    if not (chosen.takes_subtasks and turn.picked.has_parents):
        return []
    return await set_subtasks.others_below(transaction, parameters["user_id"], turn.picked.ids[:most])


async def _plain_calls(
    transaction: Transaction, turn: _Turn, chosen: Statements, parameters: Mapping[str, Any], ids: Sequence[UUID]
) -> tuple[Sequence[Call], int]:
    """Return the statements that change tasks, and move their subtasks with them, and the last revision that they take.

    If more is to be done with these tasks than a statement can, they are changed already.
    """
    user_id, follow = parameters["user_id"], list[UUID]()
    if chosen.moves_lists and turn.picked.has_parents and ids:
        follow = await set_subtasks.followers(transaction, user_id, ids, parameters["new_list_id"])
    calls = [*portions(chosen.write, ids, parameters, turn.revision, turn.at)]
    if chosen.moves_instants and ids:
        await _run(transaction, calls)
        calls = await instants.moved(transaction, user_id, ids)
    into = {"user_id": user_id, "new_list_id": parameters.get("new_list_id")}
    calls += portions(set_subtasks.FOLLOW, follow, into, turn.revision + len(ids), turn.at)
    return calls, turn.revision + len(ids) + len(follow)


async def _run(transaction: Transaction, calls: Sequence[Call]) -> None:
    """Execute statements, each with a round trip, and its limit, of its own."""
    for call in calls:
        await transaction.run(call)


def portions(
    write: Query, ids: Sequence[UUID], parameters: Mapping[str, Any], revision: int, at: datetime
) -> Iterator[Call]:
    """Yield the statements that change the tasks, a portion each. They take the revisions that follow `revision`."""
    for start in range(0, len(ids), _PORTION):
        portion = {"picked": ids[start : start + _PORTION], "revision": revision + start, "at": at}
        yield write, {**parameters, **portion}


async def send(transaction: Transaction, portions: Sequence[Call], last: Sequence[Call]) -> None:
    """Execute the statements and commit. Each portion but the last one has a round trip, and its limit, of its own."""
    await _run(transaction, portions[:-1])
    if final := [*portions[-1:], *last]:
        await transaction.commit(*final)


def _answer(outcome: Outcome) -> dict[str, Any]:
    return {name: value for name, value in outcome._asdict().items() if name != "is_replayed"}
