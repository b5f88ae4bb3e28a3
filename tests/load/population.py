"""Two million tasks of 20,000 users, generated from a fixed seed."""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from random import Random

import click
import psycopg

from tests.load.data import without_indexes

SIZES = (100, 1_000, 10_000, 100_000)
RARE = "reception"
FREQUENT = "project"

_SEED = 20_261_124
_USERS = 20_000
_TASKS = 2_000_000
_FIRST_DAY = datetime(2024, 11, 1, tzinfo=UTC)
_DAYS = 730
_VERBS = [
    "Buy",
    "Call",
    "Write",
    "Read",
    "Fix",
    "Plan",
    "Review",
    "Send",
    "Book",
    "Clean",
    "Pay",
    "Order",
    "Prepare",
    "Check",
    "Cancel",
    "Renew",
]
_THINGS = [
    "milk",
    "the dentist",
    "a letter to Müller",
    "the quarterly report",
    "that tap in the kitchen",
    "summer holidays",
    "pull request",
    "invoice",
    "train tickets",
    "the garage",
    "electricity bill",
    "a new chair",
    "slides for Monday",
    "backups",
    "newspaper subscription",
    "passport",
    "birthday present",
    "the café on the corner",
    "tax return",
    "bicycle",
    "meeting notes",
    "curtains",
    "house insurance",
    "vaccination",
    "piano lesson",
    "garden",
    "the old server",
]
_ENDS = ["", "", "", " before lunch", " again", " with Zoë", " (urgent!)", " tomorrow", f" for the {FREQUENT}"]
_SENTENCES = (
    "Ask first whether it is still needed.",
    f"The {FREQUENT} waits for it.",
    "Two litres, the oat one.",
    "See the mail from last week, and the attachment: it lists everything that is still missing.",
    "Opening hours are 9 to 17, closed on Wednesdays.",
    "If nobody answers, try the other number, 030 1234567.",
    "Costs about 40 €, keep the receipt.",
)
_TAGS = [
    "home",
    "work",
    "shopping",
    "errands",
    "family",
    "health",
    "money",
    "travel",
    "garden",
    "reading",
    "urgent",
    "waiting",
    "someday",
]
# COPY's text format for NULL.
_NULL = "\\N"
_COLUMNS = (
    "user_id, id, revision, title, description, completed, completed_at, priority, due_date, tags, position, "
    "created_at, updated_at, deleted_at"
)


def user_of(size: int) -> str:
    """Return the id of the user who has `size` tasks."""
    return f"user-with-{size}-tasks"


def load(url: str) -> None:
    """Fill the tables of a migrated database. Each user's tasks are stored together, as after an import."""
    random = Random(_SEED)  # noqa: S311 - makes test data, not secrets
    population = sorted(_population(random).items())
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET maintenance_work_mem = '1GB'")
        with without_indexes(connection):
            _copy(connection, population, random)
        connection.execute("VACUUM ANALYZE accounts, tasks")


def _population(random: Random) -> dict[str, int]:
    """Return how many tasks each user has: most users have few, some have many."""
    users = [f"{random.getrandbits(160):040x}"[:32] for _ in range(_USERS - len(SIZES))]
    weights = [random.lognormvariate(0, 1.2) for _ in users]
    tasks = Counter(random.choices(users, weights, k=_TASKS - sum(SIZES)))
    return tasks | {user_of(size): size for size in SIZES}


def _copy(connection: psycopg.Connection, population: Sequence[tuple[str, int]], random: Random) -> None:
    texts = [_text(random) for _ in range(20_000)]
    with connection.cursor() as cursor:
        with cursor.copy("COPY accounts (user_id, revision) FROM STDIN") as accounts:
            accounts.write("".join(f"{user}\t{_revisions(size)}\n" for user, size in population))
        with (
            cursor.copy(f"COPY tasks ({_COLUMNS}) FROM STDIN".encode()) as tasks,
            click.progressbar(population, label="Loading 2,000,000 tasks") as bar,
        ):
            for user, size in bar:
                tasks.write("".join(_rows(user, size, texts, random)))


def _revisions(size: int) -> int:
    """Return how many tasks a user has created: those that exist, and one deleted task for every hundred of them."""
    return size + size // 100


def _rows(user: str, size: int, texts: Sequence[str], random: Random) -> Iterator[str]:
    """Yield a user's tasks as lines for COPY, oldest first. Four tasks of each measured user contain the rare word."""
    count = _revisions(size)
    step = timedelta(days=_DAYS) / count
    rare = {count * fifth // 5 for fifth in range(1, 5)} if user == user_of(size) else {random.randrange(2_000)}
    deleted = {99 + 101 * number for number in range(size // 100)}
    for number, text in enumerate(random.choices(texts, k=count)):
        created = _FIRST_DAY + number * step
        task_id = f"{int(created.timestamp() * 1000):012x}7{random.getrandbits(12):03x}8{random.getrandbits(60):015x}"
        changed = created + timedelta(hours=random.randrange(2_000))
        done = changed if random.random() < 0.7 else None
        gone = changed if number in deleted else None
        due = (created + timedelta(days=random.randrange(60))).date() if random.random() < 0.6 else None
        tags = "{" + ",".join(random.sample(_TAGS, random.choice((0, 0, 1, 1, 2, 3)))) + "}"
        title = f"Ask at the {RARE}: {text}" if number in rare else text
        priority = random.choice((1, 2, 2, 2, 3))
        state = (done is not None, done, priority, due, tags, f"m{number + 1:012x}", created, changed, gone)
        values = (user, task_id, number + 1, title, *state)
        yield "\t".join(_NULL if value is None else str(value) for value in values) + "\n"


def _text(random: Random) -> str:
    """Return a title and a description separated by a tab; half of the descriptions are NULL."""
    title = f"{random.choice(_VERBS)} {random.choice(_THINGS)}{random.choice(_ENDS)} {random.randrange(1000)}"
    sentences = " ".join(random.sample(_SENTENCES, random.randint(1, 4)))
    return f"{title}\t{sentences if random.random() < 0.5 else _NULL}"
