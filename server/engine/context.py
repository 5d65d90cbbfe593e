"""llama.cpp's context: a KV cache over a model, and batches of tokens decoded with it."""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from gguf.constants import GGMLQuantizationType
from llama_cpp import llama_cpp as c
from numpy.typing import NDArray

from server.engine.llama import LlamaError, Model, NoRoom, complaints, reason

FLASH_ATTENTION = {"auto": -1, "off": 0, "on": 1}
"""llama.cpp's numbers; ``auto`` is on wherever the device can.

Without it, every token is multiplied with all cells of the cache, those of other sequences included: with 2,048 of
theirs in it, prompts took 2.4 times as long and tokens of 8 sequences 1.7 times (125M parameters, 2 cores). It moves
log-probabilities no more than what else is in the cache does without it.
"""


class Batch(NamedTuple):
    """Tokens for one ``llama_decode``: four arrays of equal length."""

    tokens: NDArray[np.int32]
    positions: NDArray[np.int32]
    sequences: NDArray[np.int32]
    """The sequence that each token belongs to."""
    flags: NDArray[np.int8]
    """1 where the logits after the token are wanted."""


def decode(context: Any, batch: Batch) -> None:
    """``llama_decode``; the batch is within the context's limits.

    Raises:
        NoRoom: the cache is full; nothing was decoded.
        LlamaError: any other failure; the context is not to be used again.
    """
    n = len(batch.tokens)
    # `batch` and these two outlive the call: the C side holds bare pointers into them.
    one_each = np.ones(n, dtype=np.int32)
    sequence_addresses = batch.sequences.ctypes.data + batch.sequences.itemsize * np.arange(n, dtype=np.uintp)
    int_pointer = ctypes.POINTER(ctypes.c_int32)
    raw: Any = c.llama_batch()  # its type hints name arrays, where pointers are what ctypes takes
    raw.n_tokens = n
    raw.token = batch.tokens.ctypes.data_as(int_pointer)
    raw.pos = batch.positions.ctypes.data_as(int_pointer)
    raw.n_seq_id = one_each.ctypes.data_as(int_pointer)
    raw.seq_id = sequence_addresses.ctypes.data_as(ctypes.POINTER(int_pointer))
    raw.logits = batch.flags.ctypes.data_as(ctypes.POINTER(ctypes.c_int8))
    status = c.llama_decode(context, raw)
    if status == 1:
        raise NoRoom("the KV cache has no room for this batch.")
    if status != 0:
        raise LlamaError(f"llama_decode failed with status {status}.")


class Context:
    """A KV cache over a model. Used by one thread only; ``decode`` releases the GIL."""

    def __init__(
        self,
        model: Model,
        *,
        cells: int,
        sequences: int,
        batch_size: int,
        rows: int,
        threads: int,
        cache_type_k: str,
        cache_type_v: str,
        flash_attention: str,
    ) -> None:
        """Allocate ``cells`` tokens of KV cache, shared by up to ``sequences`` sequences.

        ``batch_size`` tokens are decoded together at most, of which ``rows`` may want logits: llama.cpp keeps two
        arrays of [rows, n_vocab], 600 MB at 512 rows of a vocabulary of 152,000.

        Raises:
            LlamaError: llama.cpp could not; mostly for want of memory.
        """
        params = c.llama_context_default_params()
        params.n_ctx = cells
        params.n_batch = params.n_ubatch = batch_size
        params.n_outputs_max = max(rows, sequences)  # below n_seq_max llama.cpp aborts the process
        params.n_seq_max = sequences
        params.kv_unified = True  # copying a prefix between sequences is then free
        params.n_threads = params.n_threads_batch = threads
        params.type_k, params.type_v = (GGMLQuantizationType[name.upper()] for name in (cache_type_k, cache_type_v))
        params.flash_attn_type = FLASH_ATTENTION[flash_attention]
        params.no_perf = True
        complaints.clear()
        self._ctx = c.llama_init_from_model(model.handle, params)
        if not self._ctx:
            raise LlamaError(
                f"llama.cpp cannot make a cache of {cells} tokens in {cache_type_k} and {cache_type_v} ({reason()})."
            )
        self._memory = c.llama_get_memory(self._ctx)
        self.remembers = bool(self._memory)
        """Whether there is a cache at all: not where every token sees those after it, as in models that only embed."""
        self._turn = model.turn
        self.batch_size = batch_size
        self.rows = rows
        self._rows: NDArray[np.float32] | None = None
        self.cells: int = c.llama_n_ctx(self._ctx)
        self.n_vocab = model.n_vocab

    def decode(self, batch: Batch) -> NDArray[np.float32]:
        """Run the model over a batch.

        Returns:
            Logits ``[rows, n_vocab]`` of the tokens that want them, in batch order; the next call overwrites them.

        Raises:
            NoRoom: the cache is full; nothing was decoded.
            LlamaError: any other failure; the context is not to be used again.
        """
        n = len(batch.tokens)
        if not 0 < n <= self.batch_size:  # beyond n_batch llama.cpp aborts the process
            raise ValueError(f"a batch of {n} tokens, not 1 to {self.batch_size}")
        rows = int(batch.flags.sum())
        if rows > self.rows:  # beyond n_outputs_max likewise
            raise ValueError(f"a batch with {rows} rows, not at most {self.rows}")
        with self._turn:
            decode(self._ctx, batch)
        if rows == 0:
            return np.empty((0, self.n_vocab), dtype=np.float32)
        return self._logits()[:rows]

    def _logits(self) -> NDArray[np.float32]:
        """All rows there is room for. llama.cpp seldom moves them, and an array of a pointer takes 30 µs to make."""
        pointer = c.llama_get_logits(self._ctx)
        if self._rows is None or self._rows.ctypes.data != ctypes.cast(pointer, ctypes.c_void_p).value:
            self._rows = np.ctypeslib.as_array(pointer, shape=(self.rows, self.n_vocab))
        return self._rows

    def copy(self, source: int, target: int, length: int) -> None:
        """Let ``target`` (empty) begin with the first ``length`` tokens of ``source``; no memory is used."""
        c.llama_memory_seq_cp(self._memory, source, target, 0, length)

    def truncate(self, sequence: int, length: int) -> bool:
        """Forget a sequence from position ``length`` on; False if this kind of memory cannot."""
        return bool(c.llama_memory_seq_rm(self._memory, sequence, length, -1))

    def clear(self) -> None:
        """Forget all sequences, and overwrite their keys and values."""
        c.llama_memory_clear(self._memory, True)

    def close(self) -> None:
        """Free the cache."""
        c.llama_free(self._ctx)
