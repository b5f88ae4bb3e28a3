"""The `todo-api` command, as `python -m handlers`."""

from handlers.service.cli import main

main(prog_name="todo-api")
