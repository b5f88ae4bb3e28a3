"""The application of a worker process, imported when its settings are known."""

import os
from pathlib import Path

from starlette.types import ASGIApp

from handlers.service.garbage_collection import without_garbage_collection
from handlers.settings.settings import Settings


def create_app_from_environment() -> ASGIApp:
    """Return the application of a worker; its parent has put all settings into the environment."""
    settings = Settings.load(os.environ, env_file=Path(os.devnull))
    with without_garbage_collection():
        from handlers.service.app import create_app

    return create_app(settings)
