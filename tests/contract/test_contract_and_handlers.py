"""Contract and handlers must agree: if they do not, startup fails with a sentence that names the disagreement."""

import subprocess
from pathlib import Path

import pytest

from handlers.contract.errors import ContractError
from handlers.contract.schemas import draft4
from handlers.contract.validator import Validator
from tests.support import forked
from tests.support.copies import change, copy_project
from tests.support.server import environment

CREATE_APP = (
    "import os, sys\n"
    "from handlers.service.worker import create_app_from_environment\n"
    "from handlers.contract.errors import ContractError\n"
    "try: create_app_from_environment()\n"
    "except ContractError as error: sys.exit(str(error))\n"
)
SERVE = "from handlers.service.cli import main; main(['serve'])"


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """Return a copy of the project that may be changed."""
    copy_project(tmp_path)
    return tmp_path


def start(copy: Path, program: str = CREATE_APP) -> subprocess.CompletedProcess[str]:
    """Run a program on the copy, with an unreachable database: the comparison needs none."""
    env = environment(DATABASE_URL="postgresql://127.0.0.1:1/todo", PYTHONPATH=str(copy))
    return forked.run(["-c", program], copy, env)


def test_the_unchanged_project_has_no_disagreement(copy: Path) -> None:
    started = start(copy)
    assert (started.returncode, started.stderr) == (0, "")


@pytest.mark.parametrize(
    ("file", "old", "new", "sentence"),
    [
        (
            "handlers/tags.py",
            "async def list_tags(",
            "async def merge_tags() -> None: ...\n\n\nasync def list_tags(",
            "handlers.tags.merge_tags is not an operation of the contract",
        ),
        (
            "handlers/tags.py",
            "async def list_tags(",
            "async def list_all_tags(",
            "the contract declares the operation list_tags, but handlers.tags.list_tags does not exist",
        ),
        (
            "openapi.yaml",
            "tags: [auth]",
            "tags: [login]",
            "the contract has the tag login, but handlers/ has no module of that name",
        ),
        (
            "handlers/health.py",
            "async def get_health(",
            "def get_health() -> None: ...\n\n\nasync def _get_health(",
            "handlers.health.get_health must be an async function",
        ),
        (
            "handlers/tasks.py",
            "sort_direction: str,",
            "direction: str,",
            "GET /api/{user_id}/tasks: handlers.tasks.list_tasks does not take sort_direction, which the contract",
        ),
        (
            "openapi.yaml",
            "      name: tag_match\n",
            "      name: match\n",
            "GET /api/{user_id}/tasks: handlers.tasks.list_tasks does not take match, which the contract declares",
        ),
        (
            "handlers/tasks.py",
            "    cursor: str | None,\n",
            "    cursor: str | None,\n    page: int,\n",
            "GET /api/{user_id}/tasks: handlers.tasks.list_tasks takes page, which the contract does not declare",
        ),
        (
            "handlers/tasks.py",
            "    body: dict[str, Any],\n    if_match: str | None,\n    keep_next: bool,\n",
            "    if_match: str | None,\n    keep_next: bool,\n",
            "PATCH /api/{user_id}/tasks/{task_id}: handlers.tasks.update_task does not take body",
        ),
        (
            "openapi.yaml",
            "schema: {type: integer, format: int32, minimum: 1, maximum: 100, default: 50}",
            "schema: {type: integer, format: int32, minimum: 1, maximum: 100, default: 50, multipleOf: 5}",
            "GET /api/{user_id}/tasks: the keyword 'multipleOf: 5' is not supported in the schema of a request",
        ),
        (
            "openapi.yaml",
            "schema: {type: boolean}",
            "schema: {type: object}",
            "GET /api/{user_id}/tasks: parameter 'completed': the type 'object' is not supported",
        ),
        (
            "openapi.yaml",
            "completed: {type: boolean, default: false}",
            "completed: {type: number}",
            "POST /api/{user_id}/tasks: the type 'number' is not supported in the schema of a request",
        ),
        (
            "openapi.yaml",
            "      summary: List tags\n",
            "      summary: List tags\n      security: []\n",
            "GET /api/{user_id}/tags: handlers.tags.list_tags is for a user, but the contract does not require a token",
        ),
        (
            "openapi.yaml",
            "      name: tag_match\n",
            "      name: database\n",
            "handlers.tasks.list_tasks gets database from the server, so no parameter can have that name",
        ),
        (
            "openapi.yaml",
            "x-at-least-one: &filters [id,",
            "x-at-least-one: &filters [ids,",
            "PATCH /api/{user_id}/tasks: x-at-least-one names ids, which is no query parameter",
        ),
        (
            "handlers/tags.py",
            "user_id: str, if_none_match: str | None)",
            "user_id: str, if_none_match: str | None, fingerprint: bytes | None)",
            "handlers.tags.list_tags takes a fingerprint, but the contract has no Idempotency-Key",
        ),
        (
            "openapi.yaml",
            "  securitySchemes:\n    bearerAuth:\n",
            "  securitySchemes:\n    tokenAuth:\n",
            "the only security scheme must be bearerAuth",
        ),
        (
            "openapi.yaml",
            "      style: form\n      explode: true\n",
            "      style: form\n      explode: false\n",
            "GET /api/{user_id}/tasks: parameter 'id': only style form with explode is supported",
        ),
        (
            "openapi.yaml",
            "      title: text without U+0000\n      type: string\n      maxLength: 200",
            "      type: string\n      maxLength: 200",
            "needs a title that describes it",
        ),
        (
            "openapi.yaml",
            "      format: uuid\n      maxLength: 36",
            "      format: uuid\n      pattern: '^0'\n      title: a UUID that begins with 0",
            "a schema with the format 'uuid' cannot also have a pattern",
        ),
        (
            "openapi.yaml",
            "schema: {type: string, format: date, maxLength: 10}",
            "schema: {type: string, format: week, maxLength: 10}",
            "the format 'week' is not supported in the schema of a request",
        ),
        (
            "openapi.yaml",
            "        required: true\n        description: The task to create.",
            "        description: The task to create.",
            "POST /api/{user_id}/tasks: an optional request body is not supported",
        ),
        (
            "openapi.yaml",
            "      additionalProperties: false\n      required: [name]",
            "      additionalProperties: {type: string}\n      required: [name]",
            "the keyword 'additionalProperties: {'type': 'string'}' is not supported",
        ),
        (
            "openapi.yaml",
            "      tags: [auth]\n",
            "",
            "verify_token must have a tag, which names the module of its handler",
        ),
        (
            "openapi.yaml",
            "tags: [auth]",
            "tags: [jobs]",
            "a tag must not have the name of a folder in handlers/: jobs",
        ),
        (
            "openapi.yaml",
            "schema: {$ref: '#/components/schemas/TaskCreate'}",
            "schema: {oneOf: [{$ref: '#/components/schemas/TaskCreate'}]}",
            "POST /api/{user_id}/tasks: oneOf is only supported with a discriminator",
        ),
        (
            "openapi.yaml",
            "schema: {$ref: '#/components/schemas/TaskCreate'}",
            "schema: {oneOf: [{$ref: '#/components/schemas/TaskCreate'}], discriminator: {propertyName: title}}",
            "each schema of a oneOf must be an object that requires 'title', an enum of one value",
        ),
        (
            "openapi.yaml",
            "      type: array\n      maxItems: 20\n      uniqueItems: true",
            "      type: array\n      uniqueItems: true",
            "POST /api/{user_id}/tasks: an array in a request must have a maxItems of at most 1,000",
        ),
        (
            "openapi.yaml",
            "completed: {type: boolean, default: false}",
            "completed: {allOf: [{type: string}], format: date}",
            "POST /api/{user_id}/tasks: ['format'] must be inside the allOf or oneOf, not next to it",
        ),
        (
            "openapi.yaml",
            "completed: {type: boolean, default: false}",
            "completed: {type: integer, format: date}",
            "POST /api/{user_id}/tasks: a schema with the format 'date' must have the type string",
        ),
        (
            "openapi.yaml",
            "completed: {type: boolean, default: false}",
            "completed: {items: {type: string}, maxItems: 2}",
            "POST /api/{user_id}/tasks: a schema with 'items' must have the type array",
        ),
        (
            "openapi.yaml",
            "        enum: [any, all]\n        default: any",
            "        format: date\n        default: soon",
            "the default 'soon' is not valid by its own schema",
        ),
        (
            "openapi.yaml",
            "      required: [title]\n      properties:\n",
            "      required: [title, owner]\n      properties:\n        owner: {type: string, readOnly: true}\n",
            "POST /api/{user_id}/tasks: owner cannot be both readOnly and required in a request",
        ),
        (
            "openapi.yaml",
            "schema: {type: boolean}",
            "schema: {type: boolean, readOnly: true}",
            "the keyword 'readOnly: True' is not supported in the schema of a request",
        ),
        (
            "openapi.yaml",
            "      operationId: verify_token\n",
            "",
            "post /api/auth/verify must have an operationId, which names its handler",
        ),
        (
            "openapi.yaml",
            "completed: {type: boolean, default: false}",
            "completed: {type: array, maxItems: 2, items: {type: string}, default: []}",
            "POST /api/{user_id}/tasks: a default must not be a list or an object",
        ),
        (
            "openapi.yaml",
            "schema: {$ref: '#/components/schemas/TaskCreate'}",
            "schema: {anyOf: [{$ref: '#/components/schemas/TaskCreate'}]}",
            "POST /api/{user_id}/tasks: the keyword 'anyOf:",
        ),
        ("openapi.yaml", "openapi: 3.0.3", "openapi: [", "openapi.yaml is not an OpenAPI 3.0 document"),
        (
            "openapi.yaml",
            "    post:\n      operationId",
            "    post:\n      operationID",
            "openapi.yaml is not an OpenAPI 3.0 document",
        ),
    ],
    ids=lambda value: value[:40],
)  # fmt: skip
def test_startup_fails_with_a_sentence_that_names_the_disagreement(
    copy: Path, file: str, old: str, new: str, sentence: str
) -> None:
    change(copy / file, old, new)
    refused = start(copy)
    assert refused.returncode == 1
    assert sentence in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_module_without_a_tag_is_named(copy: Path) -> None:
    (copy / "handlers" / "abandoned.py").write_text("")
    refused = start(copy)
    assert refused.returncode == 1
    assert refused.stderr == "handlers/ has the module abandoned, but the contract has no tag of that name\n"


@pytest.mark.parametrize(
    ("schemas", "mapping", "sentence"),
    [
        (["wait", "wait"], {"wait": "x"}, "two schemas of a oneOf have the same value of 'op'"),
        (["wait", "visit"], {"wait": "x"}, "the mapping of the discriminator 'op' must name the values"),
        (["wait", "visit"], {}, "the mapping of the discriminator 'op' must name the values"),
    ],
)
def test_an_unsuitable_discriminator_is_rejected(schemas: list[str], mapping: dict[str, str], sentence: str) -> None:
    branches = [
        {"type": "object", "required": ["op"], "properties": {"op": {"type": "string", "enum": [name]}}}
        for name in schemas
    ]
    with pytest.raises(ContractError, match=sentence):
        draft4({"oneOf": branches, "discriminator": {"propertyName": "op", "mapping": mapping}})


def test_the_command_reports_a_disagreement_before_it_uses_the_database(copy: Path) -> None:
    change(copy / "handlers/tags.py", "async def list_tags(", "async def list_all_tags(")
    refused = start(copy, SERVE)
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        "Error: the contract declares the operation list_tags, but handlers.tags.list_tags does not exist\n"
    )


@pytest.mark.parametrize(
    ("schema", "least", "greatest"),
    [
        ({"format": "int32"}, -(2**31), 2**31 - 1),
        ({"format": "int64"}, -(2**63), 2**63 - 1),
        ({"format": "int32", "minimum": 0, "maximum": 2**40}, 0, 2**31 - 1),
        ({"format": "int32", "minimum": -(2**40), "maximum": 10}, -(2**31), 10),
    ],
    ids=["int32", "int64", "a greater maximum", "a lesser minimum"],
)
def test_an_integer_is_bounded_by_its_format(schema: dict[str, str | int], least: int, greatest: int) -> None:
    is_valid = Validator(draft4({"type": "integer", **schema})).is_valid
    taken = [is_valid(number) for number in (least - 1, least, greatest, greatest + 1)]
    assert taken == [False, True, True, False]
