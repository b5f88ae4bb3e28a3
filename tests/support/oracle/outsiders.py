"""Requests that Schemathesis generates from the contract: valid ones, and ones that a server should reject."""

import json
from typing import Any
from urllib.parse import unquote, urlencode

import schemathesis
import yaml
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.core import NotSet

from tests.support.oracle.generated import lowered
from tests.support.oracle.sides import HEADERS, USER, Operation, Request
from tests.support.server import ROOT

SCHEMA = schemathesis.openapi.from_dict(yaml.safe_load((ROOT / "openapi.yaml").read_bytes()))


def requests_by_schemathesis(operation: Operation) -> st.SearchStrategy[Request]:
    """Return a strategy for requests to an operation, all with the path of one user."""
    cases = SCHEMA[operation.path][operation.method]
    return st.one_of([cases.as_strategy(generation_mode=mode).map(_request) for mode in GenerationMode])


def _request(case: Case[Any]) -> Request:
    path = case.path.format(**{**case.path_parameters, "user_id": USER})
    headers = [(name, str(case.headers[name])) for name in HEADERS.values() if name in case.headers]
    headers += [("Content-Type", case.media_type)] if case.media_type else []
    body = b"" if isinstance(case.body, NotSet) else case.body
    return Request(
        case.method,
        unquote(path),
        urlencode(case.query, doseq=True).encode(),
        lowered(headers),
        body if isinstance(body, bytes) else json.dumps(body).encode(),
    )
