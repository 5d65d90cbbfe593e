"""BOS and EOS by the file agree with what a server does with it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import gguf
import llama_cpp
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


@pytest.mark.parametrize("said", [None, False, True])
@pytest.mark.parametrize(
    ("kind", "pre"),
    [
        *(("gpt2", pre) for pre in ("default", "qwen2", "llama3", "llama-v3", "llama-bpe", "falcon3", "falcon-h1")),
        *(("gpt2", pre) for pre in ("pixtral", "midm-2.0", "lfm2", "jina-v5-nano", "tekken", "chameleon")),
        *(("gpt2", pre) for pre in ("gemma4", "granite-embed-multi-311m")),
        *(("gemma4", "default"), ("whitespace", "llama-bpe"), ("hybriddna", "llama-bpe")),
        *(("llama", "default"), ("llama", "gemma4"), ("t5", "llama-bpe")),
    ],
)
def test_llama_cpp_puts_bos_before_the_same_texts(tmp_path: Path, kind: str, pre: str, said: bool | None) -> None:
    path = tmp_path / "model.gguf"
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_tokenizer_model(kind)
    writer.add_tokenizer_pre(pre)
    writer.add_token_list(["long enough", "<s>", "é", "</s>", "\n", "<unk>"])
    writer.add_token_scores([0.0] * 6)
    writer.add_token_types([1, 3, 1, 3, 1, 2])
    writer.add_token_merges(["l o"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(3)
    writer.add_unk_token_id(5)
    if said is not None:
        writer.add_add_bos_token(said)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    bos = "<s>" if adds_bos(path) else ""
    assert special_tokens(path) == SpecialTokens(bos, "</s>", 1 if bos else None)


def adds_bos(path: Path) -> bool:
    """What llama.cpp makes of a vocabulary."""
    params = llama_cpp.llama_model_default_params()
    params.vocab_only = True
    model = llama_cpp.llama_model_load_from_file(str(path).encode(), params)
    assert model
    found = llama_cpp.llama_vocab_get_add_bos(llama_cpp.llama_model_get_vocab(model))
    llama_cpp.llama_model_free(model)
    return bool(found)


def test_a_file_without_a_vocabulary_has_none(tmp_path: Path) -> None:
    writer = gguf.GGUFWriter(tmp_path / "model.gguf", "llama")
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    assert special_tokens(tmp_path / "model.gguf") == SpecialTokens("", "")
