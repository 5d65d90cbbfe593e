"""``POST /v1/chat/completions``: the request with its limits, and the response, after OpenAI's API reference."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.protocol.chat import MAX_MESSAGES, UNSUPPORTED_IN_CONVERSATIONS, Conversation, Message
from server.protocol.completions import MAX_LOGPROBS, Usage
from server.protocol.errors import InvalidRequest, NotSupported
from server.protocol.sampling import UNSUPPORTED, SamplingFields, Text


class ChatRequest(Conversation, SamplingFields):
    """A request whose every value is within its limits."""

    unsupported = (
        UNSUPPORTED
        | UNSUPPORTED_IN_CONVERSATIONS
        | {
            "add_special_tokens": (True, False),
            "audio": (),
            "best_of": (1,),
            "echo": (False,),
            "function_call": ("none", "auto"),
            "logprob_start_len": (-1, 0),
            "logprob_start_offset": (0,),
            "modalities": (["text"],),
            "return_token_ids": (False,),
            "return_tokens_as_token_ids": (False,),
            "suffix": ("",),
            "tool_choice": ("none", "auto"),
            "truncate_prompt_tokens": (),
            "web_search_options": (),
        }
    )

    model: Text | None = None
    messages: Annotated[list[Message], Field(min_length=1, max_length=MAX_MESSAGES)]
    logprobs: bool = False
    top_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    prompt_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None

    @property
    def alternatives(self) -> int | None:
        """How many alternatives are wanted beside each generated token; None: no log-probabilities."""
        return (self.top_logprobs or 0) if self.logprobs else None

    def check(self) -> None:
        """Raise for what the fields' own limits cannot say."""
        super().check()
        if self.tools:
            raise NotSupported("'tools' are not supported: this server does not read tool calls.", param="tools")
        if self.top_logprobs is not None and not self.logprobs:
            raise InvalidRequest("'top_logprobs' needs 'logprobs': true.", param="top_logprobs")
        if self.limit == 0 and self.prompt_logprobs is None:
            raise InvalidRequest("'max_tokens' is 0, so there is nothing to return.", param="max_tokens")


class ChatToken(BaseModel):
    """A token and its log-probability."""

    token: str
    logprob: float
    bytes: list[int]


class ChatEntry(ChatToken):
    """A generated token, and what could have come instead."""

    top_logprobs: list[ChatToken]


class ChatLogprobs(BaseModel):
    """One entry for each token of the answer."""

    content: list[ChatEntry]
    refusal: None = None


class AssistantMessage(BaseModel):
    """The answer."""

    role: Literal["assistant"]
    content: str
    refusal: None = None


class ChatChoice(BaseModel):
    """One answer."""

    index: int
    message: AssistantMessage
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"]


class ChatResponse(BaseModel):
    """OpenAI's response; ``timings`` and ``prompt_logprobs`` may stand beside these."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["chat.completion"] = "chat.completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[ChatChoice]
    usage: Usage
    prompt_logprobs: list[dict[str, Any] | None] | None = None
