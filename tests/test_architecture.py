"""The architecture: which part of the project (a "room") may import which, and which library may be used where."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from handlers.resources import SERIALISERS
from tests.support.server import ROOT

TAGS = sorted(f"handlers.{file.stem}" for file in (ROOT / "handlers").glob("*.py") if not file.stem.startswith("_"))
PRINCIPAL = "handlers.authentication.principal"
QUERY = {"storage.schema", "storage.errors", "storage.driver.query"}
# For each room, the parts of the project that it may import in addition to itself.
ARROWS: dict[str, set[str]] = {
    **{tag: {"handlers.resources", "handlers.responses", PRINCIPAL, "storage"} for tag in TAGS},
    "handlers.__main__": {"handlers.service"},
    "handlers.authentication": {"handlers.responses"},
    # The formats of texts include the names of time zones.
    "handlers.contract": {"handlers.responses", PRINCIPAL, "storage.time_zones"},
    "handlers.documentation": {"handlers.contract", "handlers.responses"},
    "handlers.jobs": {"storage"},
    "handlers.middleware": {"handlers.resources", "handlers.responses", "handlers.telemetry", "storage.errors"},
    "handlers.resources": {"handlers.responses", "storage"},
    "handlers.responses": {PRINCIPAL},
    "handlers.service": {"handlers", "storage"},
    "handlers.settings": {"storage"},
    "handlers.telemetry": {"storage"},
    PRINCIPAL: set(),
    "storage.accounts": {"storage.driver.transaction", *QUERY},
    "storage.administration": {"storage.errors", "storage.schema"},
    "storage.batch": {
        "storage.accounts",
        "storage.batch_answers",
        "storage.batch_plan",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.idempotency",
        "storage.list_of_task",
        "storage.new_positions",
        "storage.positions",
        "storage.relatives",
        "storage.rows",
        "storage.set_changes",
        "storage.stored_rows",
        "storage.tasks",
    },
    "storage.stored_rows": {"storage.accounts", "storage.driver.transaction", "storage.rows", "storage.tasks", *QUERY},
    "storage.set_series": {
        "storage.driver.transaction",
        "storage.positions",
        "storage.relatives",
        "storage.rows",
        "storage.set_changes",
        "storage.stored_rows",
        "storage.task_rows",
        "storage.tasks",
    },
    "storage.batch_answers": {"storage.batch_plan", "storage.errors", "storage.tasks"},
    "storage.batch_plan": {
        "storage.errors",
        "storage.recurrence_rules",
        "storage.rows",
        "storage.subtrees",
        "storage.task_rows",
        "storage.tasks",
    },
    "storage.changes": {
        "storage.accounts",
        "storage.list_rows",
        "storage.tasks",
        "storage.tasks_and_lists",
        *QUERY,
    },
    "storage.clocks": {"storage.due", "storage.time_zones"},
    "storage.deletions": {
        "storage.accounts",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.list_rows",
        "storage.lists",
        "storage.relatives",
        "storage.set_changes",
        "storage.set_statements",
        "storage.trash",
        *QUERY,
    },
    "storage.driver": {"storage.errors"},
    "storage.due": {"storage.errors", "storage.time_zones"},
    "storage.epochs": {"storage.driver.database", *QUERY},
    "storage.errors": set(),
    "storage.list_deletions": {
        "storage.accounts",
        "storage.deletions",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.list_rows",
        "storage.lists",
        "storage.set_changes",
        "storage.set_statements",
        "storage.trash",
        *QUERY,
    },
    "storage.list_of_task": {"storage.accounts", *QUERY},
    "storage.list_moves": {
        "storage.accounts",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.list_rows",
        "storage.lists",
        "storage.positions",
        "storage.siblings",
        *QUERY,
    },
    "storage.list_rows": QUERY,
    "storage.lists": {
        "storage.accounts",
        "storage.changes",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.idempotency",
        "storage.list_rows",
        *QUERY,
    },
    "storage.recomputing": {
        "storage.accounts",
        "storage.due",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.instants",
        *QUERY,
    },
    "storage.recurrence": set(),
    "storage.recurrence_rules": {"storage.errors", "storage.recurrence"},
    "storage.recurrence_text": {"storage.recurrence"},
    "storage.schema": set(),
    "storage.series": {
        "storage.due",
        "storage.errors",
        "storage.positions",
        "storage.recurrence",
        "storage.recurrence_rules",
        "storage.time_zones",
    },
    "storage.set_changes": {
        "storage.accounts",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.idempotency",
        "storage.instants",
        "storage.set_statements",
        "storage.set_subtasks",
        *QUERY,
    },
    "storage.set_statements": {"storage.accounts", "storage.list_of_task", "storage.tasks", *QUERY},
    "storage.tags": {
        "storage.accounts",
        "storage.changes",
        "storage.driver.database",
        "storage.idempotency",
        "storage.set_changes",
        "storage.set_statements",
        *QUERY,
    },
    "storage.idempotency": {"storage.accounts", "storage.driver.transaction", *QUERY},
    "storage.instants": {"storage.accounts", "storage.driver.transaction", "storage.due", *QUERY},
    "storage.keyed_creation": {
        "storage.accounts",
        "storage.idempotency",
        "storage.list_of_task",
        "storage.task_creation",
        "storage.tasks",
        *QUERY,
    },
    "storage.leases": QUERY,
    "storage.moments": QUERY,
    "storage.moves": {
        "storage.accounts",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.family",
        "storage.positions",
        "storage.relatives",
        "storage.rows",
        "storage.set_changes",
        "storage.set_subtasks",
        "storage.siblings",
        "storage.stored_rows",
        "storage.tasks",
        *QUERY,
    },
    "storage.new_positions": {"storage.accounts", *QUERY},
    "storage.optimistic": {"storage.errors"},
    "storage.plain_writes": {"storage.due", "storage.series"},
    "storage.preferences": {
        "storage.accounts",
        "storage.changes",
        "storage.clocks",
        "storage.driver.database",
        "storage.driver.transaction",
        *QUERY,
    },
    "storage.positions": set(),
    "storage.purging": {"storage.accounts", "storage.driver.database", "storage.driver.transaction", *QUERY},
    "storage.siblings": {"storage.accounts", "storage.driver.transaction", *QUERY},
    "storage.task_filters": {"storage.clocks", "storage.moments", *QUERY},
    "storage.task_pages": {
        "storage.accounts",
        "storage.changes",
        "storage.moments",
        "storage.task_filters",
        "storage.tasks",
        *QUERY,
    },
    "storage.task_creation": {"storage.accounts", "storage.list_of_task", "storage.series", "storage.tasks", *QUERY},
    "storage.task_replacement": {
        "storage.accounts",
        "storage.list_of_task",
        "storage.optimistic",
        "storage.plain_writes",
        "storage.series",
        "storage.task_creation",
        "storage.task_updates",
        "storage.tasks",
        *QUERY,
    },
    "storage.task_rows": {
        "storage.errors",
        "storage.family",
        "storage.rows",
        "storage.series",
        "storage.subtrees",
        "storage.tasks",
    },
    "storage.task_sets": {
        "storage.driver.database",
        "storage.due",
        "storage.idempotency",
        "storage.series",
        "storage.set_changes",
        "storage.set_series",
        "storage.set_statements",
        "storage.tags",
        "storage.task_filters",
        "storage.tasks",
        *QUERY,
    },
    "storage.task_updates": {
        "storage.accounts",
        "storage.list_of_task",
        "storage.optimistic",
        "storage.plain_writes",
        "storage.series",
        "storage.tasks",
        *QUERY,
    },
    "storage.tasks": {"storage.accounts", "storage.new_positions", "storage.recurrence", *QUERY},
    "storage.tasks_and_lists": {"storage.list_rows", "storage.tasks", *QUERY},
    "storage.time_zones": set(),
    "storage.trash": {
        "storage.accounts",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.list_of_task",
        "storage.list_rows",
        "storage.new_positions",
        "storage.set_statements",
        "storage.task_pages",
        "storage.tasks",
        "storage.tasks_and_lists",
        *QUERY,
    },
    "storage.families": {
        "storage.accounts",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.family",
        "storage.idempotency",
        "storage.keyed_creation",
        "storage.relatives",
        "storage.rows",
        "storage.set_changes",
        "storage.set_statements",
        "storage.stored_rows",
        "storage.task_creation",
        "storage.task_replacement",
        "storage.task_rows",
        "storage.task_updates",
        "storage.tasks",
        *QUERY,
    },
    "storage.family": {"storage.errors", "storage.rows", "storage.tasks"},
    "storage.family_trash": {
        "storage.accounts",
        "storage.deletions",
        "storage.driver.database",
        "storage.driver.transaction",
        "storage.relatives",
        "storage.rows",
        "storage.set_changes",
        "storage.subtrees",
        "storage.tasks",
        "storage.trash",
        *QUERY,
    },
    "storage.relatives": {
        "storage.accounts",
        "storage.driver.transaction",
        "storage.family",
        "storage.list_of_task",
        "storage.new_positions",
        "storage.positions",
        "storage.rows",
        "storage.stored_rows",
        "storage.tasks",
        *QUERY,
    },
    "storage.rows": {"storage.series", "storage.tasks"},
    "storage.set_subtasks": {"storage.accounts", "storage.driver.transaction", "storage.set_statements", *QUERY},
    "storage.subtrees": {
        "storage.due",
        "storage.errors",
        "storage.family",
        "storage.positions",
        "storage.rows",
        "storage.series",
        "storage.tasks",
    },
    "storage.watchers": {"storage.changes", "storage.driver.database", *QUERY},
}
# For each library, the only places that may import it.
LIBRARIES: dict[str, set[str]] = {
    "alembic": {"storage.administration"},
    "connexion": {"handlers.contract"},
    "httptools": {"handlers.service"},
    "jsonschema_rs": {"handlers.contract"},
    "jwt": {"handlers.authentication", "handlers.service", "handlers.settings"},
    "orjson": {
        "handlers.authentication",
        "handlers.contract",
        "handlers.resources",
        "handlers.responses",
        "handlers.telemetry",
        # A batch of 100 tasks takes a fifth of the time that `json` needs.
        "storage.stored_rows",
        "storage.driver.parameters",
    },
    "prometheus_client": {"handlers.telemetry"},
    # Settings ask the driver whether it understands a URL.
    "psycopg": {"storage", "handlers.settings"},
    "psycopg_pool": {"storage.driver"},
    "sqlalchemy": {"storage"},
    "starlette": {
        "handlers.contract",
        "handlers.documentation",
        "handlers.middleware",
        "handlers.responses",
        "handlers.service",
    },
    "uvicorn": {"handlers.service", "handlers.telemetry"},
}


def is_within(name: str, parts: set[str]) -> bool:
    """Return whether a dotted name is one of these parts, or is inside one."""
    return any(name == part or name.startswith(f"{part}.") for part in parts)


def room_of(module: str) -> str:
    """Return the most specific room that a module is in, by its line in ARROWS."""
    rooms = [room for room in ARROWS if is_within(module, {room})]
    assert rooms, f"{module} has no line in ARROWS"
    return max(rooms, key=len)


def imports(source: str) -> Iterator[str]:
    """Yield the dotted names that a module imports anywhere in its source."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def violations(module: str, source: str) -> list[str]:
    """Return the imports of a module that the tables do not allow."""
    room = room_of(module)
    found = []
    for name in imports(source):
        library = name.partition(".")[0]
        if library in ("handlers", "storage"):
            # The package itself: its version, and where its modules are.
            is_allowed = name in ("handlers", "handlers.__version__") or is_within(name, {room} | ARROWS[room])
        else:
            is_allowed = library not in LIBRARIES or is_within(module, LIBRARIES[library])
        if not is_allowed:
            found.append(name)
    return found


def modules() -> Iterator[tuple[str, Path]]:
    """Yield the dotted name and the file of every module that has something in it."""
    for file in sorted(path for folder in ("handlers", "storage") for path in (ROOT / folder).rglob("*.py")):
        name = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        if name not in ("handlers", "storage"):
            yield name, file


@pytest.mark.parametrize(("module", "file"), [pytest.param(*one, id=one[0]) for one in modules()])
def test_a_module_imports_only_what_its_room_may(module: str, file: Path) -> None:
    assert violations(module, file.read_text()) == []


@pytest.mark.parametrize("room", ARROWS)
def test_an_import_in_the_wrong_direction_is_found(room: str) -> None:
    targets = [other for other in ARROWS if not is_within(other, {room} | ARROWS[room])]
    assert targets or room == "handlers.service"
    for target in targets:
        assert violations(f"{room}.x", f"def f() -> None:\n    from {target} import name\n") == [f"{target}.name"]


@pytest.mark.parametrize("library", LIBRARIES)
def test_a_library_in_the_wrong_place_is_found(library: str) -> None:
    wrong = next(room for room in ("storage.schema", "handlers.tasks") if not is_within(room, LIBRARIES[library]))
    assert violations(wrong, f"import {library}.part") == [f"{library}.part"]


def test_every_module_has_a_room_and_every_room_is_a_module() -> None:
    names = [name for name, _ in modules()]
    assert {room_of(name) for name in names} == set(ARROWS)


def test_no_test_imports_a_test() -> None:
    files = list((ROOT / "tests").rglob("test_*.py"))
    assert len(files) > 50
    for file in files:
        tested = [name for name in imports(file.read_text()) if name.startswith("tests.")]
        assert not [name for name in tested if ".test_" in name], file.name


def test_every_resource_that_storage_names_has_a_serialiser() -> None:
    sources = [file.read_text() for file in (ROOT / "storage").glob("*.py")]
    named = {name for source in sources for name in re.findall(r'PreconditionFailed\("(\w+)"', source)}
    assert named
    assert named <= SERIALISERS.keys()
