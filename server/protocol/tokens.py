"""The tokenizer's routes: requests as vLLM, HELM and llama.cpp send them, and answers that serve all three."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, Field, field_validator

from server.protocol.chat import UNSUPPORTED_IN_CONVERSATIONS, Conversation
from server.protocol.errors import InvalidRequest
from server.protocol.request import RequestBody
from server.protocol.sampling import Text

MAX_TOKENS = 1_000_000
"""Of one request."""
_INPUTS = ("prompt", "messages", "text", "content")


class TokenizeRequest(Conversation, RequestBody):
    """One of ``prompt`` and ``messages`` (vLLM), ``text`` (HELM), ``content`` (llama.cpp)."""

    unsupported = UNSUPPORTED_IN_CONVERSATIONS | {"mm_processor_kwargs": ({},), "truncate_prompt_tokens": ()}

    model: Text | None = None
    prompt: Text | None = None
    text: Text | None = None
    content: Text | None = None
    add_special_tokens: bool = True
    """Begin with BOS where the model's metadata says so, as a completion's prompt does; not for the other two."""
    return_token_strs: bool = False
    truncation: bool = False
    max_length: Annotated[int, Field(ge=0)] = 2048
    """With ``truncation``: so many tokens at most."""
    add_special: bool = False
    """The same as ``add_special_tokens``, for ``content``."""
    parse_special: bool = True
    """Whether the names of special tokens in ``content`` stand for these tokens."""
    with_pieces: bool = False
    """Answer with objects of ``id`` and ``piece``, as llama.cpp does."""

    @field_validator("prompt", mode="before")
    @classmethod
    def _one_text(cls, prompt: Any) -> Any:
        if not isinstance(prompt, str):  # elsewhere it may be a list
            raise InvalidRequest("'prompt' must be a string here.", param="prompt")
        return prompt

    def check(self) -> None:
        """Raise for more or fewer than one input, and for known fields that cannot be honoured."""
        super().check()
        given = [name for name in _INPUTS if getattr(self, name) is not None]
        if len(given) != 1:
            found = " and ".join(f"'{name}'" for name in given) or "none"
            raise InvalidRequest(f"Give one of 'prompt', 'messages', 'text' and 'content'; the request has {found}.")

    @property
    def wants_special(self) -> bool:
        """Whether to add the tokens that a document begins with."""
        if self.text is not None:
            return False
        return self.add_special if self.content is not None else self.add_special_tokens


class TokenPiece(BaseModel):
    """A token as llama.cpp shows it."""

    id: int
    piece: str | list[int]
    """Its text, or its bytes where they are no whole UTF-8."""


class TokenizeResponse(BaseModel):
    """Token ids, in the words of all three."""

    tokens: list[int] | list[TokenPiece]
    count: int
    max_model_len: int
    """Tokens that a prompt and its completion may have together."""
    token_strs: list[str] | None
    """Names of the tokens, as a completion's ``logprobs`` have them."""
    request_time: float
    """Seconds."""


class DetokenizeRequest(RequestBody):
    """``POST /detokenize`` and HELM's ``POST /decode``."""

    unsupported: ClassVar[dict[str, tuple[object, ...]]] = {"skip_special_tokens": (False,)}

    model: Text | None = None
    tokens: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=MAX_TOKENS)]


class DetokenizeResponse(BaseModel):
    """The same text as vLLM, llama.cpp and HELM name it."""

    prompt: str
    content: str
    text: str
    request_time: float
    """Seconds."""


class TokenizerInfo(BaseModel):
    """What a client needs to know to build prompts itself; names as in Hugging Face's ``tokenizer_config.json``."""

    eos_token: str | None
    bos_token: str | None
    pad_token: str | None
    add_bos_token: bool
    vocab_size: int
    model_max_length: int
    """Tokens that a prompt and its completion may have together."""
    chat_template: str | None


class Version(BaseModel):
    """``GET /version``."""

    version: str
    engine: str
    """What computes the answers."""
