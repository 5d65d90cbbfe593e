from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from server.api.playground import ASSETS, MEDIA_TYPES, PAGE

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest

WEB = Path(__file__).parents[3] / "server" / "web"


def test_all_files_of_the_page_are_served(bundled_server: ServerUnderTest) -> None:
    assert {path.name for path in WEB.iterdir()} == {PAGE, *ASSETS}
    for name in (PAGE, *ASSETS):
        answer = bundled_server.http.get("/" if name == PAGE else f"/playground/{name}")
        assert answer.content == (WEB / name).read_bytes()
        media_type = {"html": "text/html"} | MEDIA_TYPES
        assert answer.headers["content-type"] == f"{media_type[name.rpartition('.')[2]]}; charset=utf-8"


@pytest.mark.parametrize("path", ["/", "/playground/main.js"])
def test_no_other_page_can_use_it(bundled_server: ServerUnderTest, path: str) -> None:
    headers = bundled_server.http.get(path).headers
    policy = dict(rule.split(" ", 1) for rule in headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'self'"
    assert policy["frame-ancestors"] == "'none'"
    assert policy["require-trusted-types-for"] == "'script'"
    assert "unsafe" not in headers["content-security-policy"]
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["cache-control"] == "no-cache"


def test_head_has_no_body(bundled_server: ServerUnderTest) -> None:
    answer = bundled_server.http.head("/")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) == (WEB / PAGE).stat().st_size


@pytest.mark.parametrize(
    "path",
    ["/playground/", "/playground/index.html", "/playground/..%2fapp.py", "/playground/%2e%2e/settings.py", "/main.js"],
)
def test_a_request_cannot_name_a_file(bundled_server: ServerUnderTest, path: str) -> None:
    answer = bundled_server.http.get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "invalid_request_error"


def test_the_page_is_no_part_of_the_api(bundled_server: ServerUnderTest) -> None:
    paths = bundled_server.http.get("/openapi.json").json()["paths"]
    assert "/v1/completions" in paths
    assert not [path for path in paths if path == "/" or path.startswith("/playground")]


@pytest.mark.parametrize("path", sorted(WEB.iterdir()), ids=lambda path: path.name)
def test_nothing_comes_from_elsewhere_or_is_parsed_as_html(path: Path) -> None:
    source = path.read_text()
    addresses = set(re.findall(r"(?:https?:)?//[\w.-]+\.\w+[^\s\"']*", source))
    assert addresses <= {"http://www.w3.org/2000/svg"}  # a name, not an address
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", source)
    assert not re.search(r"<script>|<style|\son\w+=|\sstyle=", source)
