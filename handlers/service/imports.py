"""Modules that libraries import and this service never uses, put off until somebody uses them.

Connexion imports all of its applications, and with them a client for tests, one for contracts at a URL, one for tokens
that are checked elsewhere, and a template engine: 0.16 s of the start, and 8 MiB. PyJWT imports `cryptography` wherever
it is installed, and that is for public keys only: 0.07 s and 11 MiB.
"""

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import LazyLoader
from types import ModuleType
from typing import Any

_UNUSED = frozenset({"httpx", "jinja2", "requests"})
_BEYOND_THEIR_MODULES = frozenset({"connexion", "connexion.middleware"})


def put_off() -> None:
    """Have what is not used loaded at its first use instead of at its import.

    That is done by name: what a library no longer has, or uses after all, is loaded as ever.
    """
    sys.meta_path.insert(0, _Finder())


@contextmanager
def uncollected() -> Iterator[None]:
    """Import without a search for garbage, then or later, in what stays anyway: it took a tenth of the start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def import_jwt(*, public_keys: bool) -> None:
    """Import PyJWT, which is without `cryptography` then unless `public_keys` are to be used.

    Where either has been imported before, that has been decided. After one without, `handlers.authentication.jwks` is
    an ImportError.
    """
    if public_keys or {"jwt", "cryptography"} & sys.modules.keys():
        return
    # What the import system takes for a module that is not installed (The Python Language Reference, section 5.3.1).
    sys.modules["cryptography"] = None  # type: ignore[assignment]
    try:
        import_module("jwt")
    finally:
        del sys.modules["cryptography"]


class _Finder(MetaPathFinder):
    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        later = LazyLoader if fullname in _UNUSED else _ModulesOnly if fullname in _BEYOND_THEIR_MODULES else None
        spec = PathFinder.find_spec(fullname, path, target) if later else None
        if later and spec and spec.loader:
            spec.loader = later(spec.loader)
        return spec


class _ModulesOnly(Loader):
    """A LazyLoader for a package, which is not loaded either when its modules are imported."""

    def __init__(self, loader: Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        module.__class__ = _Package


class _Package(ModuleType):
    def __getattr__(self, name: str) -> Any:
        """Return one of its modules or, loaded now, what else it has."""
        with suppress(ModuleNotFoundError):
            return import_module(f"{self.__name__}.{name}")
        self.__class__ = ModuleType  # type: ignore[assignment]
        loader: Any = self.__loader__
        loader.exec_module(self)
        return getattr(self, name)
