from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any


def test_a_cache_that_fills_up_is_nothing_to_warn_of(serve: Callable[..., Any], bundled: Path) -> None:
    # Kept prompts take the cells that the last of these needs, so some of them have to make room.
    server = serve(bundled, "--ctx-size=512", "--cache-size=512", "--batch-size=512", "--slots=2", "--alias=quiet")
    for number in range(4):
        prompt = f"{number} one two three four five." * 3
        server.complete(prompt, max_tokens=1)
        server.complete([5 + number] * 500, max_tokens=1)
    assert "WARNING" not in server.log.read_text()
