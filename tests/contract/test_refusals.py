"""Every operation of a user is refused without a token, for another user, and with a body that cannot be read."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.support.client import User
from tests.support.conformance import OPERATIONS

OWNED = [method_and_path for method_and_path in OPERATIONS if "{user_id}" in method_and_path[1]]
WITH_BODY = [method_and_path for method_and_path in OWNED if "requestBody" in OPERATIONS[method_and_path]]


def send(user: User, operation: tuple[str, str], owner: str, **options: Any) -> httpx.Response:
    """Send a request for one operation on what belongs to a user."""
    method, path = operation
    return user.http.request(method, path.format(user_id=owner, task_id=uuid4(), list_id=uuid4()), **options)


@pytest.mark.parametrize("operation", OWNED, ids=" ".join)
def test_an_operation_needs_a_token(ada: User, operation: tuple[str, str]) -> None:
    response = send(ada, operation, ada.id, headers={"Authorization": ""})
    assert response.status_code == 401


@pytest.mark.parametrize("operation", OWNED, ids=" ".join)
def test_nobody_learns_whether_another_user_exists(ada: User, grace: User, operation: tuple[str, str]) -> None:
    grace.create()
    existing, absent = (send(ada, operation, owner) for owner in (grace.id, "nobody"))
    assert existing.status_code == absent.status_code == 403
    assert existing.json()["detail"] == absent.json()["detail"]


@pytest.mark.parametrize("operation", WITH_BODY, ids=" ".join)
def test_a_body_has_a_media_type_and_a_limit(ada: User, operation: tuple[str, str]) -> None:
    body = OPERATIONS[operation]["requestBody"]
    assert send(ada, operation, ada.id, content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    limit = body.get("x-body-limit", 65_536)
    headers = {"Content-Type": next(iter(body["content"]))}
    response = send(ada, operation, ada.id, content=b"{" + b" " * limit, headers=headers)
    assert response.status_code == 413
    assert response.json()["detail"] == f"The body is larger than {limit} bytes."
