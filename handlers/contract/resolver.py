"""The handler of an operation: the function named after its operationId, in the module named after its tag."""

import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from connexion.operations import AbstractOperation
from connexion.resolver import Resolver

import handlers
from handlers.contract.document import operations
from handlers.contract.errors import ContractError, listed
from handlers.responses.response import Response

Handler = Callable[..., Awaitable[Response]]
"""A function that serves an operation. It takes the operation's parameters, and resources of the service, by name."""


class TagResolver(Resolver):  # type: ignore[misc]  # Connexion has no types
    """Finds the handler of an operation by its first tag and its operationId."""

    def __init__(self, specification: Mapping[str, Any]) -> None:
        super().__init__()
        self._names = {(path, method): handler_name(operation) for path, method, operation in operations(specification)}

    def resolve_operation_id(self, operation: AbstractOperation) -> str:
        """Return the dotted name of the operation's handler."""
        return self._names[operation.path, operation.method]

    def resolve_function_from_operation_id(self, operation_id: str) -> Handler | None:
        """Return the handler with this dotted name, or None: Connexion would log an error raised here."""
        module_name, _, name = operation_id.rpartition(".")
        return getattr(import_module(module_name), name, None)


def handler_name(declared: Mapping[str, Any]) -> str:
    """Return the dotted name of an operation's handler, such as `handlers.tasks.list_tasks`."""
    return f"handlers.{declared['tags'][0]}.{declared['operationId']}"


def check_handler(handler: Handler | None, name: str) -> Handler:
    """Return the handler with a dotted name. Raises ContractError if there is none, or if it is not async."""
    if handler is None:
        raise ContractError(f"the contract declares the operation {name.rpartition('.')[2]}, but {name} does not exist")
    if not inspect.iscoroutinefunction(handler):
        raise ContractError(f"{name} must be an async function")
    return handler


def check_modules(specification: Mapping[str, Any]) -> None:
    """Check that the modules at the top of `handlers/` are the tags of the operations.

    Raises a ContractError that names operations without a tag, tags without a module, modules without a tag, and tags
    that have the name of a folder in `handlers/`.
    """
    found = list(operations(specification))
    if unnamed := [f"{method} {path}" for path, method, operation in found if not operation.get("operationId")]:
        raise ContractError(f"{listed(unnamed)} must have an operationId, which names its handler")
    if untagged := [operation["operationId"] for _, _, operation in found if not operation.get("tags")]:
        raise ContractError(f"{listed(untagged)} must have a tag, which names the module of its handler")
    tags = {operation["tags"][0] for _, _, operation in found}
    names = {module.name: module.ispkg for module in pkgutil.iter_modules(handlers.__path__)}
    modules = {name for name, is_package in names.items() if not is_package and not name.startswith("_")}
    if rooms := tags & names.keys() - modules:
        raise ContractError(f"a tag must not have the name of a folder in handlers/: {listed(rooms)}")
    if missing := tags - modules:
        raise ContractError(f"the contract has the tag {listed(missing)}, but handlers/ has no module of that name")
    if extra := modules - tags:
        raise ContractError(f"handlers/ has the module {listed(extra)}, but the contract has no tag of that name")


def check_functions(specification: Mapping[str, Any]) -> None:
    """Check that each public function in a tag's module is a handler. Raises a ContractError that names the others."""
    names = {handler_name(operation) for _, _, operation in operations(specification)}
    modules = {name.rpartition(".")[0] for name in names}
    functions = {f"{module}.{name}" for module in modules for name in _public_functions(import_module(module))}
    if extra := functions - names:
        raise ContractError(
            f"{listed(extra)} is not an operation of the contract; start the name of a helper with an underscore"
        )


def _public_functions(module: ModuleType) -> list[str]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return [name for name, function in functions if function.__module__ == module.__name__ and not name.startswith("_")]
