"""``GET /v1/models``: the one model that is served."""

from __future__ import annotations

from fastapi import APIRouter

from server.api.jobs import check_model
from server.api.state import Served, ServedModel
from server.protocol.models import ModelCard, ModelList, ModelMeta

router = APIRouter()


def _card(served: Served) -> ModelCard:
    model = served.engine.model
    meta = ModelMeta(n_vocab=model.n_vocab, n_ctx_train=model.n_ctx_train, n_params=model.n_params, size=model.size)
    return ModelCard(
        id=served.id,
        created=served.created,
        owned_by="quant-harness",
        max_model_len=served.engine.context_size,
        meta=meta,
    )


@router.get("/v1/models")
async def list_models(served: ServedModel) -> ModelList:
    """All models, of which there is one."""
    return ModelList(data=[_card(served)])


@router.get("/v1/models/{model_id:path}")
async def get_model(model_id: str, served: ServedModel) -> ModelCard:
    """One model by id."""
    check_model(model_id, served)
    return _card(served)
