"""The engine as the HTTP layer sees it: a model, and jobs that go in and come back as results."""

from __future__ import annotations

import asyncio
import logging
import os

import numpy as np

from server.engine.context import Context
from server.engine.draft import epsilon
from server.engine.embedding import Embedder, own_pooling
from server.engine.llama import LlamaError, Model, uses_gpu
from server.engine.memory import Memory, gpu_free_bytes, peak_resident_bytes
from server.engine.meter import Meter
from server.engine.row_reader import RowReader
from server.engine.run import Run
from server.engine.scheduler import Scheduler
from server.engine.scoring import Scorer
from server.engine.sequence import Job
from server.engine.snapshot import Snapshot
from server.settings import Settings

logger = logging.getLogger("server.engine")

DEFAULT_CONTEXT = 4096
"""Most tokens a sequence gets unless ``--ctx-size`` says more: a model's own 131,072 would take many GiB of cache."""
ROW_BYTES = 192 << 20
"""Logits of one batch: llama.cpp holds them twice, and a vocabulary of 152,000 times 512 rows would be 600 MB."""

KEPT = 16
"""The part of the KV cache that finished prompts may hold, unless told otherwise, is one in so many."""


class Engine:
    """One loaded model and the thread that runs it."""

    def __init__(self, settings: Settings) -> None:
        """Load the model.

        Raises:
            LlamaError: the model could not be loaded, or its context not be allocated.
        """
        self.settings = settings
        self._gpu_free_at_first = gpu_free_bytes()
        self.model = Model(settings.model, gpu_layers=settings.gpu_layers)
        _ = self.model.longest_piece  # reads the whole vocabulary, which the first request would wait for otherwise
        self.context_size = settings.ctx_size or min(self.model.n_ctx_train, DEFAULT_CONTEXT)
        """Tokens that a prompt and its completion may have together."""
        if self.context_size > self.model.n_ctx_train and not self.model.rotates:
            raise LlamaError(
                f"{settings.model}: this model has positions for {self.model.n_ctx_train} tokens only; choose a "
                f"--ctx-size of at most that."
            )
        if self.context_size > self.model.n_ctx_train:
            logger.warning(
                "the model was trained on %d tokens of context; with --ctx-size %d, what it says and scores beyond "
                "is likely to be poor",
                self.model.n_ctx_train,
                self.context_size,
            )
        self.slots = settings.slots
        """Sequences decoded together."""
        cells = max(settings.cache_size or max(2 * self.context_size, DEFAULT_CONTEXT), self.context_size)
        threads = settings.threads or usable_cores()
        self._context = Context(
            self.model,
            cells=cells,
            sequences=2 * settings.slots,
            batch_size=settings.batch_size,
            rows=min(settings.batch_size, max(settings.slots, ROW_BYTES // (4 * self.model.n_vocab))),
            threads=threads,
            cache_type_k=settings.cache_type_k,
            cache_type_v=settings.cache_type_v,
            flash_attention=settings.flash_attention,
        )
        scorer = Scorer(threads)
        # Compiles the kernel, or loads it compiled: seconds that the first request would wait otherwise.
        scorer.score(np.zeros((1, self.model.n_vocab), np.float32), np.zeros(1, np.intp), np.zeros(1, np.int32), 1)
        self.row_threads = scorer.threads
        """For sinks, which work in the scorer's place."""
        self.max_waiting = settings.max_waiting
        """Most completions that one request may ask for."""
        self.meter = Meter(settings.model_id)
        self._scheduler = Scheduler(
            self.model,
            self._context,
            RowReader(scorer, overlap=uses_gpu(settings.gpu_layers), epsilon=epsilon(self.model)),
            slots=settings.slots,
            max_waiting=settings.max_waiting,
            prefix_cache=settings.prefix_cache_size or cells // KEPT,
            score_cache=settings.score_cache_mib << 20,
            meter=self.meter,
        )

        pooling = settings.pooling or own_pooling(self.model)
        self.embedder = (
            Embedder(
                self.model,
                pooling=pooling,
                size=min(settings.batch_size, self.context_size, self.model.n_ctx_train),
                threads=threads,
                flash_attention=settings.flash_attention,
                max_waiting=settings.max_waiting,
            )
            if pooling is not None and self.model.can_embed
            else None
        )
        """For models that embed texts, or are told to."""

    @property
    def generates(self) -> bool:
        """Whether there are completions: not of models that only embed, nor where a decoder waits for an encoder."""
        return self._context.remembers and not self.model.has_encoder

    def start(self, jobs: list[Job], *, stream: bool = False) -> Run:
        """Begin the jobs of one request; to be used in an ``async with``.

        Raises:
            QueueFull: too much is waiting already.
            ShuttingDown: the engine takes no more.
        """
        return Run(self._scheduler, jobs, stream=stream)

    async def snapshot(self) -> Snapshot:
        """Who is in the KV cache, once the current batch is done."""
        return await asyncio.wrap_future(self._scheduler.snapshot())

    async def forget(self) -> None:
        """Give up what finished requests left in the KV cache, and what is remembered of scores."""
        await asyncio.wrap_future(self._scheduler.forget())

    def memory(self) -> Memory:
        """What the process took so far."""
        free = gpu_free_bytes()
        return Memory(peak_resident_bytes(), max(0, self._gpu_free_at_first - free), free)

    def stop(self) -> None:
        """Stop the thread, failing what has not finished. Results can still be read: the model is there yet."""
        self._scheduler.close()
        if self.embedder is not None:
            self.embedder.close()

    def close(self) -> None:
        """Stop, and free the model."""
        self.stop()
        self._context.close()
        self.model.close()


def usable_cores() -> int:
    """Cores that this process may run on; all of them where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
