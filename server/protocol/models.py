"""``GET /v1/models``."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel


class ModelCard(BaseModel):
    """The one model that a server serves."""

    id: str
    object: Literal["model"] = "model"
    created: int
    owned_by: str
    max_model_len: int
    """Tokens that a prompt and its completion may have together."""


class ModelList(BaseModel):
    """All models of a server."""

    object: Literal["list"] = "list"
    data: list[ModelCard]
