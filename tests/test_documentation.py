"""README.md and CHANGELOG.md leave nothing out: every path, parameter, variable, metric and command is in them."""

import re
from typing import Any

import pytest
import yaml

from handlers.cli import main
from handlers.problems import _SLUGS
from tests.server import ROOT

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
    assert not {slug for slug in _SLUGS.values() if f"`{slug}`" not in README}


def test_it_names_every_variable_and_no_other() -> None:
    variables = names_in(r'(?:read|self)\.\w+\("([A-Z_]+)"', "handlers/config.py")
    assert len(variables) > 15
    table = README.partition("## Configuration\n")[2].partition("\n## ")[0]
    documented = {
        name
        for row in table.splitlines()
        if row.startswith("| `")
        for name in re.findall(r"`([A-Z_]+)`", row.split("|")[1])
    }
    assert documented == {*variables, "BETTER_AUTH_SECRET"}


def test_it_names_every_metric() -> None:
    metrics = names_in(r'"((?:todo_api|process)_\w+)"', "handlers/metrics.py")
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
