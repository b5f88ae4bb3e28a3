"""PostgreSQL's plans for each operation: an index finds the user's tasks, and the default order needs no full sort."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

import psycopg
import pytest
from psycopg.sql import SQL, Literal

from storage import (
    changes,
    deletions,
    list_deletions,
    moves,
    relatives,
    siblings,
    tags,
    task_creation,
    task_replacement,
    task_sets,
    task_updates,
    tasks,
    trash,
)
from storage.administration.migrations import migrate
from storage.driver.database import Database
from storage.driver.query import Query
from storage.task_filters import Filters
from storage.task_pages import Position, Sort, _query, list_tasks
from tests.support.driver import fetch, with_database
from tests.support.postgres import new_database

TASKS = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at)
    SELECT CASE WHEN n % 6 = 0 THEN 'ada' ELSE 'user-' || n % 1000 END,
           ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n, 'task ' || md5(n::text), n % 4 = 0, 1,
           '{home}', timestamptz '2026-01-01' + n * interval '1 second', now()
    FROM generate_series(1, 12000) n
"""
TRASH = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at, deleted_at)
    SELECT CASE WHEN n % 6 = 0 THEN 'ada' ELSE 'user-' || n % 1000 END,
           ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n, 'task ' || md5(n::text), n % 4 = 0, 1,
           '{home}', timestamptz '2026-01-01', now(), timestamptz '2026-02-01' + n * interval '1 second'
    FROM generate_series(12001, 18000) n
"""
ACCOUNTS = "INSERT INTO accounts SELECT user_id, max(revision) FROM tasks GROUP BY user_id"
OTHERS = "INSERT INTO accounts SELECT 'other-' || n, n FROM generate_series(1, 2000) n"
# All the users that the planner's statistics know, and one more: what she has deleted at once, with subtasks.
KNOWN = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at, deleted_at)
    SELECT 'user-' || n % 60, gen_random_uuid(), n, 'task', false, 1, '{home}', now(), now(),
           CASE WHEN n % 240 < 60 THEN now() END
    FROM generate_series(1, 6000) n
"""
UNKNOWN = """
    INSERT INTO tasks (user_id, id, revision, title, completed, priority, tags, created_at, updated_at, deleted_at,
                       deletion_id, parent_id, is_parent)
    SELECT 'grace', ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, n, 'task', false, 1,
           '{home}', now(), now(), now(), '00000000-0000-7000-8000-000000000600',
           CASE WHEN n > 1000 THEN ('00000000-0000-7000-8000-' || lpad((n - 1000)::text, 12, '0'))::uuid END, n <= 1000
    FROM generate_series(1, 2000) n
"""
NEWEST_FIRST = Sort("created_at", descending=True)
ORDERS = [
    Sort(by, way)
    for by in ("updated_at", "due_date", "due_at", "priority", "title", "position")
    for way in (True, False)
]
PAGE = {"user_id": "ada", "limit": 51, "offset": 0, "turns": "{}", "offsets": "{0}"}
TASK = {"user_id": "ada", "id": UUID("00000000-0000-7000-8000-000000000600")}
NEW = {"title": "new", "description": None, "completed": True, "priority": 1, "due_date": None, "tags": ["home"]}
NEW |= {"due_time": None, "time_zone": None, "due_at": None, "list_id": None, "parent_id": None, "position": "k"}
# PostgreSQL plans for the given values or, once a statement is used often, for any values.
MODES = ("force_custom_plan", "force_generic_plan")

Plan = dict[str, Any]


class Case(NamedTuple):
    """A statement of the service with its parameters, and the indexes that may find its tasks."""

    query: Query
    parameters: dict[str, Any]
    indexes: frozenset[str]


BY_KEY = frozenset({"tasks_pkey"})
IN_ORDER = frozenset({"tasks_by_created_at"})
IN_TRASH = frozenset({"tasks_by_deleted_at"})
BY_REVISION = frozenset({"tasks_by_revision"})
# The indexes that begin with the user's id.
ANY_INDEX = BY_REVISION | {"tasks_by_created_at", "tasks_by_position", "tasks_by_searched_text", "tasks_pkey"}
BY_POSITION = frozenset({"tasks_by_position"})
BY_PARENT = frozenset({"tasks_by_parent"})


def listed(*filters: str, sort: Sort = NEWEST_FIRST, **parameters: Any) -> Case:
    """Return the case of the first page of a list."""
    query = _query(frozenset(filters), sort, after_position=False)
    return Case(query, PAGE | parameters, ANY_INDEX if filters or sort != NEWEST_FIRST else IN_ORDER)


def after(number: int) -> Case:
    """Return the case of the page after a task, in the default order."""
    created_at = datetime(2026, 1, 1, tzinfo=UTC) + timedelta(seconds=number)
    position = Position(str(created_at), UUID(f"00000000-0000-7000-8000-{number:012}"))
    query = _query(frozenset(), NEWEST_FIRST, after_position=True)
    return Case(query, {"user_id": "ada", "limit": 51, **position._asdict()}, IN_ORDER)


def after_deletion(number: int) -> Case:
    """Return the case of the page of the trash after a task."""
    deleted_at = datetime(2026, 2, 1, tzinfo=UTC) + timedelta(seconds=number)
    position = Position(str(deleted_at), UUID(f"00000000-0000-7000-8000-{number:012}"))
    return Case(trash._NEXT_PAGE, {"user_id": "ada", "limit": 51, **position._asdict()}, IN_TRASH)


def changed(*, since: int, baseline: int = 0) -> Case:
    """Return the case of a page of changes."""
    parameters = {"user_id": "ada", "revision": since, "baseline": baseline, "limit": 51}
    return Case(changes._PAGE, parameters, BY_REVISION)


_COMPLETE = task_sets._update(frozenset({"any_tags"}), frozenset({"completed"}))
_SET = {"user_id": "ada", "tags": ["home"], "new_completed": True, "limit": 1001}
_ANCHOR = {"list_id": None, "parent_id": UUID(int=1), "anchor": UUID("00000000-0000-7000-8000-000000000606")}
_PUT = {"revisions": [3], "may_create": True}
_CHANGED = {"picked": [TASK["id"]], "revision": 3, "at": datetime(2026, 11, 24, tzinfo=UTC)}

CASES = {
    "first page": listed(),
    "next page": after(11_700),
    "deep page": after(6_000),
    "filtered list": listed("completed", "priority", completed=False, priority=[1]),
    "tasks with a tag": listed("any_tags", tags=["home"]),
    **{
        f"sorted by {sort.by}, {'descending' if sort.descending else 'ascending'}": listed(sort=sort) for sort in ORDERS
    },
    "list tags": Case(tags._LIST, {"user_id": "ada"}, ANY_INDEX),
    "get task": Case(tasks._GET, TASK, BY_KEY),
    "create task": Case(task_creation._create(tasks.WRITTEN, in_list=False, has_next=False), TASK | NEW, frozenset()),
    "update task": Case(task_updates._update(frozenset(NEW), in_list=True), TASK | NEW | {"revisions": [3]}, BY_KEY),
    "delete task": Case(tasks._DELETE, TASK | {"revisions": [3], "deletion_id": UUID(int=1)}, BY_KEY),
    "put task": Case(task_replacement._put(frozenset(NEW), in_list=True), TASK | NEW | _PUT, BY_KEY),
    **{
        f"neighbours of the {side} place, {kind}": Case(
            query, TASK | _ANCHOR, BY_KEY | (BY_PARENT if kind.endswith("parent") else BY_POSITION)
        )
        for (side, kind), query in siblings._NEIGHBOURS.items()
    },
    "arranged tasks": Case(siblings._ARRANGED["list"], TASK | _ANCHOR, ANY_INDEX),
    "arranged subtasks": Case(siblings._ARRANGED["parent"], TASK | _ANCHOR, BY_PARENT),
    "move task": Case(moves._MOVE, TASK | _CHANGED | {"position": "k", "list_id": None, "parent_id": None}, BY_KEY),
    "space tasks": Case(
        moves._SPACE, _CHANGED | {"user_id": "ada", "ids": [TASK["id"]], "positions": ["k"]}, ANY_INDEX
    ),
    "restore task": Case(trash._RESTORE, TASK, BY_KEY),
    "erase task": Case(trash._ERASE, TASK, BY_KEY),
    "empty trash": Case(trash._EMPTY, {"user_id": "ada"}, IN_TRASH),
    "first page of the trash": Case(trash._FIRST_PAGE, {"user_id": "ada", "limit": 51}, IN_TRASH),
    "next page of the trash": after_deletion(17_700),
    "count tasks to update": Case(_COMPLETE.total, _SET, ANY_INDEX),
    "pick tasks to update": Case(_COMPLETE.pick, _SET, ANY_INDEX),
    "update the picked tasks": Case(_COMPLETE.write, _SET | _CHANGED, ANY_INDEX),
    "pick tasks to rename a tag": Case(tags._RENAME.pick, _SET | {"name": "home", "new_name": "house"}, ANY_INDEX),
    "pick tasks to restore": Case(deletions._PICK, _SET | {"deletion": TASK["id"]}, IN_TRASH | BY_KEY),
    "pick tasks to restore with their list": Case(
        list_deletions._PICK_DELETED, _SET | {"list": UUID(int=1)}, IN_TRASH | BY_KEY
    ),
    "places of restored tasks": Case(
        relatives._PLACES, {"user_id": "ada", "ids": [TASK["id"]], "deletion": UUID(int=1)}, ANY_INDEX | BY_PARENT
    ),
    "restore the picked tasks": Case(deletions.RESTORE, _SET | _CHANGED, ANY_INDEX),
    "head": Case(changes._HEAD, {"user_id": "ada"}, frozenset()),
    "everything": changed(since=0, baseline=18_000),
    "changes": changed(since=17_400),
    "a deep page of changes": changed(since=6_000),
}
PAGES_IN_ORDER = {
    "first page": None,
    "next page": "ROW(created_at, id) < ROW(",
    "deep page": "ROW(created_at, id) < ROW(",
    "first page of the trash": None,
    "next page of the trash": "ROW(deleted_at, id) < ROW(",
    "everything": "revision >",
    "changes": "revision >",
    "a deep page of changes": "revision >",
}


def analyzed(postgres: str, *statements: str) -> str:
    """Return the URL of a new database in which these statements have run, and whose tables are analyzed."""
    url = new_database(postgres)
    migrate(url)
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in (*statements, "VACUUM ANALYZE accounts, tasks"):
            connection.execute(statement.encode())
    return url


@pytest.fixture(scope="module")
def database(postgres: str) -> str:
    """Return the URL of a database in which Ada has 2,000 of 12,000 tasks, and 1,000 of 6,000 in the trash."""
    return analyzed(postgres, TASKS, TRASH, ACCOUNTS, OTHERS)


@pytest.fixture(scope="module")
def unanalyzed(postgres: str) -> str:
    """Return the URL of a database in which Grace has 2,000 tasks in the trash since the tables were analyzed."""
    url = analyzed(postgres, KNOWN)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(UNKNOWN)
    return url


@pytest.fixture
def connection(database: str) -> Iterator[psycopg.Connection[Any]]:
    """Yield a connection to that database, and roll its changes back."""
    with psycopg.connect(database) as connection:
        yield connection
        connection.rollback()


def nodes(plan: Plan) -> list[Plan]:
    """Return a node of a plan and all nodes below it."""
    return [plan, *(node for below in plan.get("Plans", ()) for node in nodes(below))]


def scans(plan: Plan) -> list[Plan]:
    """Return the nodes of a plan that read rows of the tables."""
    return [node for node in nodes(plan) if "Scan" in node["Node Type"] and {"Relation Name", "Index Name"} & set(node)]


def rows_read(node: Plan) -> float:
    """Return how many rows a node has read, or compared, and kept or not."""
    removed = sum(rows for name, rows in node.items() if name.startswith("Rows Removed by"))
    kept = 0 if node["Node Type"] == "Function Scan" else node["Actual Rows"]
    return float(node["Actual Loops"] * (kept + removed))


def explain(connection: psycopg.Connection[Any], case: Case, mode: str, options: str = "") -> Plan:
    """Return the plan of a statement, for the given values or for any, as `mode` says."""
    connection.execute(f"SET LOCAL plan_cache_mode = {mode}".encode())
    connection.execute(b"PREPARE statement AS " + case.query.sql)
    arguments = SQL(", ").join(map(Literal, case.query.values(**case.parameters)))
    execute = SQL("EXPLAIN (FORMAT JSON{}) EXECUTE statement ({})").format(SQL(options), arguments)
    row = connection.execute(execute).fetchone()
    connection.execute("DEALLOCATE statement")
    assert row is not None
    plan: Plan = row[0][0]["Plan"]
    return plan


def sorts_whole_set(plan: Plan) -> bool:
    """Return whether a plan sorts tasks before it limits them to a page."""

    def reaches_tasks(node: Plan) -> bool:
        if node["Node Type"] == "Limit" or node.get("Parent Relationship") == "InitPlan":
            return False
        return node.get("Relation Name") == "tasks" or any(map(reaches_tasks, node.get("Plans", ())))

    return any("Sort" in node["Node Type"] and reaches_tasks(node) for node in nodes(plan))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", CASES)
def test_an_index_finds_the_rows_of_each_statement(connection: psycopg.Connection[Any], name: str, mode: str) -> None:
    plan = explain(connection, CASES[name], mode)
    kinds = {node["Node Type"] for node in scans(plan)}
    assert kinds <= {"Index Scan", "Index Only Scan", "Bitmap Index Scan", "Bitmap Heap Scan"}
    used = {node["Index Name"] for node in scans(plan) if "Index Name" in node}
    # The total of the first page may be counted in any index of all tasks.
    counting = BY_POSITION if name == "first page" else frozenset()
    assert {index for index in used if index.startswith("tasks")} <= CASES[name].indexes | counting
    assert bool(used & CASES[name].indexes) == bool(CASES[name].indexes)
    for node in scans(plan):
        if "Index Name" in node:
            assert "user_id = " in node["Index Cond"]
            assert CASES[name].indexes != BY_KEY or node["Index Name"] != "tasks_pkey" or "(id = " in node["Index Cond"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", ["pick tasks to restore", "restore the picked tasks", "places of restored tasks"])
def test_restoring_reads_no_task_again_for_each_other_task(unanalyzed: str, name: str, mode: str) -> None:
    ids = [UUID(f"00000000-0000-7000-8000-{number:012}") for number in range(1751, 2001)]
    known = {"user_id": "grace", "deletion": TASK["id"]}
    given = {parameter: ids for parameter in ("picked", "ids") if parameter in CASES[name].parameters}
    case = CASES[name]._replace(parameters=CASES[name].parameters | known | given)
    with psycopg.connect(unanalyzed) as connection:
        plan = explain(connection, case, mode, ", ANALYZE, TIMING OFF")
        connection.rollback()
    assert sum(map(rows_read, nodes(plan))) < 10 * 2_000


@pytest.mark.parametrize("name", ["update the picked tasks", "restore the picked tasks"])
def test_picked_tasks_are_found_by_their_keys(connection: psycopg.Connection[Any], name: str) -> None:
    # A transaction does not prepare its statements, so they are planned for their values.
    plan = explain(connection, CASES[name], "force_custom_plan")
    assert "(id = " in conditions(plan)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", PAGES_IN_ORDER)
def test_a_page_in_the_default_order_is_read_from_the_index(
    connection: psycopg.Connection[Any], name: str, mode: str
) -> None:
    plan = explain(connection, CASES[name], mode, ", ANALYZE, BUFFERS")
    assert not sorts_whole_set(plan)
    (page,) = [node for node in scans(plan) if node["Node Type"] == "Index Scan" and node["Alias"] == "tasks"]
    assert (page["Actual Rows"], page["Index Name"]) == (51, *CASES[name].indexes)
    assert page["Shared Hit Blocks"] + page["Shared Read Blocks"] < 30
    assert (PAGES_IN_ORDER[name] or "") in page["Index Cond"]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", [name for name in CASES if name.startswith("neighbours")])
def test_neighbours_are_read_from_the_index(connection: psycopg.Connection[Any], name: str, mode: str) -> None:
    connection.execute(siblings.IN_INDEX_ORDER[0].sql)
    plan = explain(connection, CASES[name], mode, ", ANALYZE, BUFFERS")
    assert not sorts_whole_set(plan)
    assert {node["Actual Rows"] for node in scans(plan)} <= {0, 1}


@pytest.mark.parametrize("name", ["filtered list", "tasks with a tag"])
def test_a_filtered_list_scans_the_tasks_once_for_both_page_and_total(
    connection: psycopg.Connection[Any], name: str
) -> None:
    plan = explain(connection, CASES[name], "force_custom_plan")
    assert [node["Node Type"] for node in nodes(plan)].count("CTE Scan") == 2
    through_all = [node for node in scans(plan) if node.get("Relation Name") == "tasks" and "Filter" in node]
    assert len(through_all) == 1


def conditions(plan: Plan) -> str:
    """Return the index conditions of a plan."""
    return " ".join(node["Index Cond"] for node in scans(plan) if "Index Name" in node)


def test_a_rare_word_is_found_through_the_search_index(connection: psycopg.Connection[Any]) -> None:
    plan = explain(connection, listed("search", search="%c4ca4238a0%"), "force_custom_plan")
    assert "tasks_by_searched_text" in {node.get("Index Name") for node in nodes(plan)}
    assert "~~ '%c4ca4238a0%'" in conditions(plan)


def test_a_search_for_fewer_than_three_letters_does_not_search_the_index(connection: psycopg.Connection[Any]) -> None:
    plan = explain(connection, listed("search", search="%c4%"), "force_custom_plan")
    assert "~~" not in conditions(plan)
    assert {node["Node Type"] for node in scans(plan)}.isdisjoint({"Seq Scan"})


def prepared(database: str, filters: Filters) -> list[str]:
    """Return the statements that a connection has prepared after listing tasks many times."""

    async def test(opened: Database) -> list[str]:
        for _ in range(12):
            await list_tasks(opened.pipeline, "ada", filters, NEWEST_FIRST, limit=50, start=0)
        return [sql for (sql,) in await fetch(opened.pipeline, "SELECT statement FROM pg_prepared_statements")]

    return with_database(database, test)


def test_a_search_is_planned_for_each_term_and_other_lists_only_once(database: str) -> None:
    assert len(prepared(database, Filters())) == 1
    assert prepared(database, Filters(search="c4")) == []
