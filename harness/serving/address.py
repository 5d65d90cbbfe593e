"""Where an endpoint is: what people type for its URL, and what of it may be shown."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

import httpx

from harness.errors import UserError

_VERSION = re.compile(r"v\d\w*")
_SUCH_AS = "give one such as http://127.0.0.1:8000/v1."


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
    """The API that is meant: ``/v1`` is added where the path names no version. What stands after ``#`` is not read.

    Raises:
        UserError: it is no URL of HTTP, or one with a query. The sentence quotes nothing that may be secret.
    """
    place = text.strip().rpartition("@")[2].partition("?")[0]
    try:
        url = httpx.URL(text.strip())
    except (httpx.InvalidURL, UnicodeError):  # which quote a part of it, perhaps of a password
        raise UserError(f"{place!r} is no URL; {_SUCH_AS}") from None
    if url.scheme not in ("http", "https") or not url.host:
        raise UserError(f"{place!r} is no URL of an endpoint; {_SUCH_AS}")
    if "@" in url.path:
        raise UserError(
            f"{place!r} stands after an @ that is within a path; write a / of a name or password as %2F, or {_SUCH_AS}"
        )
    if url.query:
        raise UserError(f"{place!r} has a query after it, which no request would be sent with; {_SUCH_AS}")
    path = url.path.rstrip("/")
    if not any(_VERSION.fullmatch(part) for part in path.split("/")):
        path += "/v1"
    return Address(str(url.copy_with(path=path, query=None, fragment=None)))
