"""BOS and EOS by the file agree with what a server does with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import pytest

from harness.models.gguf_tokens import SpecialTokens, special_tokens

if TYPE_CHECKING:
    from tests.conftest import ServerUnderTest


def test_a_server_says_the_same(server: ServerUnderTest, bundled: Path, no_bos: Path) -> None:
    info = server.http.get("/tokenizer_info").json()
    found = special_tokens(bundled if server.id == bundled.stem else no_bos)
    assert (found.bos, found.eos) == (info["bos_token"] if info["add_bos_token"] else "", info["eos_token"])
    prompt = server.http.post("/tokenize", json={"prompt": ""}).json()["tokens"]
    assert ([] if found.bos_id is None else [found.bos_id]) == prompt


@pytest.mark.parametrize(
    ("metadata", "bos"),
    [
        ({"tokenizer.ggml.add_bos_token": True}, "<s>"),
        ({"tokenizer.ggml.add_bos_token": False, "tokenizer.ggml.pre": "llama-bpe"}, ""),
        ({"tokenizer.ggml.add_bos_token": True, "tokenizer.ggml.bos_token_id": 10**6}, ""),
    ],
)
def test_the_file_has_the_last_word(
    make_llama: Callable[..., Path], tmp_path: Path, metadata: dict[str, object], bos: str
) -> None:
    path = make_llama(tmp_path / "model.gguf", metadata=metadata)
    assert special_tokens(path) == SpecialTokens(bos, "</s>", 0 if bos else None)


@pytest.mark.parametrize(
    ("kind", "pre", "bos"),
    [("gpt2", "llama-bpe", "<s>"), ("gpt2", "qwen2", ""), ("llama", "default", "<s>"), ("t5", "default", "")],
)
def test_where_the_file_does_not_say_llama_cpps_rule_holds(tmp_path: Path, kind: str, pre: str, bos: str) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["long enough", "<s>", "é", "</s>"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(3)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert special_tokens(tmp_path / "model.gguf") == SpecialTokens(bos, "</s>", 1 if bos else None)


def test_a_file_without_a_vocabulary_has_none(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert special_tokens(tmp_path / "model.gguf") == SpecialTokens("", "")
