"""Which function serves an operation: the one that has its operationId, in the module that has its tag's name."""

import inspect
import pkgutil
from collections.abc import Awaitable, Callable, Iterable, Mapping
from importlib import import_module
from types import ModuleType
from typing import Any

from connexion.operations import AbstractOperation
from connexion.resolver import Resolver

import handlers
from handlers.contract.document import operations
from handlers.contract.errors import ContractError
from handlers.responses.response import Response

Handler = Callable[..., Awaitable[Response]]
"""What serves an operation: it takes the operation's parameters by name, and what it needs of the service."""


class TagResolver(Resolver):  # type: ignore[misc]  # Connexion has no types
    """Finds an operation's handler by the operation's first tag and its operationId."""

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
        handler = getattr(import_module(module_name), name, None)
        if handler is None:
            raise ContractError(f"the contract declares the operation {name}, but {operation_id} does not exist")
        if not inspect.iscoroutinefunction(handler):
            raise ContractError(f"{operation_id} must be an async function")
        return handler  # type: ignore[no-any-return]


def check_modules(specification: Mapping[str, Any]) -> None:
    """Check that the modules at the top of `handlers/` are the tags, and that they hold handlers only.

    Raises ContractError that names each tag without a module, each module without a tag, each tag that has the name of
    one of the folders in `handlers/`, and each public function that serves no operation.
    """
    declared = [operation for _, _, operation in operations(specification)]
    if untagged := [operation["operationId"] for operation in declared if not operation.get("tags")]:
        raise ContractError(f"{_listed(untagged)} must have a tag, which names the module of its handler")
    tags = {operation["tags"][0] for operation in declared}
    found = {module.name: module.ispkg for module in pkgutil.iter_modules(handlers.__path__)}
    modules = {name for name, is_package in found.items() if not is_package and not name.startswith("_")}
    if rooms := tags & found.keys() - modules:
        raise ContractError(f"a tag must not have the name of a folder in handlers/: {_listed(rooms)}")
    if missing := tags - modules:
        raise ContractError(f"the contract has the tag {_listed(missing)}, but handlers/ has no module of that name")
    if extra := modules - tags:
        raise ContractError(f"handlers/ has the module {_listed(extra)}, but the contract has no tag of that name")
    _check_functions(tags, {TagResolver.name_of(operation) for operation in declared})


def _check_functions(tags: Iterable[str], handler_names: set[str]) -> None:
    modules = {f"handlers.{tag}" for tag in tags}
    functions = {f"{module}.{name}" for module in modules for name in _public_functions(import_module(module))}
    if extra := functions - handler_names:
        raise ContractError(
            f"{_listed(extra)} is not an operation of the contract; start the name of a helper with an underscore"
        )


def _public_functions(module: ModuleType) -> list[str]:
    functions = inspect.getmembers(module, inspect.isfunction)
    return [name for name, function in functions if function.__module__ == module.__name__ and not name.startswith("_")]


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
