"""What this server is and does: ``/metrics`` for Prometheus, ``/props`` and ``/slots`` as llama.cpp has them.

And ``/reset_prefix_cache``, as vLLM has it, by which what it has become is undone.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from server.api.execution import engine_errors
from server.api.state import Served, ServedModel
from server.engine.sampling import NEUTRAL
from server.engine.sequence import Job
from server.engine.snapshot import Occupant, Snapshot
from server.formats.llama_cpp import settings_in_effect
from server.protocol.completions import CompletionRequest
from server.protocol.errors import Unavailable

router = APIRouter()


@router.get("/metrics", response_class=Response)
async def metrics(served: ServedModel) -> Response:
    """Counters, histograms and gauges in Prometheus' text format, named as vLLM names them."""
    meter = served.engine.meter
    meter.show(await _snapshot(served))
    meter.show_memory(served.engine.memory())
    return Response(generate_latest(meter.registry), media_type=CONTENT_TYPE_LATEST)


@router.get("/props")
async def props(served: ServedModel) -> dict[str, Any]:
    """The model and the defaults of a request."""
    model, engine = served.engine.model, served.engine
    request = CompletionRequest()
    job = Job(prompt=(), max_tokens=request.limit, score_from=None, top_k=None, sampling=NEUTRAL)
    return {
        "default_generation_settings": {
            "n_ctx": engine.context_size,
            "params": settings_in_effect(job, request, served.id, engine.context_size),
        },
        "total_slots": engine.slots,
        "model_alias": served.id,
        "model_path": served.settings.model.name,  # where it lies is the operator's business
        "modalities": {"vision": False, "audio": False},
        "bos_token": model.name(model.bos),
        "eos_token": model.name(model.eos),
        "build_info": served.fingerprint,
    }


@router.get("/slots")
async def slots(served: ServedModel, fail_on_no_slot: int = 0) -> list[dict[str, Any]]:
    """Who is in the KV cache: what is being computed, and what is kept for its prefix."""
    found = await _snapshot(served)
    if fail_on_no_slot and found.running >= served.engine.slots:
        raise Unavailable("All slots are busy; try again later.")
    return [_slot(occupant, served) for occupant in found.occupants]


@router.post("/reset_prefix_cache", response_class=Response)
async def reset_prefix_cache(served: ServedModel) -> Response:
    """vLLM's: nothing is left of finished requests, so that what is measured next begins as on a new server."""
    with engine_errors():
        await served.engine.forget()
    return Response()


async def _snapshot(served: Served) -> Snapshot:
    with engine_errors():
        return await served.engine.snapshot()


def _slot(occupant: Occupant, served: Served) -> dict[str, Any]:
    return {
        "id": occupant.slot,
        "n_ctx": served.engine.context_size,
        "is_processing": occupant.active,
        "n_tokens": occupant.tokens,
        "next_token": {
            "has_next_token": occupant.active,
            "n_remain": occupant.remaining,
            "n_decoded": occupant.generated,
        },
    }
