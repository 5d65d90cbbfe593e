"""``GET /health``: for supervisors. The port opens only when the model is loaded, so an answer means ready."""

from __future__ import annotations

from fastapi import APIRouter, Response

router = APIRouter()


@router.get("/health")
async def health() -> Response:
    """200 with an empty body."""
    return Response()
