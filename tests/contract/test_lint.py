"""The contract's linters find the errors that they are meant to find, and every waiver is still needed."""

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import yaml

from tests.support.server import ROOT

NODE_MODULES = ROOT / "tests" / "node_modules"
RULES: Any = yaml.safe_load((ROOT / "tests" / "checks" / "spectral.yaml").read_bytes())

pytestmark = pytest.mark.skipif(
    not (NODE_MODULES / ".bin" / "spectral").exists(), reason="the linters are not installed: run `make test`"
)

Findings = set[tuple[str, str]]
"""The findings of a linter: each a rule, and the JSON pointer of the place that breaks it."""


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a folder with the contract and the linters."""
    (tmp_path / "tests" / "checks").mkdir(parents=True)
    (tmp_path / "tests" / "node_modules").symlink_to(NODE_MODULES)
    shutil.copy(ROOT / "tests" / "checks" / "spectral.yaml", tmp_path / "tests" / "checks")
    shutil.copy(ROOT / "openapi.yaml", tmp_path)
    return tmp_path


def plant(copy: Path, faults: dict[str, str]) -> None:
    """Replace the first occurrence of each text in the contract; fail if one is missing."""
    text = (copy / "openapi.yaml").read_text()
    for old, new in faults.items():
        assert old in text
        text = text.replace(old, new, 1)
    (copy / "openapi.yaml").write_text(text)


def run(copy: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a linter on the copy of the contract."""
    command: list[str | Path] = [NODE_MODULES / ".bin" / words[0], *words[1:], "openapi.yaml"]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300, check=False)


def spectral(copy: Path) -> tuple[int, Findings]:
    """Return Spectral's exit status and findings."""
    words = ["--ruleset", "tests/checks/spectral.yaml", "--fail-severity", "warn", "--format", "json", "--quiet"]
    done = run(copy, "spectral", "lint", *words)
    return done.returncode, {(one["code"], pointer(one["path"])) for one in json.loads(done.stdout)}


def pointer(path: list[Any]) -> str:
    """Return a path in a document as a JSON pointer (RFC 6901)."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in path)


def test_spectral_reports_what_the_contract_omits_or_leaves_unbounded(copy: Path) -> None:
    plant(
        copy,
        {
            "        '401': {$ref: '#/components/responses/Unauthorized'}\n": "",
            "      operationId: list_tasks\n": "",
            "      summary: List tags\n": "      security: []\n      summary: List tags\n",
            "      maxLength: 10000\n": "",
            "      maxItems: 20\n      uniqueItems": "      uniqueItems",
            "{type: integer, format: int32, minimum: 1, maximum: 100, default": "{type: integer, minimum: 1, default",
            "      name: user_id\n": "      name: user_password\n",
            "                valid: true\n": "                valid: 1\n",
        },
    )
    status, found = spectral(copy)
    tasks = "/paths/~1api~1{user_id}~1tasks/get"
    assert status == 1
    assert found >= {
        ("owasp:api8:2023-define-error-responses-401", "/paths/~1api~1auth~1verify/post/responses"),
        ("operation-operationId", tasks),
        ("owasp:api2:2023-read-restricted", "/paths/~1api~1{user_id}~1tags/get/security"),
        ("owasp:api4:2023-string-limit", "/components/schemas/TaskDescription"),
        ("owasp:api4:2023-array-limit", "/components/schemas/TaskTags"),
        ("owasp:api4:2023-integer-limit-legacy", f"{tasks}/parameters/14/schema"),
        ("owasp:api4:2023-integer-format", f"{tasks}/parameters/14/schema"),
        ("owasp:api2:2023-no-credentials-in-url", "/components/parameters/UserId/name"),
        (
            "oas3-valid-media-example",
            "/paths/~1api~1auth~1verify/post/responses/200/content/application~1json/example/valid",
        ),
    }


def test_redocly_reports_a_missing_operation_id_summary_or_error_response(copy: Path) -> None:
    plant(
        copy,
        {
            "      operationId: list_tasks\n": "",
            "      summary: List tags\n": "",
            "        '400': {$ref: '#/components/responses/BadRequest'}\n        '401'": "        '500'",
        },
    )
    done = run(copy, "redocly", "lint", "--extends=recommended-strict", "--format=json")
    found = {problem["ruleId"] for problem in json.loads(done.stdout)["problems"]}
    assert done.returncode == 1
    assert found >= {"operation-operationId", "operation-summary", "operation-4xx-response"}


def test_each_waiver_covers_existing_findings_and_nothing_else(copy: Path) -> None:
    whole = {rule for rule, waived in RULES["rules"].items() if waived == "off"}
    places = {
        (rule, unquote(file.partition("#")[2]))
        for override in RULES["overrides"]
        for rule in override["rules"]
        for file in override["files"]
    }
    kept = {rule: own for rule, own in RULES["rules"].items() if rule not in whole}
    (copy / "tests" / "checks" / "spectral.yaml").write_text(
        yaml.safe_dump({"extends": RULES["extends"], "rules": kept})
    )
    _, found = spectral(copy)
    assert {rule for rule, _ in found} == whole | {rule for rule, _ in places}
    assert {(rule, place) for rule, place in found if rule not in whole} == places
