"""A real little Llama as a GGUF file: one layer of width 256, random weights, a byte-level vocabulary of 300 tokens."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import gguf
import numpy as np
import pytest
from hub_stand_in import NAME, Repo, StandIn

WIDTH = 256
N_TOKENS = 300
MATRICES = ("attn_q", "attn_k", "attn_v", "attn_output", "ffn_gate", "ffn_up", "ffn_down")


def byte_letters() -> list[str]:
    """GPT-2's printable stand-in for each of the 256 bytes."""
    printable = [*range(ord("!"), ord("~") + 1), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    hidden = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) if byte in printable else chr(256 + hidden.index(byte)) for byte in range(256)]


def vocabulary() -> tuple[list[str], list[str]]:
    """300 tokens (bytes, an end-of-text mark, two-letter words) and the merges that make the words."""
    letters = byte_letters()
    pairs = [(a, b) for a in "aeiou" for b in "bcdfghjkl"][: N_TOKENS - 257]
    return [*letters, "<|endoftext|>", *(a + b for a, b in pairs)], [f"{a} {b}" for a, b in pairs]


def write_model(path: Path, dtype: type[np.floating] = np.float16, width: int = WIDTH, **metadata: str) -> Path:
    """Write the little Llama; ``metadata`` adds string keys, with two underscores standing for a dot."""
    rng = np.random.default_rng(0)
    tokens, merges = vocabulary()
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_name("little llama")
    writer.add_file_type(gguf.LlamaFileType.ALL_F32 if dtype is np.float32 else gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_feed_forward_length(width)
    writer.add_block_count(1)
    writer.add_head_count(4)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([3 if token == "<|endoftext|>" else 1 for token in tokens])
    writer.add_token_merges(merges)
    writer.add_bos_token_id(256)
    writer.add_eos_token_id(256)
    for key, value in metadata.items():
        writer.add_string(key.replace("__", "."), value)
    writer.add_tensor("token_embd.weight", rng.normal(0, 0.02, (N_TOKENS, width)).astype(dtype))
    for norm in ("output_norm", "blk.0.attn_norm", "blk.0.ffn_norm"):
        writer.add_tensor(f"{norm}.weight", np.ones(width, np.float32))
    for matrix in MATRICES:
        writer.add_tensor(f"blk.0.{matrix}.weight", rng.normal(0, 0.02, (width, width)).astype(dtype))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def write_imatrix(
    path: Path, sums: list[list[float]] | None = None, counts: Sequence[float] = (4.0,), block: int = 0
) -> Path:
    """Write an importance matrix for the little Llama, in the form that llama-imatrix writes now.

    ``sums`` has a row for each expert, ``counts`` a number; without ``sums`` there is one row of random ones.
    """
    rng = np.random.default_rng(1)
    writer = gguf.GGUFWriter(path, "")
    writer.add_type("imatrix")
    for matrix in MATRICES:
        values = rng.uniform(1, 8, (1, WIDTH)) if sums is None else np.array(sums)
        writer.add_tensor(f"blk.{block}.{matrix}.weight.in_sum2", values.astype(np.float32))
        if counts:
            writer.add_tensor(f"blk.{block}.{matrix}.weight.counts", np.array([counts], np.float32).T.copy())
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.fixture(scope="package")
def make_model() -> Callable[..., Path]:
    """:func:`write_model`, for a little Llama with something changed."""
    return write_model


@pytest.fixture(scope="package")
def make_imatrix() -> Callable[..., Path]:
    """:func:`write_imatrix`."""
    return write_imatrix


@pytest.fixture(scope="package")
def little_f16(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The little Llama with F16 matrices. All tests read it, so none may change it."""
    return write_model(tmp_path_factory.mktemp("models") / "little-F16.gguf")


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, little_f16: Path) -> Iterator[StandIn]:
    """A Hub with the little Llama in one repository, an empty cache, and none of the user's own settings."""
    for name in list(os.environ):
        if name.startswith(("HF_", "HUGGINGFACE_")) and name != "HF_HUB_DISABLE_TELEMETRY":
            monkeypatch.delenv(name)
    with StandIn() as stand_in:
        stand_in.repos[NAME] = Repo({"README.md": b"# Little", "Little-F16.gguf": little_f16.read_bytes()})
        monkeypatch.setenv("HF_ENDPOINT", stand_in.url)
        monkeypatch.setenv("HF_HOME", str(tmp_path / "home"))
        monkeypatch.setenv("HF_TOKEN", "hf_ours")
        yield stand_in
