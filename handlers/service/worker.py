"""The application of a worker process, imported when its settings are known."""

import os
from pathlib import Path

from starlette.types import ASGIApp

from handlers.service.imports import uncollected
from handlers.settings.settings import Settings


def create_app_from_environment() -> ASGIApp:
    """Return the application; the parent process has put all settings into the environment."""
    settings = Settings.load(os.environ, env_file=Path(os.devnull))
    with uncollected():
        from handlers.service.app import create_app

    return create_app(settings)
