"""The contract, as written and as JSON, and its pages: served from memory, with nothing loaded from another host."""

from hashlib import sha256
from html import escape
from importlib.util import find_spec
from pathlib import Path

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import Route

from handlers.contract.document import Contract
from handlers.documentation.demo import Endpoint, Mint, demo_route, for_loopback
from handlers.responses.entity_tags import is_listed

_PAGES = Path(__file__).with_name("pages")
_MEDIA_TYPES = {".css": "text/css", ".js": "text/javascript"}
_REVALIDATED = {"Cache-Control": "no-cache"}
# RFC 8246, section 2. The URL of a file contains its hash, so that a changed file has another URL.
_IMMUTABLE = {"Cache-Control": "public, max-age=31536000, immutable"}
_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "connect-src 'self'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
        # Hugging Face shows a Space in a frame.
        "frame-ancestors 'self' https://huggingface.co https://*.hf.space",
        "style-src 'self'",
    ]
)
_POLICIES = {
    "docs": _POLICY,
    "coming-from-another-backend": _POLICY,
    "sync": _POLICY,
    # ReDoc creates empty style elements, which this hash of the empty string allows, and adds rules to them by script.
    # Its icons are a font in a data URL.
    "redoc": f"{_POLICY} 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU='; font-src data:",
}


def contract_routes(contract: Contract) -> list[Route]:
    """Return the routes of `/openapi.yaml`, byte for byte, and of `/openapi.json`, with its references unresolved."""
    return [
        _route("/openapi.yaml", _document(contract.yaml, "application/yaml", _REVALIDATED)),
        _route("/openapi.json", _document(contract.json, "application/json", _REVALIDATED)),
    ]


def page_routes(mint: Mint | None) -> list[Route]:
    """Return the routes of the pages, of the files that they load, and of `/`, which redirects to `/docs`.

    With `mint`, `/docs` has the button that authorizes as the user `demo`; without it, nothing of the button is served.
    Raises ModuleNotFoundError if the package `offapi`, which contains Swagger UI and ReDoc, is not installed.
    """
    files = {file.name: file.read_bytes() for file in _files() if mint or file.stem != "demo"}
    # ReDoc has no option to omit its vendor's logo, which loads from another host. redoc.css shows the name instead.
    files["redoc.js"] = files["redoc.js"].replace(b"https://cdn.redoc.ly/redoc/", b"data:,")
    digests = {name: _digest(content) for name, content in files.items()}
    urls = {name: f"assets/{digest}/{name}" for name, digest in digests.items()}
    pages = {name: _page(name, urls) for name in _POLICIES}
    if mint:
        button = (_PAGES / "demo.html").read_text(encoding="utf-8")
        pages["docs"] = for_loopback(_page("docs", urls, button), pages["docs"])
    return [
        _route("/", _to_docs),
        *(_route(f"/{name}", page) for name, page in pages.items()),
        *(
            _route(f"/{urls[name]}", _document(content, _MEDIA_TYPES[Path(name).suffix], _IMMUTABLE, digests[name]))
            for name, content in files.items()
        ),
        *([demo_route(mint)] if mint else []),
    ]


def _files() -> list[Path]:
    # The package is located without being imported: an import would format 10 MB of pages that are not served here.
    spec = find_spec("offapi")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("The package offapi is not installed.", name="offapi")
    installed = Path(spec.origin)
    return [
        *(installed.with_name(name) for name in ("swagger_bundle.js", "swagger_style.css", "redoc.js")),
        *(file for file in _PAGES.iterdir() if file.suffix in _MEDIA_TYPES),
    ]


def _page(name: str, urls: dict[str, str], button: str = "") -> Endpoint:
    """Return the endpoint of one of our pages, with the programs it shows and the URLs of the files that it loads."""
    page = (_PAGES / f"{name}.html").read_text(encoding="utf-8").replace("<!-- demo -->\n", button)
    for program in _PAGES.glob("*.ts"):
        page = page.replace(f"<!-- {program.name} -->", escape(program.read_text(encoding="utf-8"), quote=False))
    for file, url in urls.items():
        page = page.replace(f'"{file}"', f'"{url}"')
    headers = {"Content-Security-Policy": _POLICIES[name], **_REVALIDATED}
    return _document(page.encode(), "text/html", headers)


async def _to_docs(_: Request) -> Response:
    return RedirectResponse("docs")


def _document(content: bytes, media_type: str, headers: dict[str, str], digest: str | None = None) -> Endpoint:
    """Return the endpoint of a document, which sends a 304 to a client that has it (RFC 9110, section 15.4.5)."""
    digest = digest or _digest(content)
    headers = {"ETag": f'"{digest}"', **headers}

    async def answer(request: Request) -> Response:
        if is_listed(digest, ", ".join(request.headers.getlist("if-none-match"))):
            return Response(status_code=304, headers=headers)
        return Response(content, media_type=media_type, headers=headers)

    return answer


def _route(path: str, endpoint: Endpoint) -> Route:
    return Route(path, endpoint, methods=["GET"])


def _digest(content: bytes) -> str:
    return sha256(content).hexdigest()
