"""Models as the engine sees them, and llama.cpp driven by hand beside them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from engine_parts import BROKEN

from server.engine.llama import Model

if TYPE_CHECKING:
    from tests.server.conftest import RawLlama


@pytest.fixture(scope="package")
def model(no_bos: Path) -> Iterator[Model]:
    """Random weights; no BOS before its prompts."""
    model = Model(no_bos, gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="package")
def world(bundled: Path) -> Iterator[Model]:
    """The bundled model; BOS before its prompts."""
    model = Model(bundled, gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="package")
def broken_model(make_llama: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Model]:
    """Random weights, and one token, ``BROKEN``, after which nothing is a number."""
    path = make_llama(tmp_path_factory.mktemp("models") / "broken.gguf", broken_token=BROKEN)
    model = Model(path, gpu_layers=0)
    yield model
    model.close()


@pytest.fixture(scope="package")
def steady_llama(raw_llama: Callable[..., RawLlama], no_bos: Path) -> RawLlama:
    """The model of random weights, driven by hand."""
    return raw_llama(no_bos, cache_type="f32")
