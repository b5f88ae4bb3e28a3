"""The application of a process, imported when its settings are known."""

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from starlette.types import ASGIApp

from handlers.settings.settings import Settings


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Import without garbage collections, and exempt what was imported from later ones: that is a tenth of a start."""
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


def create_app_from_environment() -> ASGIApp:
    """Return the application of a worker; its parent has put all settings into the environment."""
    settings = Settings.load(os.environ, env_file=Path(os.devnull))
    with without_garbage_collection():
        from handlers.service.app import create_app

    return create_app(settings)
