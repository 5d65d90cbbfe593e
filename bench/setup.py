"""What both sides of every comparison have in common, and how each program is told."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import gguf


class BenchError(Exception):
    """A measurement cannot be made; the message is one sentence."""


def cores() -> int:
    """Cores that this process may run on; all of them where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@dataclass(frozen=True, kw_only=True)
class Setup:
    """Parameters of the llama.cpp context, the same on both sides of a comparison."""

    threads: int = field(default_factory=cores)
    """Threads that compute; the client shares their cores."""
    batch: int = 512
    """Most tokens in one ``llama_decode`` (n_batch) and in one pass of it (n_ubatch)."""
    cells: int = 8192
    """Tokens in the KV cache."""
    context: int = 4096
    """Tokens of the longest prompt with its completion."""
    slots: int = 16
    """Sequences that our server decodes together."""
    cache_type: str = "f16"
    """Type of keys and values in the KV cache."""
    peers_unified: bool = False
    """Whether llama.cpp's tools share one cache among all sequences, as our server does. By default they divide it:
    then a sequence attends to its own cells only, which is faster, but a prefix cannot be shared."""
    flash_attention: str = "on"
    """``on`` or ``off``; never ``auto``, which the two sides may read differently."""

    def for_our_server(self) -> list[str]:
        """Options of ``python -m server``."""
        return [
            f"--threads={self.threads}",
            f"--batch-size={self.batch}",
            f"--cache-size={self.cells}",
            f"--ctx-size={self.context}",
            f"--slots={self.slots}",
            f"--cache-type-k={self.cache_type}",
            f"--cache-type-v={self.cache_type}",
            f"--flash-attention={self.flash_attention}",
        ]

    def for_llama_cpp(self) -> list[str]:
        """Options that all of llama.cpp's tools share."""
        options = {
            "--threads": self.threads,
            "--threads-batch": self.threads,
            "--batch-size": self.batch,
            "--ubatch-size": self.batch,
            "--cache-type-k": self.cache_type,
            "--cache-type-v": self.cache_type,
            "--flash-attn": self.flash_attention,
        }
        return [str(part) for option in options.items() for part in option]

    def cache_for_llama_cpp(self) -> list[str]:
        """Options for the KV cache of those tools that decode for many clients."""
        return ["--ctx-size", str(self.cells), "--kv-unified" if self.peers_unified else "--no-kv-unified"]


@dataclass(frozen=True, kw_only=True)
class Inputs:
    """What a run of the benchmark is given."""

    setup: Setup
    scratch: Path
    """Folder for logs and for files that tools read; removed at the end."""
    rounds: int
    seed: int
    say: Callable[[str], None]
    """Tells people what is going on."""
    tools: Path | None = None
    """Folder of llama.cpp's tools."""
    model: Path | None = None
    """GGUF of an ordinary vocabulary."""
    wide_model: Path | None = None
    """GGUF of a large vocabulary."""
    hellaswag: Path | None = None
    """Parquet file of HellaSwag's validation split."""
    draft_model: Path | None = None
    """F16 GGUF whose answers are predictions for its quantizations."""
    draft_text: Path | None = None
    """What those go on from; the bundled model's world if None."""
    clients: tuple[int, ...] = (1, 4, 8, 16)
    """Numbers of parallel clients that decode."""
    prompts: int = 16
    """512-token prompts that are scored in a round."""
    items: int = 400
    """Items of HellaSwag, in all rounds together."""
    bare_rows: int | None = None
    """Most rows of logits that a batch of the bare loop asks for; as many as it has tokens if None."""


def kv_cache_bytes(model: Path, setup: Setup) -> int:
    """Bytes that keys and values take, from the model's shape."""
    fields = gguf.GGUFReader(model).fields

    def fact(name: str, default: int | None = None) -> int:
        found = fields.get(f"{architecture}.{name}")
        if found is None and default is None:
            raise BenchError(f"{model.name}: its metadata has no {architecture}.{name}; choose another model.")
        return int(found.contents()) if found is not None else int(default or 0)

    architecture = fields["general.architecture"].contents()
    heads = fact("attention.head_count")
    head_size = fact("embedding_length") // heads
    key, value = fact("attention.key_length", head_size), fact("attention.value_length", head_size)
    elements = fact("block_count") * fact("attention.head_count_kv", heads) * (key + value) * setup.cells
    block, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[setup.cache_type.upper()]]
    return elements // block * size
