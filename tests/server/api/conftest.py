"""Servers that several tests of the API ask."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest
    from tests.server.conftest import RawLlama

BOS = {"tokenizer.ggml.add_bos_token": True}


@pytest.fixture(scope="session")
def steady_bos_server(
    serve: Callable[..., ServerUnderTest],
    make_llama: Callable[..., Path],
    server_type: type[ServerUnderTest],
    tmp_path_factory: pytest.TempPathFactory,
) -> ServerUnderTest:
    """A model with BOS before its prompts, with results that come again."""
    return serve(make_llama(tmp_path_factory.mktemp("models") / "bos.gguf", metadata=BOS), *server_type.STEADY)


@pytest.fixture(params=["steady_server", "steady_bos_server"])
def steady(request: pytest.FixtureRequest) -> ServerUnderTest:
    """Two models with results that come again: without BOS, and with."""
    found: ServerUnderTest = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="session")
def ending(
    make_llama: Callable[..., Path],
    server_type: type[ServerUnderTest],
    serve: Callable[..., ServerUnderTest],
    raw_llama: Callable[..., RawLlama],
    no_bos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> ServerUnderTest:
    """A model that says after [5, 6, 7] that it has ended: the token it would generate means just that."""
    eos = int(raw_llama(no_bos, cache_type="f32").logprobs([5, 6, 7])[-1].argmax())
    return serve(make_llama(tmp_path_factory.mktemp("models") / "ending.gguf", eos=eos), *server_type.STEADY)
