"""The documentation pages, such as Swagger UI at `/docs` and ReDoc at `/redoc`. They load nothing from another host."""

import json
import shutil
import subprocess
from collections.abc import Iterator
from hashlib import sha256
from html.parser import HTMLParser
from typing import NamedTuple

import httpx
import pytest

PAGES = ["/docs", "/redoc", "/coming-from-another-backend", "/sync"]
# The hash of an empty style element, to which a script adds rules.
EMPTY = "'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='"
POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "img-src": "data:",
    "style-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'self' https://huggingface.co https://*.hf.space",
}
POLICIES = dict.fromkeys(PAGES, POLICY) | {"/redoc": POLICY | {"style-src": f"'self' {EMPTY}", "font-src": "data:"}}
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript"}


class Element(NamedTuple):
    """A start tag."""

    name: str
    attributes: dict[str, str | None]


class Elements(HTMLParser):
    """Collects every start tag of a page."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.all: list[Element] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Add a start tag."""
        self.all.append(Element(tag, dict(attrs)))


@pytest.fixture(scope="module")
def nobody(server: str) -> Iterator[httpx.Client]:
    """Yield a client without a token."""
    with httpx.Client(base_url=server) as client:
        yield client


def elements(nobody: httpx.Client, page: str) -> list[Element]:
    """Return the elements of a page."""
    return Elements(nobody.get(page).text).all


def references(nobody: httpx.Client, page: str) -> list[str]:
    """Return the URLs in a page as they are written there, except for the empty icon's and those within the page."""
    attributes = [element.attributes for element in elements(nobody, page)]
    named = [item.get(name) for item in attributes for name in ("href", "src", "spec-url")]
    return [url for url in named if url and url != "data:," and not url.startswith("#")]


@pytest.fixture(scope="module")
def files(nobody: httpx.Client) -> list[str]:
    """Return the paths of the scripts and styles that the pages load."""
    return sorted({f"/{url}" for page in PAGES for url in references(nobody, page) if url.startswith("assets/")})


def test_the_root_redirects_to_the_docs_wherever_the_service_is_mounted(nobody: httpx.Client) -> None:
    response = nobody.get("/")
    assert (response.status_code, response.headers["Location"], response.content) == (307, "docs", b"")
    assert nobody.get("/", follow_redirects=True).url.path == "/docs"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_html_that_browsers_revalidate(nobody: httpx.Client, page: str) -> None:
    response = nobody.get(page)
    assert response.status_code == 200
    assert response.headers["Content-Type"] == "text/html; charset=utf-8"
    assert response.headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("page", PAGES)
def test_a_page_may_load_only_from_this_host_and_run_nothing_inline(nobody: httpx.Client, page: str) -> None:
    directives = nobody.get(page).headers["Content-Security-Policy"].split("; ")
    assert dict(directive.split(" ", 1) for directive in directives) == POLICIES[page]
    assert len(directives) == len(POLICIES[page])


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_inline_script_or_style(nobody: httpx.Client, page: str) -> None:
    for name, attributes in elements(nobody, page):
        assert name != "style"
        assert name != "script" or "src" in attributes
        assert not [attribute for attribute in attributes if attribute == "style" or attribute.startswith("on")]


@pytest.mark.parametrize("page", PAGES)
def test_every_url_in_a_page_is_served_here(nobody: httpx.Client, page: str) -> None:
    urls = references(nobody, page)
    assert len(urls) >= 3
    for url in urls:
        assert not url.startswith("/"), f"{url} is wrong where the service is mounted below a path"
        assert ":" not in url
        assert nobody.get(f"/{url}").status_code == 200, url


def test_the_files_are_swagger_ui_redoc_and_their_setup(files: list[str]) -> None:
    assert sorted(path.split("/")[-1] for path in files) == [
        "article.css",
        "demo.js",
        "docs.css",
        "docs.js",
        "redoc.css",
        "redoc.js",
        "swagger_bundle.js",
        "swagger_style.css",
        "without_workers.js",
    ]


def test_a_file_is_cached_for_a_year_under_a_url_that_changes_with_it(nobody: httpx.Client, files: list[str]) -> None:
    for path in files:
        response = nobody.get(path)
        digest = sha256(response.content).hexdigest()
        assert digest in path
        assert response.headers["ETag"] == f'"{digest}"'
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Content-Type"] == f"{MEDIA_TYPES[path.split('.')[-1]]}; charset=utf-8"
        assert nobody.get(path.replace(digest, "0" * 64)).status_code == 404


def test_an_unchanged_page_or_file_is_a_304_that_keeps_its_policy(nobody: httpx.Client, files: list[str]) -> None:
    for path in [*PAGES, *files]:
        first = nobody.get(path)
        again = nobody.get(path, headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status_code, again.content) == (304, b"")
        # A cache updates its stored headers with those of a 304 (RFC 9111, section 3.2).
        for name in ("ETag", "Cache-Control", "Content-Security-Policy"):
            assert again.headers.get(name) == first.headers.get(name), path
        assert nobody.get(path, headers={"If-None-Match": '"other"'}).content == first.content


def test_a_file_accepts_get_head_and_options_only(nobody: httpx.Client, files: list[str]) -> None:
    for path in files:
        allow = "GET, HEAD, OPTIONS"
        assert int(nobody.head(path).headers["Content-Length"]) == len(nobody.get(path).content)
        assert (nobody.options(path).status_code, nobody.options(path).headers["Allow"]) == (204, allow)
        assert (nobody.post(path).status_code, nobody.post(path).headers["Allow"]) == (405, allow)


def test_redoc_sends_nothing_to_its_vendor(nobody: httpx.Client, files: list[str]) -> None:
    (redoc,) = (element for element in elements(nobody, "/redoc") if element.name == "redoc")
    assert redoc.attributes == {"spec-url": "openapi.json", "disable-telemetry": "true"}
    (script,) = (path for path in files if path.endswith("/redoc.js"))
    assert "cdn.redoc.ly" not in nobody.get(script).text


@pytest.mark.skipif(shutil.which("node") is None, reason="there is no Node.js on this machine")
def test_the_docs_start_swagger_ui_with_this_contract_and_open_forms(nobody: httpx.Client, files: list[str]) -> None:
    (script,) = (path for path in files if path.endswith("/docs.js"))
    stub = """
        globalThis.SwaggerUIBundle = (options) => {
          const parameters = [{in: "query", example: 1}, {in: "path", required: true, example: 2}];
          const response = {ok: true, url: "x/openapi.json", text: JSON.stringify(parameters)};
          const {text} = options.responseInterceptor(response);
          console.log(JSON.stringify({...options, parameters: JSON.parse(text)}));
        };"""
    node = ["node", "-e", stub + nobody.get(script).text]
    options = json.loads(subprocess.run(node, capture_output=True, text=True, check=True).stdout)
    assert (options["url"], options["dom_id"]) == ("openapi.json", "#swagger-ui")
    assert (options["tryItOutEnabled"], options["validatorUrl"]) == (True, None)
    # A prefilled example would filter the list, or have an update rejected.
    assert options["parameters"] == [{"in": "query"}, {"in": "path", "required": True, "example": 2}]


def test_the_docs_say_how_to_sign_in(nobody: httpx.Client) -> None:
    page = nobody.get("/docs").text
    for words in (
        "Get a token for the user <code>demo</code>",
        "<code>todo-api token demo</code>",
        "<b>Authorize</b>",
        "<code>user_id</code>",
    ):
        assert words in page


@pytest.mark.parametrize("page", ["/", *PAGES])
def test_a_page_needs_no_token_and_ignores_an_invalid_one(nobody: httpx.Client, page: str) -> None:
    assert nobody.get(page, headers={"Authorization": "Bearer nonsense"}).status_code in (200, 307)


def test_readers_of_the_docs_and_of_the_contract_find_what_a_client_of_another_backend_must_change(
    nobody: httpx.Client,
) -> None:
    page = "coming-from-another-backend"
    assert page in references(nobody, "/docs")
    assert nobody.get("/openapi.json").json()["externalDocs"]["url"] == page


def test_readers_of_the_docs_find_the_clients_that_keep_a_copy_in_step(nobody: httpx.Client) -> None:
    assert "sync" in references(nobody, "/docs")
