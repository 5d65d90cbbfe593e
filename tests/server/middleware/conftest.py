"""A server with everything turned on that keeps people out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from guards import KEYS

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


@pytest.fixture(scope="session")
def guarded(
    serve: Callable[..., ServerUnderTest], bundled: Path, tmp_path_factory: pytest.TempPathFactory
) -> ServerUnderTest:
    """Three keys, two names, bodies of 1 MiB."""
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(f"\n  {KEYS[2]}  \n\n")
    return serve(
        bundled,
        *("--api-key", f"{KEYS[0]},{KEYS[1]}", "--api-key-file", str(file)),
        *("--allowed-hosts=Models.example,other.example", "--max-body-mib=1"),
    )


@pytest.fixture(scope="session")
def key() -> str:
    """A key of that server."""
    return KEYS[0]


@pytest.fixture(scope="session")
def refusal() -> Callable[..., dict[str, Any]]:
    """The error of an answer that has this status, after a look at what all of them have in common."""

    def get(answer: httpx.Response, status: int) -> dict[str, Any]:
        assert answer.status_code == status, answer.text
        assert answer.headers["x-request-id"].startswith("req-")
        assert len(answer.content) < 1300
        error: dict[str, Any] = answer.json()["error"]
        assert error.keys() == {"message", "type", "param", "code"}
        assert error["message"].endswith(".")
        return error

    return get
