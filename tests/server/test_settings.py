from __future__ import annotations

import hashlib
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
        "divergence_dir": Path(__file__).parent,
        **{
            "score_cache_mib": 5,
            "prefix_cache_size": 300,
            "request_timeout": 1.5,
            "allow_grammars": True,
            "drain_seconds": 0.5,
        },
        **{"max_body_mib": 2, "allowed_hosts": ("a.example", "b.example"), "api_key_file": Path(__file__)},
        "api_key": ("one", "two"),
    }
    assert values.keys() == Settings.model_fields.keys()
    for name, value in values.items():
        shown = ",".join(value) if isinstance(value, tuple) else str(value)
        monkeypatch.setenv(f"QUANT_SERVER_{name.upper()}", shown)
    digests = tuple(map(sha256, values["api_key"]))
    assert Settings().model_dump() == values | {"api_key": digests}  # type: ignore[call-arg]


def sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def test_keys_are_known_by_their_digests_alone(tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_text("  third \n\nfo,urth\r\n")
    settings = Settings(model=MODEL, api_key="first, s\u00e9cond", api_key_file=file)  # type: ignore[arg-type]
    assert settings.key_digests == tuple(map(sha256, ("first", "s\u00e9cond", "third", "fo,urth")))
    assert "first" not in repr(settings)
    assert Settings(model=MODEL).key_digests == ()


@pytest.mark.parametrize("keys", ["", "a,", ",", "a,,b", " "])
def test_a_key_of_nothing_is_refused(keys: str) -> None:
    with pytest.raises(ValidationError, match="an API key must not be empty"):
        Settings(model=MODEL, api_key=keys)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "holds no keys"), (b" \n\n", "holds no keys"), (b"\xff", "read as")]
)
def test_a_file_without_keys_is_refused(content: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "keys").write_bytes(content)
    with pytest.raises(ValidationError, match=said):
        Settings(model=MODEL, api_key_file=tmp_path / "keys")


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
        ("max_body_mib", 0),
        ("drain_seconds", -1),
        ("request_timeout", 0),
        ("score_cache_mib", -1),
        ("prefix_cache_size", -1),
        ("api_key_file", "nowhere"),
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
