from __future__ import annotations

from pathlib import Path

import pytest

from harness.hub_cache import cache_folder


@pytest.mark.parametrize(
    ("environment", "folder"),
    [
        ({"HF_HUB_CACHE": "a", "HUGGINGFACE_HUB_CACHE": "b", "HF_HOME": "c"}, "a"),
        ({"HF_HUB_CACHE": "", "HUGGINGFACE_HUB_CACHE": "b", "HF_HOME": "c"}, "b"),
        ({"HF_HOME": "c", "XDG_CACHE_HOME": "d"}, "c/hub"),
        ({"XDG_CACHE_HOME": "d"}, "d/huggingface/hub"),
        ({"HOME": "e"}, "e/.cache/huggingface/hub"),
        ({"HOME": "e", "HF_HUB_CACHE": "~/f"}, "e/f"),
        ({"HOME": "e", "HF_HOME": "$HOME/g"}, "e/g/hub"),
    ],
)
def test_the_first_variable_that_is_set_counts(
    environment: dict[str, str], folder: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert cache_folder("hub", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") == Path(folder)
