"""The engine as the HTTP layer sees it: a model, and jobs that go in and come back as results."""

from __future__ import annotations

import asyncio
import os

import numpy as np

from server.engine.llama import Context, Model
from server.engine.scheduler import Scheduler
from server.engine.scoring import score_rows
from server.engine.sequence import Job, Result
from server.settings import Settings

DEFAULT_CONTEXT = 4096
"""Most tokens a sequence gets unless ``--ctx-size`` says more: a model's own 131,072 would take many GiB of cache."""


class Engine:
    """One loaded model and the thread that runs it."""

    def __init__(self, settings: Settings) -> None:
        """Load the model.

        Raises:
            LlamaError: the model could not be loaded, or its context not be allocated.
        """
        self.model = Model(settings.model, gpu_layers=settings.gpu_layers)
        self.context_size = settings.ctx_size or min(self.model.n_ctx_train, DEFAULT_CONTEXT)
        """Tokens that a prompt and its completion may have together."""
        cells = max(settings.cache_size or max(2 * self.context_size, DEFAULT_CONTEXT), self.context_size)
        self._context = Context(
            self.model,
            cells=cells,
            sequences=2 * settings.slots,
            batch_size=settings.batch_size,
            threads=settings.threads or usable_cores(),
            cache_type_k=settings.cache_type_k,
            cache_type_v=settings.cache_type_v,
            flash_attention=settings.flash_attention,
        )
        # Compiles the kernel, or loads it compiled: 1.5 s that the first request would wait otherwise.
        score_rows(np.zeros((1, self.model.n_vocab), np.float32), np.zeros(1, np.int32), 1)
        self.max_waiting = settings.max_waiting
        """Most completions that one request may ask for."""
        self._scheduler = Scheduler(self.model, self._context, slots=settings.slots, max_waiting=settings.max_waiting)

    async def run(self, jobs: list[Job]) -> list[Result]:
        """Results of all jobs, in order.

        Raises:
            QueueFull: too much is waiting already.
            SequenceFailed: at least one job failed.
        """
        return await asyncio.gather(*(asyncio.wrap_future(future) for future in self._scheduler.submit(jobs)))

    def close(self) -> None:
        """Stop the thread and free the model."""
        self._scheduler.close()
        self._context.close()
        self.model.close()


def usable_cores() -> int:
    """Cores that this process may run on; all of them where the system does not say."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
