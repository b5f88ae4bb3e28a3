"""Every statement can run on tables that are distributed by `user_id`, as Citus distributes them."""

import gc
import importlib
import itertools
import pkgutil
import re
from collections.abc import Iterable, Iterator

import psycopg
import pytest
from sqlalchemy import ClauseElement, Delete, Insert, Update, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.sql.visitors import iterate

import storage
from storage import (
    accounts,
    epochs,
    keyed_creation,
    purging,
    recomputing,
    task_creation,
    task_filters,
    task_pages,
    task_replacement,
    task_sets,
    task_updates,
    tasks,
    watchers,
)
from storage.driver.query import Query
from storage.schema import metadata
from storage.series import LEFT
from storage.set_statements import Statements

# The tables of a user's data.
TABLES = {table.name for table in metadata.sorted_tables if "user_id" in table.c}
# Statements on these tables that name no user, each with its reason.
EXEMPT = {
    **dict.fromkeys(purging.ACROSS_USERS, "the daily purge reaches every user"),
    **dict.fromkeys(epochs.ACROSS_USERS, "a restored backup concerns every user"),
    **dict.fromkeys(recomputing.ACROSS_USERS, "the rules of time zones concern every user"),
    **dict.fromkeys(
        watchers.ACROSS_USERS, "one query for all users that are watched; Citus asks several nodes at once"
    ),
}


def subsets(names: Iterable[str], most: int | None = None) -> Iterator[frozenset[str]]:
    """Return every set of some of the names, or of `most` names at most."""
    choices = sorted(names)
    for size in range((len(choices) if most is None else most) + 1):
        yield from map(frozenset, itertools.combinations(choices, size))


def parts(statements: Statements) -> list[Query]:
    """Return the statements for a set of tasks."""
    return [statements.total, statements.pick, statements.write]


@pytest.fixture(scope="module")
def queries() -> list[Query]:
    """Return every statement of the package: those of its modules, and those compiled for the shape of a request."""
    for module in pkgutil.walk_packages(storage.__path__, "storage."):
        importlib.import_module(module.name)
    # Each member adds its own assignment to a statement, whichever others there are.
    changes = [*subsets(tasks.CHANGEABLE, 2), frozenset(tasks.CHANGEABLE)]
    compiled = [task_updates._update(names, in_list="list_id" in names) for names in changes if names]
    # Where an occurrence more or less follows.
    names = frozenset({*tasks.WRITTEN, *LEFT})
    for in_list, has_next, removes_next in itertools.product((False, True), repeat=3):
        compiled.append(task_updates._write(names, in_list=in_list, has_next=has_next, removes_next=removes_next))
    for in_list, has_next in itertools.product((False, True), repeat=2):
        compiled.append(task_creation._create(tasks.RECURRING, in_list=in_list, has_next=has_next))
        compiled.append(keyed_creation._create_once(tasks.RECURRING, in_list=in_list, has_next=has_next))
        compiled.append(task_replacement._put_recurring(tasks.RECURRING, in_list=in_list, has_next=has_next))
    # Each filter adds its own condition to a statement, whichever others there are, and whatever the order.
    filters = [*subsets(task_filters._CONDITIONS, 2), frozenset(task_filters._CONDITIONS)]
    first, *others = task_pages.ORDERS
    pages = [*itertools.product([first], filters), *itertools.product(others, [filters[0], filters[-1]])]
    for sort, names in pages:
        compiled += [task_pages._query(names, sort, after_position=after) for after in (False, True)]
    for names in filters:
        compiled += [*parts(task_sets._delete(names)), *parts(task_sets._update(names, frozenset({"completed"})))]
    for names in subsets({*tasks.CHANGEABLE, *task_sets._TAG_CHANGES}, 2):
        compiled += parts(task_sets._update(frozenset({"ids"}), names))
    seen = set(map(id, compiled))
    there = [one for one in gc.get_objects() if isinstance(one, Query) and id(one) not in seen]
    return compiled + there


def functions_that_citus_refuses(statement: ClauseElement) -> set[str]:
    """Return the functions in RETURNING, DO UPDATE SET, and the conditions of UPDATE and DELETE."""
    found = set()
    for element in iterate(statement):
        if isinstance(element, Insert | Update | Delete):
            places: list[object] = [*element._returning]
            if isinstance(element, Update | Delete):
                places += element._where_criteria
            if (conflict := getattr(element, "_post_values_clause", None)) is not None:
                # DO NOTHING has neither.
                places += getattr(conflict, "update_values_to_set", {}).values()
                places.append(getattr(conflict, "update_whereclause", None))
            for place in places:
                if isinstance(place, ClauseElement):
                    found |= {one.name for one in iterate(place) if isinstance(one, FunctionElement)}
    return found


def is_copied_by_citus(statement: ClauseElement) -> bool:
    """Return whether a statement inserts rows of a query without RETURNING and without ON CONFLICT."""
    inserted = [one for one in iterate(statement) if isinstance(one, Insert) and one.select is not None]
    return any(not one._returning and getattr(one, "_post_values_clause", None) is None for one in inserted)


def tables_without_a_user(sql: str) -> list[str]:
    """Return the tables of users' data that a statement reads or changes without the condition `user_id = $n`."""
    missing = []
    for table in sorted(TABLES):
        touched = re.findall(rf"\b(?:FROM|JOIN|UPDATE) {table}\b(?!\.)", sql)
        names = "|".join({table, *re.findall(rf"\b{table} AS (\w+)", sql)})
        named = re.findall(rf"\b(?:{names})\.user_id = \$\d", sql)
        inserted = re.findall(rf"INSERT INTO {table} \((.*?)\)", sql)
        if len(named) < len(touched) or any("user_id" not in columns.split(", ") for columns in inserted):
            missing.append(table)
    return missing


def volatility(url: str, names: set[str]) -> dict[str, str]:
    """Return what pg_proc says of functions: `i` (immutable), `s` (stable) or `v` (volatile)."""
    with psycopg.connect(url) as connection:
        cursor = connection.execute("SELECT proname, provolatile FROM pg_proc WHERE proname = ANY (%s)", [[*names]])
        return dict(cursor.fetchall())


def test_no_stable_or_volatile_function_stands_where_citus_refuses_it(queries: list[Query], postgres: str) -> None:
    used = set().union(*(functions_that_citus_refuses(query.statement) for query in queries))
    assert {name for name, kind in volatility(postgres, used).items() if kind != "i"} == set()


def test_every_statement_names_the_user_for_every_table(queries: list[Query]) -> None:
    assert len(queries) > 900
    for query in queries:
        if query.sql not in EXEMPT:
            assert tables_without_a_user(query.sql.decode()) == [], query.sql.decode()


def test_what_is_inserted_from_a_query_is_returned_or_may_conflict(queries: list[Query]) -> None:
    """Citus would copy the rows, and report a unique violation, after which a statement is repeated, in other words."""
    assert [query.sql.decode() for query in queries if is_copied_by_citus(query.statement)] == []
    copied = insert(metadata.tables["accounts"]).from_select(["user_id"], select(accounts.owner))
    assert is_copied_by_citus(select(literal_column("1")).add_cte(copied.cte()))


def test_the_checks_see_what_they_must_refuse(postgres: str) -> None:
    table = metadata.tables["accounts"]
    now = func.clock_timestamp()
    own = table.c.user_id == accounts.owner
    written = insert(table).values(user_id=accounts.owner, revision=literal_column("1"))
    refused = [
        written.returning(now),
        written.on_conflict_do_update(index_elements=["user_id"], set_={"revision": now}),
        update(table).values(revision=1).where(own, now > literal_column("now()")),
        select(update(table).values(revision=1).where(own).returning(now).cte()),
        table.delete().where(own, now.is_not(None)),
    ]
    for statement in refused:
        assert functions_that_citus_refuses(statement) == {"clock_timestamp"}, str(statement)
    assert volatility(postgres, {"clock_timestamp"}) == {"clock_timestamp": "v"}
    for sql in (
        "SELECT 1 FROM accounts",
        "UPDATE accounts SET revision = 1",
        "INSERT INTO accounts (revision) VALUES (1)",
    ):
        assert tables_without_a_user(sql) == ["accounts"]
