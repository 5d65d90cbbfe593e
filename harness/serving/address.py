"""Where an endpoint is: what people type for its URL, and what of it may be shown."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

import httpx

from harness.errors import UserError

_VERSION = re.compile(r"v\d\w*")


@dataclass(frozen=True, slots=True)
class Address:
    """The base URL of an OpenAI-compatible API; where it is shown, it has no user's name and no password."""

    url: str = field(repr=False)
    """As requests need it: with a version such as ``/v1``, without a slash at its end."""

    def __str__(self) -> str:
        return str(httpx.URL(self.url).copy_with(userinfo=b""))

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine, where no proxy stands between."""
        host = httpx.URL(self.url).host
        try:
            return ipaddress.ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"

    def at(self, path: str) -> str:
        """The URL of a route: ``models`` is below the API's version, ``../tokenize`` beside it."""
        return str(httpx.URL(f"{self.url}/").join(path))


def read_url(text: str) -> Address:
    """The API that is meant: ``/v1`` is added where the path names no version.

    Raises:
        UserError: it is no URL of HTTP.
    """
    try:
        url = httpx.URL(text.strip())
    except httpx.InvalidURL as error:
        raise UserError(f"{text!r} is no URL ({error}); give one such as http://127.0.0.1:8000/v1.") from error
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError(f"{_shown(url)!r} is no URL of an endpoint; give one such as http://127.0.0.1:8000/v1.")
    path = url.path.rstrip("/")
    if not any(_VERSION.fullmatch(part) for part in path.split("/")):
        path += "/v1"
    return Address(str(url.copy_with(path=path, query=None, fragment=None)))


def _shown(url: httpx.URL) -> str:
    return str(url.copy_with(userinfo=b"")) if url.userinfo else str(url)
