"""``GET /v1/models``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ModelMeta(BaseModel):
    """What is known of the model itself, under llama-server's names."""

    n_vocab: int
    n_ctx_train: int
    """Tokens of the contexts that the model was trained with."""
    n_params: int
    size: int
    """Bytes of all tensors."""


class ModelCard(BaseModel):
    """The one model that a server serves."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int
    """Tokens that a prompt and its completion may have together."""
    meta: ModelMeta


class ModelList(BaseModel):
    """All models of a server."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
