"""Each operation of the contract, compiled once at start-up: validate, call the handler, answer."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import orjson
import yaml
from connexion.exceptions import InvalidSpecification
from connexion.middleware.request_validation import RequestValidationAPI, RequestValidationMiddleware
from connexion.operations import AbstractOperation
from connexion.resolver import Resolver
from jsonschema import ValidationError
from starlette.types import Receive, Scope, Send

from handlers.contract.body import ClientDisconnected, RequestBody
from handlers.contract.parameters import Parameters
from handlers.contract.schemas import ContractError
from handlers.contract.specification import load
from handlers.responses.problems import RETRY_AFTER, Problem, invalid_input
from handlers.responses.response import respond

CONTRACT_FILE = Path(__file__).parents[2] / "openapi.yaml"

Headers = Mapping[str, str]
Answer = Any
"""What a handler returns: `body`, `(body, status)` or `(body, status, headers)`. A body of None is no content."""
Handler = Callable[..., Awaitable[Answer]]


class Contract:
    """The contract as written, as JSON, and as Connexion's specification with its references resolved."""

    def __init__(self, source: bytes) -> None:
        """Read an OpenAPI 3.0 document in YAML. Raises ContractError when it is none."""
        self.yaml = source
        try:
            document = yaml.load(source, yaml.CSafeLoader)
            self.json = orjson.dumps(document)
            self.specification = load(document)
        except (yaml.YAMLError, ValidationError, InvalidSpecification) as error:
            raise ContractError(f"{CONTRACT_FILE.name} is not an OpenAPI 3.0 document: {error}") from error


def operations(specification: Mapping[str, Any]) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Yield the path, the method and the declaration of every operation."""
    for path, item in specification["paths"].items():
        for method, operation in item.items():
            if method != "parameters":
                yield path, method, operation


class TagResolver(Resolver):  # type: ignore[misc]  # Connexion has no types
    """Finds the handler of `operationId` in the module that is named after the operation's first tag."""

    def resolve_operation_id(self, operation: AbstractOperation) -> str:
        """Return the dotted name of the operation's handler, such as `handlers.tasks.list_tasks`."""
        return self.name_of(operation._operation)

    @staticmethod
    def name_of(declared: Mapping[str, Any]) -> str:
        """Return the same for an operation as it is declared."""
        return f"handlers.{declared['tags'][0]}.{declared['operationId']}"

    def resolve_function_from_operation_id(self, operation_id: str) -> Handler:
        """Return the handler of that dotted name. Raises ContractError when there is none."""
        module_name, _, name = operation_id.rpartition(".")
        try:
            handler = getattr(import_module(module_name), name)
        except (ModuleNotFoundError, AttributeError):
            raise ContractError(
                f"the contract declares the operation {name}, but {operation_id} does not exist"
            ) from None
        if not inspect.iscoroutinefunction(handler):
            raise ContractError(f"{operation_id} must be an async function")
        return handler  # type: ignore[no-any-return]


class Operation:
    """One operation as an ASGI application: the last of the stack."""

    def __init__(self, operation: AbstractOperation, *, resources: Mapping[str, Any], body_limit: int) -> None:
        """Compile an operation. Raises ContractError where contract and handler disagree.

        `resources` are what a handler may ask for by name beside what the contract declares.
        """
        self._handler: Handler = operation.function
        # Connexion adds the path's parameters to the operation's each time that it reads the operation.
        self._parameters = Parameters({(p["in"], p["name"]): p for p in operation.parameters}.values())
        self._body = RequestBody(operation.request_body, body_limit) if operation.request_body else None
        self._owned = "user_id" in self._parameters.arguments
        asked = set(inspect.signature(self._handler).parameters)
        self._resources = {name: value for name, value in resources.items() if name in asked}
        self._takes_principal = "principal" in asked
        _check_signature(operation.operation_id, asked, self._declared(), {*resources, "principal"})
        if (self._owned or self._takes_principal) and not operation.security:
            raise ContractError(f"{operation.operation_id} is for a user, but the contract asks for no token")

    def _declared(self) -> set[str]:
        return self._parameters.arguments | ({"body"} if self._body else set())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request. Raises Problem and what storage raises; the middleware outside translates both."""
        principal = scope["state"].get("principal")
        if principal is not None:
            scope["state"]["user_id"] = principal["user_id"]
        if self._owned and scope["path_params"]["user_id"] != principal["user_id"]:
            raise Problem(403, "The token does not speak for the user in the path.")
        try:
            arguments = await self._arguments(scope, receive)
            if self._takes_principal:
                arguments["principal"] = principal
            answer = await self._handler(**arguments, **self._resources)
        except ClientDisconnected:
            return
        except asyncio.CancelledError:
            # Uvicorn does so with what has not ended a while after it was told to stop.
            raise Problem(503, "The server is stopping.", headers=RETRY_AFTER) from None
        await _send(answer, send)

    async def _arguments(self, scope: Scope, receive: Receive) -> dict[str, Any]:
        arguments, errors = self._parameters.read(scope)
        if self._body is not None:
            arguments["body"], body_errors = await self._body.read(scope, receive)
            errors += body_errors
        if errors:
            raise invalid_input(errors)
        return arguments


class ContractAPI(RequestValidationAPI):  # type: ignore[misc]  # Connexion has no types
    """Compiles every operation, in the place where Connexion would make its validating ones."""

    def __init__(self, *args: Any, resources: Mapping[str, Any], body_limit: int, **kwargs: Any) -> None:
        self._compile_with: dict[str, Any] = {"resources": resources, "body_limit": body_limit}
        super().__init__(*args, **kwargs)
        _check_no_handler_is_left(set(self.operations))

    def make_operation(self, operation: AbstractOperation) -> Operation:
        """Compile one operation. Raises ContractError that names it."""
        try:
            return Operation(operation, **self._compile_with)
        except ContractError as error:
            raise ContractError(f"{operation.method.upper()} {operation.path}: {error}") from error


class ContractMiddleware(RequestValidationMiddleware):  # type: ignore[misc]  # Connexion has no types
    """Connexion's request validation, which here also calls the handler. Only what is no operation goes further."""

    api_cls = ContractAPI


def _check_signature(name: str, asked: set[str], declared: set[str], offered: set[str]) -> None:
    if ambiguous := declared & offered:
        raise ContractError(f"{name} gets {_listed(ambiguous)} from the server, so no parameter can have that name")
    if missing := declared - asked:
        raise ContractError(f"{name} does not take {_listed(missing)}, which the contract declares")
    if unknown := asked - declared - offered:
        raise ContractError(f"{name} takes {_listed(unknown)}, which the contract does not declare")


def _check_no_handler_is_left(operation_ids: set[str]) -> None:
    modules = {operation_id.rpartition(".")[0] for operation_id in operation_ids}
    handlers = {f"{module}.{name}" for module in modules for name in _public_functions(import_module(module))}
    if extra := handlers - operation_ids:
        raise ContractError(f"{_listed(extra)} is a handler of no operation; a helper's name begins with an underscore")


def _public_functions(module: ModuleType) -> list[str]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return [name for name, function in functions if function.__module__ == module.__name__ and not name.startswith("_")]


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names))


async def _send(answer: Answer, send: Send) -> None:
    body, status, headers = (*answer, {})[:3] if isinstance(answer, tuple) else (answer, 200, {})
    content = b""
    if body is not None:
        content = orjson.dumps(body, option=orjson.OPT_UTC_Z)
        headers = {**headers, "Content-Type": "application/json", "Content-Length": str(len(content))}
    await respond(send, status, headers, content)
