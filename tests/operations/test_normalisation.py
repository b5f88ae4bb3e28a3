"""Text is compared as people see it: titles, descriptions, tags and search terms are normalised to NFC."""

from urllib.parse import quote
from uuid import uuid4

import pytest

from tests.support.client import User

DECOMPOSED, COMPOSED = "Cafe\u0301", "Caf\u00e9"
FORMS = [DECOMPOSED, COMPOSED]
EACH_FORM = pytest.mark.parametrize("form", FORMS, ids=["decomposed", "composed"])
# NFC has no composed form of this letter: it becomes three code points.
LONGER = "\U0001d160"


def test_text_in_either_form_is_found_by_either_and_is_one_tag(ada: User) -> None:
    for form in FORMS:
        ada.create(f"{form} au lait", description=f"Im {form}", tags=[form])
    for form in FORMS:
        assert ada.titles(search=form) == ada.titles(search=f"im {form}") == [f"{COMPOSED} au lait"] * 2
        assert ada.titles(tags=form) == [f"{COMPOSED} au lait"] * 2
        assert len(ada.titles(tags=[form, form], tag_match="all")) == 2
    assert ada.get("/tags").json() == [{"name": COMPOSED, "usage_count": 2}]


@EACH_FORM
def test_the_response_has_the_normalised_text(ada: User, form: str) -> None:
    task = ada.create(form, description=form, tags=["a", form])
    assert (task["title"], task["description"], task["tags"]) == (COMPOSED, COMPOSED, ["a", COMPOSED])
    assert ada.get(f"/tasks/{task['id']}").json() == task


def test_text_written_in_json_escapes_is_normalised_too(ada: User) -> None:
    body = rb'{"title": "Cafe\u0301", "tags": ["e\u0323\u0302"]}'
    created = ada.request("POST", "/tasks", content=body, headers={"Content-Type": "application/json"}).json()
    assert (created["title"], created["tags"]) == (COMPOSED, ["\u1ec7"])


def test_a_patch_that_differs_only_by_normalisation_changes_nothing(ada: User) -> None:
    task = ada.create(COMPOSED, description=COMPOSED, tags=[COMPOSED])
    patched = ada.patch(task["id"], {"title": DECOMPOSED, "description": DECOMPOSED, "tags": [DECOMPOSED]})
    assert (patched.status_code, patched.json()) == (200, task)


def test_a_tag_in_both_forms_is_rejected_as_the_same_item_twice(ada: User) -> None:
    rejected = ada.request("POST", "/tasks", json={"title": "t", "tags": FORMS})
    assert rejected.status_code == 400
    assert rejected.json()["errors"] == [
        {"in": "body", "pointer": "/tags", "detail": "must not contain the same item twice"}
    ]


def test_lengths_count_after_normalisation(ada: User) -> None:
    task = ada.create("e\u0301" * 200, description="e\u0301" * 10_000, tags=["e\u0301" * 50])
    assert (len(task["title"]), len(task["description"]), len(task["tags"][0])) == (200, 10_000, 50)
    assert ada.titles(search="e\u0301" * 200) == [task["title"]]
    # 201 code points each, 3 for each letter; the tag has 51.
    longer = {"title": LONGER * 67, "description": LONGER * 3334, "tags": [LONGER * 17]}
    errors = ada.request("POST", "/tasks", json=longer).json()["errors"]
    assert {error["pointer"]: error["detail"] for error in errors} == {
        "/title": "must have at most 200 characters",
        "/description": "must have at most 10,000 characters",
        "/tags/0": "must have at most 50 characters",
    }
    errors = ada.get("/tasks", params={"search": LONGER * 67}).json()["errors"]
    assert errors == [{"in": "query", "name": "search", "detail": "must have at most 200 characters"}]


def test_white_space_is_recognised_after_normalisation(ada: User) -> None:
    # NFC replaces U+2000 by U+2002, and U+2126 by the letter that looks the same.
    assert ada.request("POST", "/tasks", json={"title": "\u2000"}).status_code == 400
    assert ada.request("POST", "/tasks", json={"title": "t", "tags": ["\u2000a"]}).status_code == 400
    assert ada.create("\u2126")["title"] == "\u03a9"


def test_a_cursor_belongs_to_both_forms_of_its_search(ada: User) -> None:
    for number in range(2):
        ada.create(f"{COMPOSED} {number}", tags=[COMPOSED])
    first = ada.get("/tasks", params={"search": DECOMPOSED, "tags": DECOMPOSED, "limit": 1}).json()
    query = {"search": COMPOSED, "tags": COMPOSED, "limit": 1, "cursor": first["next_cursor"]}
    second = ada.get("/tasks", params=query).json()
    assert [task["title"] for task in first["tasks"] + second["tasks"]] == [f"{COMPOSED} 1", f"{COMPOSED} 0"]


def test_user_ids_are_opaque_and_never_normalised(server: str) -> None:
    suffix = uuid4().hex
    with User(server, DECOMPOSED + suffix) as decomposed, User(server, COMPOSED + suffix) as composed:
        assert decomposed.create()["user_id"] == DECOMPOSED + suffix
        assert composed.titles() == []
        assert composed.http.get(f"/api/{quote(decomposed.id)}/tasks").status_code == 403
