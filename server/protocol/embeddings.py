"""``POST /v1/embeddings``, after OpenAI's API reference."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import BaseModel, Field

from server.protocol.errors import InvalidRequest
from server.protocol.request import RequestBody
from server.protocol.sampling import Text

MAX_INPUTS = 2048

_TokenIds = list[Annotated[int, Field(ge=0)]]


class EmbeddingRequest(RequestBody):
    """One text or several, as strings or as token ids."""

    unsupported: ClassVar[dict[str, tuple[object, ...]]] = {"truncate_prompt_tokens": ()}

    model: Text | None = None
    input: (
        Text
        | _TokenIds
        | Annotated[list[Text], Field(max_length=MAX_INPUTS)]
        | Annotated[list[_TokenIds], Field(max_length=MAX_INPUTS)]
    )
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Annotated[int, Field(ge=1)] | None = None
    """Must be the model's own number."""
    user: Text | None = None

    @property
    def inputs(self) -> list[str | list[int]]:
        """One entry a vector."""
        if isinstance(self.input, str):
            return [self.input]
        ids = [token for token in self.input if isinstance(token, int)]
        return [ids] if ids else [text for text in self.input if not isinstance(text, int)]

    def check(self) -> None:
        """Raise for an input without a token."""
        super().check()
        if not self.inputs or not all(self.inputs):
            raise InvalidRequest("'input' is empty, or has an empty text; give a text or token ids.", param="input")


class Embedding(BaseModel):
    """The vector of one text, of length 1."""

    object: Literal["embedding"] = "embedding"
    index: int
    embedding: list[float] | str
    """Numbers, or the base64 of their float32 in little-endian order."""


class EmbeddingUsage(BaseModel):
    """Tokens of all texts, those that the model puts around a text included."""

    prompt_tokens: int
    total_tokens: int


class EmbeddingResponse(BaseModel):
    """OpenAI's response."""

    object: Literal["list"] = "list"
    data: list[Embedding]
    model: str
    usage: EmbeddingUsage
