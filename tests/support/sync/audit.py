"""The proof: the results of edits that devices received, compared with the writes that the database has noted."""

from collections import Counter
from collections.abc import Iterable, Sequence

from storage.epochs import LEAST_STEP
from tests.support.sync.effects import Request
from tests.support.sync.journal import Journal
from tests.support.sync.ledger import Ledger
from tests.support.sync.store import Answer

NO_ANSWER = Answer(0, None, [], [])


def explain(journal: Journal, answers: Iterable[Answer]) -> Counter[str]:
    """Check that each request wrote what its accepted edits ask for and nothing else, and each took a revision for it.

    From the first revision on, a ledger has what the accepted edits must have made of the user's tasks: what they name,
    and the relatives that follow, which are subtasks, and the next occurrence with its copies of them. The rows that a
    request wrote are those of the ledger, so no edit is lost, none takes effect twice, none has overwritten a value
    that its device had not seen, and no relative is forgotten. A request with a list is the organiser's.

    Return how often which effect on relatives was seen.
    """
    audit = _Audit(journal)
    by_request = {journal.keys[answer.key] if answer.key else audit.creator(answer): answer for answer in answers}
    order = [(revisions[-1], 0, request) for request, revisions in journal.requests.items()]
    # What has written nothing agrees with what was there then.
    order += [(by_request[one].revision, 1, one) for one in by_request.keys() - journal.requests.keys()]
    for _, _, request in sorted(order):
        audit.follow(request, by_request.get(request, NO_ANSWER))
    return audit.counts


class _Audit:
    def __init__(self, journal: Journal) -> None:
        self.counts: Counter[str] = Counter()
        self._journal = journal
        self._ledger = Ledger()
        self._head = 0

    def creator(self, answer: Answer) -> str:
        """Return the request that created a task alone. The answer that named its revision may have been lost."""
        return self._journal.creators[answer.accepted[0].edit.task_id]

    def follow(self, request: str, answer: Answer) -> None:
        """Compare what a request wrote with what its accepted edits ask for."""
        journal, revisions = self._journal, self._journal.requests.get(request, [])
        writes = [journal.writes[number] for number in revisions if number in journal.writes]
        noted = {write.task_id: write.after for write in writes}
        restored = {one.edit.task_id for one in answer.accepted if one.edit.op == "restore"}
        one = Request(request, self._ledger, noted, revisions, journal.purged, restored)
        for list_id, is_live in (journal.lists[number] for number in revisions if number in journal.lists):
            one.change_list(list_id, is_live=is_live)
        for accepted in answer.accepted:
            one.perform(accepted.edit)
        live = {write.task_id for write in writes if write.is_live}
        rows = self._ledger.rows
        expected = {task_id: rows[task_id].members for task_id in one.written if task_id in rows}
        both = {task_id: (noted.get(task_id), expected.get(task_id)) for task_id in noted | expected}
        differ = {task_id: states for task_id, states in both.items() if states[0] != states[1]}
        assert not differ, f"request {request} wrote the first, and should have written the second: {differ}"
        assert live == {task_id for task_id in expected if self._ledger.live(task_id)}, f"request {request}: {live}"
        self._count_revisions(revisions, one)

    def _count_revisions(self, revisions: Sequence[int], request: Request) -> None:
        """Check that a request took a revision for each write, even for two of a row that is stored once."""
        if revisions:
            is_after_reset = revisions[0] - self._head > LEAST_STEP
            taken = revisions[-1] - (revisions[0] - 1 if is_after_reset else self._head)
            assert taken == len(request.written) or is_after_reset, f"{request.written} took {taken} revisions"
            self._head = revisions[-1]
        self.counts += request.counts
