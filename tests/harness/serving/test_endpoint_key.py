from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.doctor.patient import Patient
from harness.errors import UserError
from harness.serving.address import read_url
from harness.serving.endpoint import Endpoint
from harness.serving.key import read_key
from harness.serving.transport import Transport

URL = "http://127.0.0.1:9/v1"
USES: dict[str, Callable[[str], object]] = {
    "alone": read_key,
    "harness run": lambda key: Endpoint(URL, "m", key=key),
    "harness doctor": lambda key: Patient(URL, key),
}


@pytest.mark.parametrize(
    ("typed", "key"), [(None, None), ("", None), (" \r\n", None), ("sk-1 a\r\n", "sk-1 a"), ("\tsk~", "sk~")]
)
def test_a_key_is_what_stands_between_white_space(typed: str | None, key: str | None) -> None:
    assert read_key(typed) == key


@pytest.mark.parametrize("typed", ["s3cret-é", "s3c\r\nret", "s3c\x00ret", "s3cret\udcff", "s3\u200bcret"])
@pytest.mark.parametrize("use", USES.values(), ids=USES)
def test_what_no_header_can_hold_is_refused_and_not_quoted(typed: str, use: Callable[[str], object]) -> None:
    with pytest.raises(UserError, match=r"^the endpoint's key holds something else than printable ASCII") as caught:
        use(typed)
    assert "s3" not in str(caught.value)
    assert caught.value.__context__ is None


def test_a_line_end_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "another")
    transport = Transport(read_url(URL), "m", key="sk-1\r\n")
    assert transport.client.api_key == "sk-1"
    transport.close()
