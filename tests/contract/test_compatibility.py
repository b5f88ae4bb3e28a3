"""A contract's version says what has changed since the last release: oasdiff finds it, and semver weighs it."""

from pathlib import Path

import pytest

from tests.checks.compatibility import CONTRACT, OASDIFF, RELEASED, VersionError, check, last_released

pytestmark = pytest.mark.skipif(OASDIFF is None, reason="there is no oasdiff on this machine")

LAST = last_released(RELEASED)
COMPLETED = "        completed: {type: boolean, default: false}\n"
COLOUR = COMPLETED + "        colour: {type: string, maxLength: 20}\n"
TITLE = "      required: [title]\n"
UNAUTHORIZED = "        '401': {$ref: '#/components/responses/Unauthorized'}\n"

Edits = dict[str, str]
BREAKING: dict[str, Edits] = {
    "an operation that is gone": {"  /health/live:\n    get:": "  /health/live:\n    trace:"},
    "an operation of another name": {"operationId: list_tags": "operationId: list_all_tags"},
    "a schema of another name": {"TagList": "Tags"},
    "an answer's field that is gone": {"[name, usage_count]": "[name]", "        usage_count:\n": "        count:\n"},
    "an answer's header that is gone": {"            ETag: {$ref: '#/components/headers/ETag'}\n": ""},
    "an answer's new value": {"enum: [up, down]": "enum: [up, down, slow]"},
    "a new field that is required": {TITLE: "      required: [title, colour]\n", COMPLETED: COLOUR},
    "an old field that is required now": {TITLE: "      required: [title, priority]\n"},
    "fewer values that are taken": {
        "enum: [High, Medium, Low]": "enum: [High, Low]",
        "default: Medium": "default: Low",
    },
    "a shorter text that is taken": {"maxLength: 10000": "maxLength: 5000"},
    "a shorter id in a path": {"maxLength: 255": "maxLength: 5"},
    "another kind of token": {
        "type: http": "type: apiKey",
        "scheme: bearer": "in: header",
        "bearerFormat: JWT": "name: X-Token",
    },
    "another default": {"default: Medium": "default: Low"},
}
ADDITIONS: dict[str, Edits] = {
    "a new field that may be left out": {COMPLETED: COLOUR},
    "a new operation": {"  /health/live:\n": "  /health/up: {$ref: '#/paths/~1health~1ready'}\n  /health/live:\n"},
    "a new status of a refusal": {UNAUTHORIZED: UNAUTHORIZED + UNAUTHORIZED.replace("401", "451")},
}
WORDS: dict[str, Edits] = {
    "another summary": {"summary: List tags": "summary: List all tags"},
}
NOTHING: dict[str, Edits] = {
    "no change": {},
    "another comment": {"openapi: 3.0.3": "# The contract\nopenapi: 3.0.3"},
}


def released(folder: Path, version: str) -> Path:
    """Write the last released contract as if this were its version, and return the folder that it is in."""
    folder = folder / "released"
    folder.mkdir()
    (folder / f"{version}.yaml").write_text(LAST.read_text().replace(f"&version {LAST.stem}", f"&version {version}"))
    return folder


def edited(folder: Path, version: str, edits: Edits) -> Path:
    """Write the last released contract with some changes and as this version, and return its file."""
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
def test_a_change_is_refused_under_the_version_that_is_released(
    tmp_path: Path, edits: Edits, verb: str, least: str
) -> None:
    with pytest.raises(VersionError) as refused:
        check(edited(tmp_path, "1.2.3", edits), released(tmp_path, "1.2.3"))
    first, *differences, last = str(refused.value).splitlines()
    assert first == f"openapi.yaml is version 1.2.3 and {verb} the released 1.2.3."
    assert bool(differences) == (verb != "rewords")
    assert last == f"Set info.version to {least} or a later one, or take the change back."


@pytest.mark.parametrize("edits", NOTHING.values(), ids=NOTHING)
def test_what_is_not_changed_keeps_its_version(tmp_path: Path, edits: Edits) -> None:
    told = check(edited(tmp_path, "1.2.3", edits), released(tmp_path, "1.2.3"))
    assert told == "openapi.yaml is version 1.2.3 and is the same as the released 1.2.3."


@pytest.mark.parametrize(
    ("before", "edits", "too_low", "enough"),
    [
        ("1.2.3", BREAKING["another default"], "1.10.0", "2.0.0"),
        ("0.9.3", BREAKING["another default"], "0.9.10", "0.10.0"),
        ("1.2.3", {}, "1.2.2", "1.10.0"),
    ],
    ids=["what breaks", "what breaks before 1.0.0", "no change"],
)
def test_the_version_rises_as_far_as_the_change_goes(
    tmp_path: Path, before: str, edits: Edits, too_low: str, enough: str
) -> None:
    folder = released(tmp_path, before)
    with pytest.raises(VersionError, match=f"Set info.version to {before if not edits else enough} or a later one"):
        check(edited(tmp_path, too_low, edits), folder)
    assert check(edited(tmp_path, enough, edits), folder).startswith(f"openapi.yaml is version {enough} and ")


def test_the_newest_release_is_the_one_of_the_highest_number(tmp_path: Path) -> None:
    folder = released(tmp_path, "0.9.0")
    (folder / "0.10.0.yaml").write_text(LAST.read_text().replace(f"&version {LAST.stem}", "&version 0.10.0"))
    assert last_released(folder).name == "0.10.0.yaml"


def test_a_released_contract_that_says_another_version_was_edited(tmp_path: Path) -> None:
    folder = released(tmp_path, "1.2.3")
    (folder / "1.2.3.yaml").rename(folder / "1.2.2.yaml")
    with pytest.raises(VersionError, match=r"1.2.2.yaml says that it is version 1.2.3\.\nReleased contracts are never"):
        check(CONTRACT, folder)
