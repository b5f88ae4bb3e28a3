"""README.md, CONTRIBUTING.md and CHANGELOG.md are complete; the settings, commands and files that they name exist."""

import ast
import os
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from handlers.service.cli import main
from handlers.settings.settings import Settings
from tests.support.conformance import OPERATIONS
from tests.support.server import ROOT, SECRET

README = (ROOT / "README.md").read_text()
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
CONTRACT: Any = yaml.safe_load((ROOT / "openapi.yaml").read_bytes())
DOCUMENTS = {"/docs", "/redoc", "/coming-from-another-backend", "/sync", "/openapi.yaml", "/openapi.json"}
# Where a frontend and Better Auth serve tokens and keys.
FRONTENDS = {"/api/token", "/api/auth/token", "/api/auth/jwks"}
# Messages of Python, pip and PostgreSQL.
NOT_OURS = {
    "ensurepip is not available",
    "THESE PACKAGES DO NOT MATCH THE HASHES",
    "No matching distribution found",
    "prepared statement ...",
    "does not exist",
    "already exists",
}


def names_in(pattern: str, *files: str) -> list[str]:
    """Return the matches of a pattern in some source files."""
    return sorted({name for file in files for name in re.findall(pattern, (ROOT / file).read_text())})


def section(title: str) -> str:
    """Return the text of a section of README.md."""
    return README.partition(f"## {title}\n")[2].partition("\n## ")[0]


def test_it_begins_with_a_spaces_configuration() -> None:
    _, front_matter, _ = README.split("---\n", 2)
    space = yaml.safe_load(front_matter)
    assert (space["sdk"], space["app_port"], space["license"]) == ("docker", 7860, "mit")
    assert space.keys() >= {"title", "emoji", "colorFrom", "colorTo"}
    assert len(space["short_description"]) <= 60


def test_it_leaves_the_reference_to_the_contract_and_says_where_that_is() -> None:
    assert "](openapi.yaml)" in README
    assert {path for path in DOCUMENTS if f"`{path}`" in README} == DOCUMENTS
    assert len(README.splitlines()) < 600


def test_every_path_that_it_names_exists() -> None:
    named = set(re.findall(r"(?<![A-Za-z./])/(?:api|health)(?:/[\w{}]+)*", README)) - FRONTENDS
    # The users of the examples.
    named = {re.sub(r"^/api/(ada|demo|linus)\b", "/api/{user_id}", path) for path in named}
    assert len(named) > 5
    assert not named - CONTRACT["paths"].keys() - {"/api/{user_id}"}


def test_every_query_parameter_that_it_names_exists() -> None:
    named = set(re.findall(r"[?&](\w+)=", "\n".join(line for line in README.splitlines() if "$TASKS?" in line)))
    assert len(named) > 4
    (operation,) = (one for one in OPERATIONS.values() if one["operationId"] == "list_tasks")
    assert not named - {parameter["name"] for parameter in operation["parameters"]}


def test_every_kind_of_problem_that_it_names_exists() -> None:
    named = set(re.findall(r"urn:problem-type:[\w:-]+", README))
    assert named
    assert not named - set(CONTRACT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"])


def test_it_names_every_variable_and_no_other() -> None:
    variables = names_in(r'(?:read|self)\.\w+\("([A-Z_]+)"', "handlers/settings/settings.py")
    assert len(variables) > 15
    documented = {name for names, _ in rows_of("Configuration") for name in names}
    assert documented == {*variables, "BETTER_AUTH_SECRET"}


def rows_of(title: str) -> list[tuple[list[str], list[str]]]:
    """Return the code in the first two columns of a section's tables, without remarks in brackets."""
    cells = [re.sub(r"\([^)]*\)", "", row).split("|")[1:3] for row in section(title).splitlines() if row[:3] == "| `"]
    return [(re.findall(r"`([^`]+)`", first), re.findall(r"`([^`]+)`", second)) for first, second in cells]


def test_the_defaults_that_it_names_are_those_of_the_variables() -> None:
    required = {"DATABASE_URL": "postgresql://localhost/todo", "BETTER_AUTH_SECRET": SECRET}
    pairs = {
        name: value for names, values in rows_of("Configuration") for name, value in zip(names, values, strict=False)
    }
    assert len(pairs) > 12
    defaults = replace(Settings.load(required, Path(os.devnull)), variables={}, data_directory=Path())
    for name, value in pairs.items():
        settings = replace(
            Settings.load({**required, name: value}, Path(os.devnull)), variables={}, data_directory=Path()
        )
        assert settings == defaults, name


def test_the_licence_is_mit() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")


def test_it_names_every_metric() -> None:
    metrics = names_in(r'"((?:todo_api|process)_\w+)"', "handlers/telemetry/metrics.py")
    assert len(metrics) == 12
    assert not {name for name in metrics if f"`{name}" not in README}


def test_it_names_every_command_and_every_option() -> None:
    assert not {name for name in main.commands if f"todo-api {name}" not in README}
    options = {option for command in main.commands.values() for one in command.params for option in one.opts}
    assert not {option for option in options if option.startswith("--") and f" {option}" not in README}


def test_the_messages_under_troubleshooting_are_those_of_the_service() -> None:
    literals = [(ROOT / "Makefile").read_text(), *literals_of("handlers"), *literals_of("storage")]
    rows = [row.split("|")[1] for row in section("Troubleshooting").splitlines() if row.startswith("| ")]
    quoted = {text for cell in rows for text in re.findall(r"`([^`]+)`", cell) if " " in text}
    assert len(quoted - NOT_OURS) > 8
    for message in quoted - NOT_OURS:
        # The service fills in numbers, addresses, names of variables, and what three dots stand for.
        parts = [part.strip() for part in re.split(r"\d[\d.]*|\.\.\.|[A-Z]+_[A-Z_]+", message)]
        assert any(all(part in literal for part in parts) for literal in literals), message


def literals_of(package: str) -> Iterator[str]:
    """Yield every string in a package's source; for an f-string, its constant parts."""
    for file in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(part.value) for part in node.values if isinstance(part, ast.Constant))
            elif isinstance(node, ast.Constant):
                yield str(node.value)


def test_the_map_for_contributors_names_every_folder_of_the_code_and_no_other() -> None:
    house = re.findall(r"^( *)([\w./]+) {2,}", CONTRIBUTING.split("```")[1], flags=re.MULTILINE)
    named, parent = set(), ""
    for indent, name in house:
        parent = parent if indent else name
        named.add(parent + name if indent else name)
    rooms = {f"{top}/{file.name}/" for top in ("handlers", "storage") for file in (ROOT / top).iterdir()}
    assert {name for name in named if name.count("/") == 2} == {
        room for room in rooms if (ROOT / room / "__init__.py").exists()
    }
    assert not {name for name in named if not (ROOT / name).exists()}


def test_every_file_that_it_names_exists() -> None:
    named = set(re.findall(r"`((?:handlers|storage|alembic|tests)/[\w./]*)`", README + CONTRIBUTING))
    assert len(named) > 10
    # The recipe for a tag writes these files.
    assert not {name for name in named if not (ROOT / name).exists() and "lists" not in name}


def test_every_link_within_the_project_leads_somewhere() -> None:
    for name in ("README.md", "CONTRIBUTING.md"):
        for target in re.findall(r"\]\((?!https?://)([^)]+)\)", (ROOT / name).read_text()):
            file, _, anchor = target.partition("#")
            assert (ROOT / (file or name)).exists(), target
            assert not anchor or anchor in anchors_of(file or name), target


def anchors_of(name: str) -> set[str]:
    """Return the anchors of a document's headings."""
    headings = re.findall(r"^#+ (.*)$", (ROOT / name).read_text(), flags=re.MULTILINE)
    return {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_contents_name_every_section() -> None:
    (contents,) = re.findall(r"^Contents: (.*)$", README, flags=re.MULTILINE)
    sections = re.findall(r"^## (.*)$", README, flags=re.MULTILINE)
    linked = set(re.findall(r"\(#([^)]+)\)", contents))
    assert {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in sections[2:]} == linked


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## \[(\S+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == CONTRACT["info"]["version"]


def test_every_earlier_version_of_the_changelog_has_kept_its_contract() -> None:
    versions = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    kept = {file.stem for file in (ROOT / "tests" / "contracts").iterdir()}
    assert kept - {versions[0]} == set(versions[1:])
