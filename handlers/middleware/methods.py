"""Allow and OPTIONS, from a table of all paths: a router knows only the first route that matches."""

import re
from collections.abc import Iterable, Mapping


class Methods:
    """Which methods each path supports."""

    def __init__(self, paths: Mapping[str, Iterable[str]]) -> None:
        """`paths` maps path templates (OpenAPI 3.0.3, section 4.7.8.1) to their methods."""
        # As in routing, a path with fewer templates is matched first.
        in_order = sorted(paths.items(), key=lambda item: item[0].count("{"))
        self._allow = [(_pattern(template), _allow(methods)) for template, methods in in_order]

    def allow(self, path: str) -> str:
        """Return the Allow header (RFC 9110, section 10.2.1) of a path that exists."""
        return next(allow for pattern, allow in self._allow if pattern.fullmatch(path))


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("[^/]+".join(map(re.escape, re.split(r"\{[^}]+\}", template))))


def _allow(methods: Iterable[str]) -> str:
    given = {method.upper() for method in methods}
    return ", ".join(sorted(given | {"OPTIONS"} | ({"HEAD"} if "GET" in given else set())))
