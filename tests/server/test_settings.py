from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from server.settings import Settings

MODEL = Path("model.gguf")


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"QUANT_SERVER_{name.upper()}", raising=False)


def test_only_the_model_must_be_given() -> None:
    with pytest.raises(ValidationError, match="model"):
        Settings()  # type: ignore[call-arg]
    assert Settings(model=MODEL).model == MODEL


def test_defaults_serve_this_machine_alone() -> None:
    settings = Settings(model=MODEL)
    assert (settings.host, settings.port) == ("127.0.0.1", 8080)
    assert not settings.exit_with_stdin


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_has_a_line_of_help(name: str) -> None:
    description = Settings.model_fields[name].description
    assert description
    assert "\n" not in description


def test_every_setting_has_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    values: dict[str, Any] = {
        **{"model": MODEL, "host": "::1", "port": 1234, "fd": 5, "exit_with_stdin": True, "alias": "name"},
        **{"ctx_size": 64, "cache_size": 128, "slots": 3, "batch_size": 16, "threads": 2, "gpu_layers": 7},
        **{"cache_type_k": "q8_0", "cache_type_v": "f32", "flash_attention": "on", "max_waiting": 9},
        **{"log_level": "debug", "chat_template": Path(__file__), "pooling": "cls"},
    }
    assert values.keys() == Settings.model_fields.keys()
    for name, value in values.items():
        monkeypatch.setenv(f"QUANT_SERVER_{name.upper()}", str(value))
    assert Settings().model_dump() == values  # type: ignore[call-arg]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("port", -1),
        ("port", 65536),
        ("slots", 0),
        ("slots", 129),
        ("batch_size", 0),
        ("ctx_size", -1),
        ("cache_size", -1),
        ("threads", -1),
        ("max_waiting", 0),
        ("cache_type_k", "q8_1"),
        ("cache_type_v", "F16"),
        ("flash_attention", "yes"),
        ("log_level", "loud"),
    ],
)
def test_values_outside_their_limits_are_refused(name: str, value: object) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(model=MODEL, **{name: value})  # type: ignore[arg-type]
    (problem,) = caught.value.errors()
    assert problem["loc"] == (name,)
