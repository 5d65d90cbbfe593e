"""A conversation as chat templates take it: messages, tools, and whatever else a template asks for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from server.protocol.errors import InvalidRequest
from server.protocol.request import RequestBody

MAX_MESSAGES = 1024
MAX_TOOLS = 128


class Message(BaseModel):
    """One message. Fields that are not listed here (``tool_calls``, ``name`` ...) reach the template as they are."""

    model_config = ConfigDict(extra="allow", strict=True)

    role: Literal["system", "developer", "user", "assistant", "tool"]
    content: str | None = None
    """Text; a list of text parts is joined by line breaks, since most templates know strings only."""

    @field_validator("content", mode="before")
    @classmethod
    def _join_parts(cls, content: Any) -> Any:
        return "\n".join(map(_part_text, content)) if isinstance(content, list) else content


def _part_text(part: Any) -> str:
    kind = part.get("type") if isinstance(part, dict) else None
    text = part.get("text") if isinstance(part, dict) else None
    if kind != "text" or not isinstance(text, str):
        shown = f"of type '{kind[:50]}'" if isinstance(kind, str) and kind != "text" else "without a text"
        raise InvalidRequest(f"'messages' has a content part {shown}; this server reads text only.", param="messages")
    return text


class Conversation(BaseModel):
    """What a template is rendered with."""

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)] | None = None
    add_generation_prompt: bool = True
    """End with what the model expects before its answer."""
    tools: Annotated[list[dict[str, Any]], Field(max_length=MAX_TOOLS)] | None = None
    chat_template_kwargs: dict[str, Any] = Field(default_factory=dict)
    """Further variables of the template (``enable_thinking`` ...)."""

    def template_messages(self) -> list[dict[str, Any]]:
        """The messages with the fields that were sent, and no others."""
        return [message.model_dump(exclude_unset=True) for message in self.messages or ()]

    def template_variables(self) -> dict[str, Any]:
        """All other variables; a field of the request wins over one of ``chat_template_kwargs``."""
        fields = {"add_generation_prompt": self.add_generation_prompt}
        return self.chat_template_kwargs | fields | ({} if self.tools is None else {"tools": self.tools})


UNSUPPORTED_IN_CONVERSATIONS: dict[str, tuple[object, ...]] = {
    "chat_template": (),
    "continue_final_message": (False,),
    "documents": ([],),
    "functions": ([],),
}
"""Known fields that are refused; a template of the client's own above all."""


class ApplyTemplateRequest(Conversation, RequestBody):
    """``POST /apply-template``; what else a chat request may hold is ignored."""

    unsupported = UNSUPPORTED_IN_CONVERSATIONS

    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]


class ApplyTemplateResponse(BaseModel):
    """The prompt that the model would see, but for BOS where its metadata asks for one."""

    prompt: str
