"""Vectors of whole texts: a second llama.cpp context that pools the states of all tokens, used by its own thread.

The context is made for the first request, since most servers are never asked for a vector.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from llama_cpp import llama_cpp as c
from numpy.typing import NDArray

from server.engine.context import FLASH_ATTENTION, Batch, decode
from server.engine.llama import LlamaError, Model
from server.engine.ticket import QueueFull, SequenceFailed, ShuttingDown

POOLINGS = {"mean": c.LLAMA_POOLING_TYPE_MEAN, "cls": c.LLAMA_POOLING_TYPE_CLS, "last": c.LLAMA_POOLING_TYPE_LAST}
MAX_TEXTS = 32
"""Decoded together."""


def own_pooling(model: Model) -> str | None:
    """How the model's makers pool its states; None where its file does not say, or means something else by it."""
    number = model.metadata(f"{model.metadata('general.architecture')}.pooling_type")
    return next((name for name, kind in POOLINGS.items() if str(kind) == number), None)


class PooledContext:
    """A llama.cpp context that gives one vector a sequence. Used by one thread only."""

    def __init__(self, model: Model, *, pooling: str, size: int, threads: int, flash_attention: str) -> None:
        """Make room for batches of ``size`` tokens.

        Raises:
            LlamaError: llama.cpp could not; mostly for want of memory.
        """
        params = c.llama_context_default_params()
        # All in one: llama.cpp pools what it computes at once, and aborts where attention to later tokens is cut off.
        params.n_ctx = params.n_batch = params.n_ubatch = size
        params.n_seq_max = min(MAX_TEXTS, size)  # above n_outputs_max, which is n_batch, llama.cpp aborts
        params.kv_unified = True
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = FLASH_ATTENTION[flash_attention]
        params.embeddings = True
        params.pooling_type = POOLINGS[pooling]
        params.no_perf = True
        self._ctx = c.llama_init_from_model(model.handle, params)
        if not self._ctx:
            raise LlamaError(f"llama.cpp cannot make a context of {size} tokens for embeddings.")
        self._memory = c.llama_get_memory(self._ctx)
        self._turn = model.turn
        self._n_embd = model.n_embd
        self.size = size
        self.texts: int = params.n_seq_max
        """Most texts in one batch."""

    def embed(self, texts: list[list[int]]) -> NDArray[np.float32]:
        """Pooled states ``[len(texts), n_embd]``.

        Raises:
            LlamaError: llama.cpp failed; the context is not to be used again.
        """
        n = sum(map(len, texts))
        if not 0 < n <= self.size or not 0 < len(texts) <= self.texts or not all(texts):  # llama.cpp would abort
            raise ValueError(f"a batch of {len(texts)} texts with {n} tokens")
        batch = Batch(
            np.concatenate(texts).astype(np.int32),
            np.concatenate([np.arange(len(text), dtype=np.int32) for text in texts]),
            np.repeat(np.arange(len(texts), dtype=np.int32), list(map(len, texts))),
            np.ones(n, np.int8),
        )
        with self._turn:
            if self._memory:
                c.llama_memory_clear(self._memory, False)
            decode(self._ctx, batch)
            return np.stack([self._vector(i) for i in range(len(texts))])

    def _vector(self, sequence: int) -> NDArray[np.float32]:
        pointer = c.llama_get_embeddings_seq(self._ctx, sequence)
        if not pointer:
            raise LlamaError("llama.cpp gave no vector for a text.")
        return np.ctypeslib.as_array(pointer, (self._n_embd,)).copy()

    def close(self) -> None:
        """Free it."""
        c.llama_free(self._ctx)


@dataclass(eq=False, slots=True)
class _Call:
    """The texts of one request."""

    texts: list[list[int]]
    wanted: bool = True
    """Until nobody waits for it any more."""


class Embedder:
    """Embeds texts, one request after the other."""

    def __init__(
        self, model: Model, *, pooling: str, size: int, threads: int, flash_attention: str, max_waiting: int
    ) -> None:
        """Start nothing yet; ``size`` is the most tokens that a text may have, ``max_waiting`` texts may wait."""
        self._model = model
        self.size = size
        self.pooling = pooling
        self._threads = threads
        self._flash_attention = flash_attention
        self._max_waiting = max_waiting
        self._waiting = 0
        self._closing = False
        self._context: PooledContext | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="embeddings")

    async def embed(self, texts: list[list[int]]) -> NDArray[np.float32]:
        """Unit vectors ``[len(texts), n_embd]`` of texts of 1 to ``size`` tokens.

        Raises:
            QueueFull: too much is waiting already.
            ShuttingDown: the server stops.
            SequenceFailed: llama.cpp failed, or gave what is no number.
        """
        if self._waiting + len(texts) > self._max_waiting:
            raise QueueFull
        if self._closing:
            raise ShuttingDown
        call = _Call(texts)
        self._waiting += len(texts)
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, self._compute, call)
        finally:
            call.wanted = False
            self._waiting -= len(texts)

    def close(self) -> None:
        """Stop after the current batch; what has not finished fails."""
        self._closing = True
        self._thread.shutdown()
        self._free()

    def _compute(self, call: _Call) -> NDArray[np.float32]:
        """Runs in the one thread that owns the context."""
        vectors = []
        try:
            if self._context is None and not self._closing:
                self._context = PooledContext(
                    self._model,
                    pooling=self.pooling,
                    size=self.size,
                    threads=self._threads,
                    flash_attention=self._flash_attention,
                )
            for texts in batches(call.texts, self.size):
                if self._closing or self._context is None:
                    raise ShuttingDown
                if not call.wanted:
                    break
                vectors.append(_to_length_one(self._context.embed(texts)))
        except LlamaError as error:
            self._free()
            raise SequenceFailed(str(error).removesuffix(".")) from error
        return np.concatenate(vectors) if vectors else np.empty((0, self._model.n_embd), np.float32)

    def _free(self) -> None:
        if self._context is not None:
            self._context.close()
            self._context = None


def batches(texts: list[list[int]], size: int) -> Iterator[list[list[int]]]:
    """Neighbours together, as many as have ``size`` tokens or fewer; each text alone has no more."""
    batch: list[list[int]] = []
    for text in texts:
        if batch and (sum(map(len, batch)) + len(text) > size or len(batch) == MAX_TEXTS):
            yield batch
            batch = []
        batch.append(text)
    if batch:
        yield batch


def _to_length_one(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each vector divided by its length, as OpenAI's are; one of zeros stays.

    Raises:
        SequenceFailed: one is not numbers.
    """
    lengths = np.linalg.norm(vectors.astype(np.float64), axis=1, keepdims=True)
    if not np.isfinite(lengths).all():
        raise SequenceFailed("the model's vector is not numbers")
    scaled: NDArray[np.float32] = (vectors / np.where(lengths == 0, 1, lengths)).astype(np.float32)
    return scaled
