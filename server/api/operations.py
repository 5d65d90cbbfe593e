"""``GET /health``: for supervisors."""

from __future__ import annotations

from http import HTTPStatus

from fastapi import APIRouter, Response

from server.api.state import ServerLifecycle

router = APIRouter()


@router.get("/health", response_class=Response)
async def health(lifecycle: ServerLifecycle) -> Response:
    """200 while the server takes requests; 503 while it loads its model, and once it is stopping. Always empty."""
    error = lifecycle.refusal()
    if error is None:
        return Response()
    return Response(status_code=HTTPStatus.SERVICE_UNAVAILABLE, headers={"retry-after": str(error.retry_after)})
