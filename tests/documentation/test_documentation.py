"""README.md and CHANGELOG.md leave nothing out: every path, parameter, variable, metric and command is in them."""

import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from handlers.service.cli import main
from handlers.settings.settings import Settings
from tests.support.server import ROOT, SECRET

README = (ROOT / "README.md").read_text()
CONTRACT: Any = yaml.safe_load((ROOT / "openapi.yaml").read_bytes())


def names_in(pattern: str, *files: str) -> list[str]:
    """Return what a pattern finds in some source files."""
    return sorted({name for file in files for name in re.findall(pattern, (ROOT / file).read_text())})


def test_it_begins_with_a_spaces_configuration() -> None:
    _, front_matter, _ = README.split("---\n", 2)
    space = yaml.safe_load(front_matter)
    assert (space["sdk"], space["app_port"], space["license"]) == ("docker", 7860, "mit")
    assert space.keys() >= {"title", "emoji", "colorFrom", "colorTo"}
    assert len(space["short_description"]) <= 60


@pytest.mark.parametrize("path", CONTRACT["paths"])
def test_it_names_every_operation(path: str) -> None:
    for method in CONTRACT["paths"][path].keys() - {"parameters"}:
        assert re.search(rf"`(\w+`, `)*{method.upper()}[` ].*{re.escape(path)}`|`{re.escape(path)}`", README), method


def test_it_names_every_parameter() -> None:
    operations = [
        operation for item in CONTRACT["paths"].values() for name, operation in item.items() if name != "parameters"
    ]
    declared = [one.get("name") for operation in operations for one in operation.get("parameters", ())]
    components = [parameter["name"] for parameter in CONTRACT["components"]["parameters"].values()]
    missing = {
        name for name in [*declared, *components] if name and f"`{name}`" not in README and f"{{{name}}}" not in README
    }
    assert not missing


def test_it_names_every_kind_of_problem() -> None:
    types = CONTRACT["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert not {kind for kind in types if f"`{kind.rpartition(':')[2]}`" not in README}


def test_it_names_every_variable_and_no_other() -> None:
    variables = names_in(r'(?:read|self)\.\w+\("([A-Z_]+)"', "handlers/settings/settings.py")
    assert len(variables) > 15
    documented = {name for names, _ in rows_of("Configuration") for name in names}
    assert documented == {*variables, "BETTER_AUTH_SECRET"}


def rows_of(section: str) -> list[tuple[list[str], list[str]]]:
    """Return what stands in code in the first two columns of a section's tables, remarks in brackets left out."""
    text = README.partition(f"## {section}\n")[2].partition("\n## ")[0]
    cells = [re.sub(r"\([^)]*\)", "", row).split("|")[1:3] for row in text.splitlines() if row.startswith("| `")]
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


def test_the_defaults_that_it_names_are_those_of_the_parameters() -> None:
    parameters = {one.get("name"): one for one in CONTRACT["paths"]["/api/{user_id}/tasks"]["get"]["parameters"]}
    named = {
        names[0]: values[0] if values else None for names, values in rows_of("Endpoints") if names[0] in parameters
    }
    assert len(named) > 8
    for name, value in named.items():
        default = parameters[name]["schema"].get("default")
        assert value == (None if default is None else str(default)), name


def test_the_licence_is_mit() -> None:
    assert (ROOT / "LICENSE").read_text().startswith("MIT License\n")


def test_it_names_every_metric() -> None:
    metrics = names_in(r'"((?:todo_api|process)_\w+)"', "handlers/telemetry/metrics.py")
    assert len(metrics) == 6
    assert not {name for name in metrics if f"`{name}" not in README}


def test_it_names_every_command() -> None:
    assert not {name for name in main.commands if f"todo-api {name}" not in README}


def test_every_link_within_the_project_leads_somewhere() -> None:
    headings = re.findall(r"^#+ (.*)$", README, flags=re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    for target in re.findall(r"\]\((?!https?://)([^)]+)\)", README):
        assert target[1:] in anchors if target.startswith("#") else (ROOT / target).exists(), target


def test_the_changelog_begins_with_this_version() -> None:
    newest = re.search(r"^## \[(\S+)\] - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    assert newest is not None
    assert newest[1] == CONTRACT["info"]["version"]


def test_every_earlier_version_of_the_changelog_has_kept_its_contract() -> None:
    versions = re.findall(r"^## \[(\S+)\]", (ROOT / "CHANGELOG.md").read_text(), flags=re.MULTILINE)
    kept = {file.stem for file in (ROOT / "tests" / "contracts").iterdir()}
    assert kept - {versions[0]} == set(versions[1:])
