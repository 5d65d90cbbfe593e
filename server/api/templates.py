"""``POST /apply-template``, and the renderer that all routes with messages share."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request

from server.api.state import Served, ServedModel
from server.chat.renderer import Renderer
from server.protocol.chat import ApplyTemplateRequest, ApplyTemplateResponse

router = APIRouter()


async def _renderer(request: Request, served: ServedModel) -> Renderer:
    """Made when it is first asked for: only then is the model known to be loaded."""
    state = request.app.state
    if not hasattr(state, "renderer"):
        state.renderer = _make(served)
    renderer: Renderer = state.renderer
    return renderer


def _make(served: Served) -> Renderer:
    model, file = served.engine.model, served.settings.chat_template
    template = model.chat_template if file is None else file.read_text(errors="replace")
    names = {"bos_token": model.name(model.bos), "eos_token": model.name(model.eos), "pad_token": model.name(model.pad)}
    return Renderer(template, {key: name for key, name in names.items() if name is not None})


ChatRenderer = Annotated[Renderer, Depends(_renderer)]
"""Conversations into prompts, as the model's chat template or the operator's says."""


@router.post("/apply-template")
@router.post("/v1/apply-template", include_in_schema=False)
async def apply_template(body: ApplyTemplateRequest, renderer: ChatRenderer) -> ApplyTemplateResponse:
    """The prompt that a conversation becomes."""
    body.check()
    return ApplyTemplateResponse(prompt=await renderer.render(body.template_messages(), **body.template_variables()))
