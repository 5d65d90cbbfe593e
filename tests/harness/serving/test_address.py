from __future__ import annotations

import pytest

from harness.errors import UserError
from harness.serving.address import read_url

URLS = {
    "http://127.0.0.1:8000": "http://127.0.0.1:8000/v1",
    "http://127.0.0.1:8000/": "http://127.0.0.1:8000/v1",
    " http://127.0.0.1:8000/v1/ ": "http://127.0.0.1:8000/v1",
    "https://host/api/v1": "https://host/api/v1",
    "https://host/openai": "https://host/openai/v1",
    "https://host/v1beta/openai/": "https://host/v1beta/openai",
    "http://[::1]:3#c": "http://[::1]:3/v1",
    "http://me@host/v1": "http://me@host/v1",
}


@pytest.mark.parametrize(("typed", "url"), URLS.items())
def test_a_url_is_that_of_the_api(typed: str, url: str) -> None:
    assert read_url(typed).url == url


@pytest.mark.parametrize("typed", ["", "host:80", "ftp://host/v1", "http://", "http://a:b:c/", "file:///etc/passwd"])
def test_anything_else_is_refused_in_one_sentence(typed: str) -> None:
    with pytest.raises(UserError, match=r"give one such as http://127\.0\.0\.1:8000/v1\.$"):
        read_url(typed)


def test_what_is_shown_has_no_name_and_no_password() -> None:
    address = read_url("http://me:secret@host:1/v1")
    assert str(address) == "http://host:1/v1"
    assert address.url == "http://me:secret@host:1/v1"
    assert "secret" not in f"{address!r} {address}"


SECRETS = [
    "ftp://me:secret@host",
    "http://me:p/secret@host/v1",
    "http://me:p#secret@host/v1",
    "http://me:1/secret@host/v1",
    "http://me:1?secret@host/v1",
    "http://me:secret@host:port/v1",
    "http://me:a@secret@[host]/v1",
    "http://host:x/v1?key=secret",
    "http://host/v1?key=secret",
    "http://host/v1?api-version=secret",
]


@pytest.mark.parametrize("typed", SECRETS)
def test_what_is_refused_is_not_quoted_where_it_may_be_secret(typed: str) -> None:
    with pytest.raises(UserError, match=r"^'[^']*host.*give one such as http://127\.0\.0\.1:8000/v1\.$") as caught:
        read_url(typed)
    assert "secret" not in str(caught.value)


def test_a_query_is_refused_with_the_reason() -> None:
    with pytest.raises(UserError, match=r"^'https://host/v1' has a query after it, which no request would be sent"):
        read_url("https://host/v1?api-version=2024-10-21")


def test_routes_are_below_the_version_or_beside_it() -> None:
    address = read_url("https://host/api")
    assert (address.at("models"), address.at("../tokenize")) == (
        "https://host/api/v1/models",
        "https://host/api/tokenize",
    )


@pytest.mark.parametrize(
    ("host", "is_local"),
    [("127.0.0.1", True), ("127.1.2.3", True), ("localhost", True), ("[::1]", True), ("10.0.0.1", False), ("h", False)],
)
def test_only_this_machine_needs_no_proxy(host: str, is_local: bool) -> None:
    assert read_url(f"http://{host}:80/").is_local == is_local
