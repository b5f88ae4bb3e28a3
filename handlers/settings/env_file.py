"""Variables from a file `.env`, in the syntax of python-dotenv but without references to other variables."""

from pathlib import Path

from dotenv.parser import parse_stream


def read_env_file(file: Path) -> tuple[dict[str, str], list[str]]:
    """Return the variables of a file, and a sentence for each error in it.

    A missing file has no variables. A variable with a blank value is left out.
    """
    try:
        with file.open(encoding="utf-8-sig") as stream:
            bindings = list(parse_stream(stream))
    except FileNotFoundError:
        return {}, []
    except (OSError, UnicodeDecodeError):
        return {}, [f"The file {file} cannot be read as UTF-8 text: check its encoding and its permissions."]
    wrong = [one.original.line for one in bindings if one.error or "\0" in one.original.string]
    faults = [f"Line {line} of the file {file} must be NAME=value, with every quote closed." for line in wrong]
    return {one.key: one.value for one in bindings if one.key and one.value and one.value.strip()}, faults
