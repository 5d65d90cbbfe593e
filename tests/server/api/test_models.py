from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import openai
import pytest

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def test_the_one_model_is_listed(bundled_server: ServerUnderTest, bundled: Path) -> None:
    (model,) = bundled_server.openai.models.list().data
    assert (model.id, model.object, model.owned_by) == (bundled.stem, "model", "quant-harness")
    assert time.time() - 3600 < model.created <= time.time()
    tensors = gguf.GGUFReader(bundled).tensors
    size = {"n_params": sum(int(t.n_elements) for t in tensors), "size": sum(int(t.n_bytes) for t in tensors)}
    assert model.model_extra == {"max_model_len": 2048, "meta": {"n_vocab": 1024, "n_ctx_train": 2048, **size}}
    assert bundled_server.openai.models.retrieve(bundled.stem) == model
    assert bundled_server.http.get("/v1/models").json()["object"] == "list"


def test_a_name_may_have_slashes(steady_server: ServerUnderTest) -> None:
    assert steady_server.id == "test/steady"
    assert steady_server.http.get("/v1/models/test/steady").json()["id"] == "test/steady"
    assert steady_server.openai.models.retrieve("test/steady").id == "test/steady"
    assert steady_server.complete("a", max_tokens=1).model == "test/steady"


@pytest.mark.parametrize("name", ["gpt-4", "world-f16.gguf", "world-f16/"])
def test_another_model_is_not_there(bundled_server: ServerUnderTest, name: str) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        bundled_server.openai.models.retrieve(name)
    assert (caught.value.code, caught.value.param) == ("model_not_found", "model")
    assert name in caught.value.message
