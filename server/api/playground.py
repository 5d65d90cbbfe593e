"""``GET /``: the playground, a page that needs nothing but this server's own API."""

from __future__ import annotations

from importlib.resources import files

from fastapi import APIRouter, Response

PAGE = "index.html"
MEDIA_TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml"}
ASSETS = (
    "icon.svg page.css form.css answer.css tokens.css "
    "main.js run.js form.js key.js api.js answer.js tokens.js glyphs.js inspector.js measures.js scale.js numbers.js "
    "snippets.js"
).split()
"""The files of ``server/web`` that are served beside the page; no request names a path."""
HEADERS = {
    # No inline script or style, no other host, no frame around the page, and no text of a model ever parsed as HTML.
    "content-security-policy": "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
    "object-src 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-cache",
}

router = APIRouter(include_in_schema=False)


def _serve(path: str, name: str, media_type: str) -> None:
    """Give a file of the package a route of its own; it is read once."""
    content = (files("server") / "web" / name).read_bytes()

    async def get() -> Response:
        return Response(content, media_type=f"{media_type}; charset=utf-8", headers=HEADERS)

    router.add_api_route(path, get, methods=["GET", "HEAD"])


_serve("/", PAGE, "text/html")
for _name in ASSETS:
    _serve(f"/playground/{_name}", _name, MEDIA_TYPES[_name.rpartition(".")[2]])
