"""Tiny random models whose memory is no plain KV cache: a sliding window, a running state, or layers of both kinds."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

WIDTH = 64
LAYERS = 2
HEADS = 4
WINDOW = 8
"""Tokens that the sliding window reaches back."""
STATE, RANK, KERNEL = 16, 4, 4
Tensors = Iterator[tuple[str, NDArray[np.float32]]]


def write_tiny(path: Path, architecture: str, vocabulary: Path) -> Path:
    """Write a model of an ``architecture``, gemma2, mamba or jamba, with the vocabulary of another file and no BOS.

    Weights are F32, so that what is decoded together hardly moves results.
    """
    writer = gguf.GGUFWriter(path, architecture)
    writer.add_context_length(1024)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_head_count(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    if architecture == "gemma2":
        writer.add_head_count_kv(HEADS)
        writer.add_key_length(WIDTH // HEADS)
        writer.add_value_length(WIDTH // HEADS)
        writer.add_sliding_window(WINDOW)
    else:
        writer.add_head_count_kv([0, HEADS] if architecture == "jamba" else 0)
        writer.add_ssm_conv_kernel(KERNEL)
        writer.add_ssm_inner_size(2 * WIDTH)
        writer.add_ssm_state_size(STATE)
        writer.add_ssm_time_step_rank(RANK)
    n_vocab = _copy_vocabulary(writer, vocabulary)
    rng = np.random.default_rng(0)
    for name, values in _tensors(rng, architecture, n_vocab):
        writer.add_tensor(name, values)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _copy_vocabulary(writer: gguf.GGUFWriter, vocabulary: Path) -> int:
    fields = gguf.GGUFReader(vocabulary).fields
    for name, field in fields.items():
        if name.startswith("tokenizer"):
            contents = False if name == "tokenizer.ggml.add_bos_token" else field.contents()
            writer.add_key_value(name, contents, field.types[0], field.types[-1] if len(field.types) > 1 else None)
    return len(fields["tokenizer.ggml.tokens"].data)


def _tensors(rng: np.random.Generator, architecture: str, n_vocab: int) -> Tensors:
    yield "token_embd.weight", _random(rng, n_vocab, WIDTH, scale=0.5)
    yield "output_norm.weight", _ones(WIDTH)
    if architecture != "gemma2":  # which has no matrix of its own for this
        yield "output.weight", _random(rng, n_vocab, WIDTH, scale=3 * WIDTH**-0.5)
    for layer in range(LAYERS):
        is_recurrent = architecture == "mamba" or (architecture == "jamba" and layer == 0)
        parts = [_state(rng, normed=architecture == "jamba") if is_recurrent else _attention(rng)]
        if architecture != "mamba":
            parts.append(_feed_forward(rng))
        if architecture == "gemma2":
            parts.append(iter((f"{name}_norm.weight", _ones(WIDTH)) for name in ("post_attention", "post_ffw")))
        for part in parts:
            for name, values in part:
                yield f"blk.{layer}.{name}", values


def _attention(rng: np.random.Generator) -> Tensors:
    yield "attn_norm.weight", _ones(WIDTH)
    for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
        yield f"{name}.weight", _random(rng, WIDTH, WIDTH)


def _feed_forward(rng: np.random.Generator) -> Tensors:
    yield "ffn_norm.weight", _ones(WIDTH)
    yield "ffn_gate.weight", _random(rng, 2 * WIDTH, WIDTH)
    yield "ffn_up.weight", _random(rng, 2 * WIDTH, WIDTH)
    yield "ffn_down.weight", _random(rng, WIDTH, 2 * WIDTH)


def _state(rng: np.random.Generator, *, normed: bool) -> Tensors:
    inner = 2 * WIDTH
    yield "attn_norm.weight", _ones(WIDTH)
    yield "ssm_in.weight", _random(rng, 2 * inner, WIDTH)
    yield "ssm_conv1d.weight", _random(rng, inner, KERNEL, scale=0.5)
    yield "ssm_conv1d.bias", _random(rng, inner, scale=0.1)
    yield "ssm_x.weight", _random(rng, RANK + 2 * STATE, inner)
    yield "ssm_dt.weight", _random(rng, inner, RANK)
    yield "ssm_dt.bias", _random(rng, inner, scale=0.1)
    yield "ssm_a", -np.tile(np.arange(1, STATE + 1, dtype=np.float32) / STATE, (inner, 1))  # forgets, at several rates
    yield "ssm_d", _ones(inner)
    yield "ssm_out.weight", _random(rng, WIDTH, inner)
    if normed:
        for name, size in (("dt", RANK), ("b", STATE), ("c", STATE)):
            yield f"ssm_{name}_norm.weight", _ones(size)


def _random(rng: np.random.Generator, *shape: int, scale: float | None = None) -> NDArray[np.float32]:
    return rng.normal(0, shape[-1] ** -0.5 if scale is None else scale, shape).astype(np.float32)


def _ones(size: int) -> NDArray[np.float32]:
    return np.ones(size, np.float32)
