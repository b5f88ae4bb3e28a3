"""The contract's version must match its changes since the last release: oasdiff finds them, semver ranks them."""

from pathlib import Path

import pytest

from tests.checks.compatibility import CONTRACT, OASDIFF, RELEASED, VersionError, check, last_released

pytestmark = pytest.mark.skipif(OASDIFF is None, reason="oasdiff is not installed")

LAST = last_released(RELEASED)
COMPLETED = "        completed: {type: boolean, default: false}\n"
COLOUR = COMPLETED + "        colour: {type: string, maxLength: 20}\n"
TITLE = "      required: [title]\n"
UNAUTHORIZED = "        '401': {$ref: '#/components/responses/Unauthorized'}\n"

Edits = dict[str, str]
BREAKING: dict[str, Edits] = {
    "operation removed": {"  /health/live:\n    get:": "  /health/live:\n    trace:"},
    "operationId changed": {"operationId: list_tags": "operationId: list_all_tags"},
    "schema renamed": {"TagList": "Tags"},
    "response field removed": {"[name, usage_count]": "[name]", "        usage_count:\n": "        count:\n"},
    "response header removed": {"            ETag: {$ref: '#/components/headers/ETag'}\n": ""},
    "response value added": {"enum: [up, down]": "enum: [up, down, slow]"},
    "required request field added": {TITLE: "      required: [title, colour]\n", COMPLETED: COLOUR},
    "request field made required": {TITLE: "      required: [title, priority]\n"},
    "request value removed": {
        "enum: [High, Medium, Low]": "enum: [High, Low]",
        "default: Medium": "default: Low",
    },
    "maximum length of a request field lowered": {"maxLength: 10000": "maxLength: 5000"},
    "maximum length of a path parameter lowered": {"maxLength: 255": "maxLength: 5"},
    "security scheme changed": {
        "type: http": "type: apiKey",
        "scheme: bearer": "in: header",
        "bearerFormat: JWT": "name: X-Token",
    },
    "default changed": {"default: Medium": "default: Low"},
}
ADDITIONS: dict[str, Edits] = {
    "optional request field added": {COMPLETED: COLOUR},
    "operation added": {"  /health/live:\n": "  /health/up: {$ref: '#/paths/~1health~1ready'}\n  /health/live:\n"},
    "error status added": {UNAUTHORIZED: UNAUTHORIZED + UNAUTHORIZED.replace("401", "451")},
}
WORDS: dict[str, Edits] = {
    "summary changed": {"summary: List tags": "summary: List all tags"},
}
NOTHING: dict[str, Edits] = {
    "no change": {},
    "comment added": {"openapi: 3.0.3": "# The contract\nopenapi: 3.0.3"},
}


def released(folder: Path, version: str) -> Path:
    """Write the last released contract under another version, and return the folder that holds it."""
    folder = folder / "released"
    folder.mkdir()
    (folder / f"{version}.yaml").write_text(LAST.read_text().replace(f"&version {LAST.stem}", f"&version {version}"))
    return folder


def edited(folder: Path, version: str, edits: Edits) -> Path:
    """Write the last released contract with some edits and another version, and return its file."""
    text = LAST.read_text()
    for before, after in {**edits, f"&version {LAST.stem}": f"&version {version}"}.items():
        assert before in text
        text = text.replace(before, after)
    file = folder / "openapi.yaml"
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("edits", "verb", "least"),
    [
        *((edits, "breaks clients of", "2.0.0") for edits in BREAKING.values()),
        *((edits, "adds to", "1.3.0") for edits in ADDITIONS.values()),
        *((edits, "rewords", "1.2.4") for edits in WORDS.values()),
    ],
    ids=[*BREAKING, *ADDITIONS, *WORDS],
)
def test_a_change_is_rejected_under_a_version_that_is_already_released(
    tmp_path: Path, edits: Edits, verb: str, least: str
) -> None:
    with pytest.raises(VersionError) as refused:
        check(edited(tmp_path, "1.2.3", edits), released(tmp_path, "1.2.3"))
    first, *differences, last = str(refused.value).splitlines()
    assert first == f"openapi.yaml is version 1.2.3 and {verb} the released 1.2.3."
    assert bool(differences) == (verb != "rewords")
    assert last == f"Set info.version to {least} or a later one, or take the change back."


@pytest.mark.parametrize("edits", NOTHING.values(), ids=NOTHING)
def test_an_unchanged_contract_keeps_its_version(tmp_path: Path, edits: Edits) -> None:
    output = check(edited(tmp_path, "1.2.3", edits), released(tmp_path, "1.2.3"))
    assert output == "openapi.yaml is version 1.2.3 and is the same as the released 1.2.3."


@pytest.mark.parametrize(
    ("before", "edits", "too_low", "enough"),
    [
        ("1.2.3", BREAKING["default changed"], "1.10.0", "2.0.0"),
        ("0.9.3", BREAKING["default changed"], "0.9.10", "0.10.0"),
        ("1.2.3", {}, "1.2.2", "1.10.0"),
    ],
    ids=["breaking change", "breaking change before 1.0.0", "no change"],
)
def test_the_version_must_rise_as_far_as_the_change_requires(
    tmp_path: Path, before: str, edits: Edits, too_low: str, enough: str
) -> None:
    folder = released(tmp_path, before)
    with pytest.raises(VersionError, match=f"Set info.version to {before if not edits else enough} or a later one"):
        check(edited(tmp_path, too_low, edits), folder)
    assert check(edited(tmp_path, enough, edits), folder).startswith(f"openapi.yaml is version {enough} and ")


def test_the_last_release_is_the_one_with_the_highest_version(tmp_path: Path) -> None:
    folder = released(tmp_path, "0.9.0")
    (folder / "0.10.0.yaml").write_text(LAST.read_text().replace(f"&version {LAST.stem}", "&version 0.10.0"))
    assert last_released(folder).name == "0.10.0.yaml"


def test_a_released_contract_whose_version_differs_from_its_file_name_is_rejected(tmp_path: Path) -> None:
    folder = released(tmp_path, "1.2.3")
    (folder / "1.2.3.yaml").rename(folder / "1.2.2.yaml")
    with pytest.raises(VersionError, match=r"1.2.2.yaml says that it is version 1.2.3\.\nReleased contracts are never"):
        check(CONTRACT, folder)
