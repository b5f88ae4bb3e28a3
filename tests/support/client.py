"""A user with a token, who calls the API as a frontend does."""

import time
from typing import Any

import httpx
import jwt

from tests.support.server import SECRET

Json = Any


def claims_of(user_id: str, **changed: Any) -> dict[str, Any]:
    """Return the claims that the frontend mints, with some changed; None removes a claim."""
    now = int(time.time())
    claims = {"sub": user_id, "email": "ada@example.com", "name": "Ada", "iat": now, "exp": now + 3600}
    claims |= {"iss": "nextjs-frontend", "aud": "fastapi-backend"} | changed
    return {name: value for name, value in claims.items() if value is not None}


def mint(user_id: str, **changed: Any) -> str:
    """Return a token like those that the frontend mints, with some claims changed; None removes a claim."""
    return jwt.encode(claims_of(user_id, **changed), SECRET, algorithm="HS256")


class User:
    """A client that calls the API as one user. Paths are below `/api/{user_id}`."""

    def __init__(self, server: str, user_id: str) -> None:
        self.id = user_id
        headers = {"Authorization": f"Bearer {mint(user_id)}"}
        self.http = httpx.Client(base_url=server, headers=headers, timeout=20)

    def __enter__(self) -> "User":
        return self

    def __exit__(self, *_: object) -> None:
        self.http.close()

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send a request to one of the user's paths, such as `/tasks`."""
        return self.http.request(method, f"/api/{self.id}{path}", **options)

    def get(self, path: str, **options: Any) -> httpx.Response:
        """GET one of the user's paths."""
        return self.request("GET", path, **options)

    def create(self, title: str = "A task", **members: Json) -> Json:
        """Create a task, and return it."""
        response = self.request("POST", "/tasks", json={"title": title, **members})
        assert response.status_code == 201, response.text
        return response.json()

    def read(self, task: Json) -> Json:
        """Return a task as it is now, or the problem document if it is not there."""
        return self.get(f"/tasks/{task['id']}").json()

    def patch(self, task_id: str, members: Json, **options: Any) -> httpx.Response:
        """PATCH a task."""
        return self.request("PATCH", f"/tasks/{task_id}", json=members, **options)

    def put(self, task_id: str, members: Json, **options: Any) -> httpx.Response:
        """PUT a task."""
        return self.request("PUT", f"/tasks/{task_id}", json=members, **options)

    def delete(self, task_id: str, **options: Any) -> httpx.Response:
        """DELETE a task."""
        return self.request("DELETE", f"/tasks/{task_id}", **options)

    def revision(self) -> int:
        """Return the user's newest revision, which is the entity tag of the user's lists."""
        return int(self.get("/tags").headers["ETag"].removeprefix('W/"').removesuffix('"'))

    def sync_token(self) -> str:
        """Return the token of a client that has downloaded all tasks."""
        page = self.get("/changes", params={"limit": 1000}).json()
        assert not page["has_more"]
        token: str = page["sync_token"]
        return token

    def titles(self, **query: Any) -> list[str]:
        """Return the titles of the tasks that a list with this query returns."""
        response = self.get("/tasks", params=query)
        assert response.status_code == 200, response.text
        return [task["title"] for task in response.json()["tasks"]]
