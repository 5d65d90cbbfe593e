"""``POST /v1/divergence``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager

import numpy as np
from fastapi import APIRouter, Request, Response
from numpy.typing import NDArray
from pydantic_core import to_json

from server.api.execution import results
from server.api.jobs import check_model
from server.api.prompts import check_ids
from server.api.state import Served, ServedModel
from server.divergence.directory import Directory, cannot
from server.divergence.errors import (
    BrokenStore,
    NoSpace,
    OtherStore,
    StoreBusy,
    StoreError,
    UnknownStore,
    UnusableStore,
)
from server.divergence.formats import COMPACT, EXACT
from server.divergence.layout import Layout
from server.divergence.llama_file import LlamaLayout
from server.divergence.llama_file import check as check_llama
from server.divergence.measures import as_columns
from server.divergence.own_file import OwnLayout
from server.divergence.store import Comparer, Recorder, Sink, Store
from server.engine.sequence import Job
from server.protocol.divergence import CompareAnswer, DivergenceRequest, RecordAnswer
from server.protocol.errors import (
    ApiError,
    ContextTooLong,
    EngineFailure,
    InvalidRequest,
    NotOffered,
    StorageFull,
    StoreDamaged,
    StoreInUse,
    StoreNotFound,
)

router = APIRouter()

_ANSWERS: dict[type[StoreError], type[ApiError]] = {
    UnknownStore: StoreNotFound,
    StoreBusy: StoreInUse,
    OtherStore: InvalidRequest,
    BrokenStore: StoreDamaged,
    NoSpace: StorageFull,
    UnusableStore: ApiError,
}


@router.post("/v1/divergence", response_model=RecordAnswer | CompareAnswer)
async def divergence(body: DivergenceRequest, request: Request, served: ServedModel) -> Response:
    """Record next-token distributions of windows of tokens, or compare the model's own with recorded ones."""
    check_model(body.model, served)
    body.check()
    directory = _directory(served)
    _check_windows(body, served)
    work = _record if body.mode == "record" else _compare
    return Response(await work(body, request, served, directory), media_type="application/json")


async def _record(body: DivergenceRequest, request: Request, served: Served, directory: Directory) -> bytes:
    async with _opened(lambda: _open_to_record(body, served, directory)) as store:
        windows = _windows(body)
        places = await asyncio.to_thread(lambda: [store.layout.add(each, body.score_from) for each in windows])
        sinks = [Recorder(store, place, served.engine.row_threads) for place in places]
        await _score(body, sinks, store, request, served)
        await asyncio.to_thread(store.layout.commit)
        return to_json({"windows": store.layout.windows, "rows": store.layout.held_rows, "bytes": store.nbytes})


async def _compare(body: DivergenceRequest, request: Request, served: Served, directory: Directory) -> bytes:
    async with _opened(lambda: directory.read(body.store, served.engine.model.n_vocab)) as store:
        numbered = list(enumerate(_windows(body), body.begin))
        places = await asyncio.to_thread(lambda: [store.recorded(i, each, body.score_from) for i, each in numbered])
        sinks = [Comparer(store, place, served.engine.row_threads) for place in places]
        await _score(body, sinks, store, request, served)
        return await asyncio.to_thread(_write, [sink.measures for sink in sinks])


def _write(measures: list[NDArray[np.float64]]) -> bytes:
    """The answer; null stands for the logarithm of 0."""
    return to_json({"windows": [as_columns(each) for each in measures]}, inf_nan_mode="null")


async def _score(
    body: DivergenceRequest, sinks: Sequence[Sink], store: Store, request: Request, served: Served
) -> None:
    """Let the engine bring all rows to their sinks."""
    jobs = [
        Job(tuple(window), max_tokens=0, score_from=body.score_from, top_k=0, cache=None, sink=each)
        for window, each in zip(body.windows, sinks, strict=True)
    ]
    try:
        await results(jobs, request, served)
    except EngineFailure:
        if store.trouble is not None:
            raise store.trouble from None
        raise


@asynccontextmanager
async def _opened(open_store: Callable[[], Store]) -> AsyncIterator[Store]:
    """A store until the end of the block, what is wrong with it told as the client is to be told."""
    with _store_errors():
        store = await asyncio.to_thread(open_store)
        try:
            yield store
        except OSError as error:
            raise cannot(store.name, error) from None
        finally:
            await asyncio.to_thread(store.close)


@contextmanager
def _store_errors() -> Iterator[None]:
    try:
        yield
    except StoreError as error:
        raise _ANSWERS[type(error)](str(error), param="store") from None


def _open_to_record(body: DivergenceRequest, served: Served, directory: Directory) -> Store:
    n_vocab = served.engine.model.n_vocab
    if body.begin > 0:
        store = directory.extend(body.store, n_vocab, body.begin)
        if body.format not in (None, store.layout.rows.name):
            store.close()
            raise OtherStore(f"The store '{body.store}' has rows of format '{store.layout.rows.name}'.")
        return store

    total = body.total_windows
    if total is not None:  # before there is a file
        check_llama(body.windows, body.score_from, total)

    def make(fd: int) -> Layout:
        if total is not None:
            return LlamaLayout.create(fd, body.store, n_vocab, body.windows, body.score_from, total)
        return OwnLayout.create(fd, body.store, COMPACT if body.format == "compact" else EXACT, n_vocab)

    return directory.create(body.store, n_vocab, make)


def _directory(served: Served) -> Directory:
    if served.settings.divergence_dir is None:
        raise NotOffered("Divergence is off on this server; its operator can turn it on with --divergence-dir.")
    return Directory(served.settings.divergence_dir)


def _windows(body: DivergenceRequest) -> list[NDArray[np.int32]]:
    return [np.array(window, np.int32) for window in body.windows]


def _check_windows(body: DivergenceRequest, served: Served) -> None:
    """Raise for windows that this model cannot be shown."""
    for window in body.windows:
        check_ids(window, served.engine.model, "windows")
        if len(window) > served.engine.context_size:
            raise ContextTooLong(len(window), served.engine.context_size, param="windows")
    if len(body.windows) > served.engine.max_waiting:
        raise InvalidRequest(
            f"The request has {len(body.windows)} windows, more than the {served.engine.max_waiting} that may wait.",
            param="windows",
        )
