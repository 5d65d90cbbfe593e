"""``POST /v1/completions``: the request with its limits, and the response, after OpenAI's API reference.

Extensions are named as vLLM, SGLang (``logprob_start_len``) or llama.cpp name them; ``logprob_start_offset`` is ours.
"""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field

from server.protocol.errors import InvalidRequest, NotSupported
from server.protocol.sampling import UNLIMITED, UNSUPPORTED, SamplingFields, Text

MAX_PROMPTS = 1024
MAX_LOGPROBS = 20

TokenIds = list[Annotated[int, Field(ge=0)]]


class CompletionRequest(SamplingFields):
    """A request whose every value is within its limits."""

    unsupported = UNSUPPORTED | {"messages": ()}

    model: Text | None = None
    prompt: (
        Text
        | TokenIds
        | Annotated[list[Text], Field(max_length=MAX_PROMPTS)]
        | Annotated[list[TokenIds], Field(max_length=MAX_PROMPTS)]
        | None
    ) = None
    """``None``: start from the beginning of a document."""
    suffix: Text = ""
    """What comes after the completion, for models that were taught to fill in."""
    best_of: Annotated[int, Field(ge=1, le=128)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    echo: bool = False
    prompt_logprobs: Annotated[int, Field(ge=0, le=MAX_LOGPROBS)] | None = None
    logprob_start_len: Annotated[int, Field(ge=-1)] = -1
    """Score the prompt's tokens from this one on only; -1: all."""
    logprob_start_offset: Annotated[int, Field(ge=0)] = 0
    """Score only tokens that reach beyond so many characters of the prompt, for clients without a tokenizer."""
    return_token_ids: bool = False
    return_tokens: bool = False
    """llama.cpp's: token ids in its own format."""
    return_tokens_as_token_ids: bool = False
    add_special_tokens: bool = True
    truncate_prompt_tokens: Annotated[int, Field(ge=-1)] | None = None
    """Keep only so many tokens at the end of each prompt; -1: as many as fit."""
    oai_compat: bool = True
    """False: answer in llama.cpp's own format alone."""

    default_max_tokens: ClassVar[int] = 16

    @property
    def n_prompts(self) -> int:
        """How many prompts the request has."""
        several = isinstance(self.prompt, list) and bool(self.prompt) and not isinstance(self.prompt[0], int)
        return len(self.prompt) if several and isinstance(self.prompt, list) else 1

    @property
    def candidates(self) -> int:
        """Completions to generate for each prompt, of which the best ``n`` are returned.

        At temperature 0 all candidates are the same one, so ``n`` are enough.
        """
        return max(self.best_of or self.n, self.n) if self.temperature > 0 or self.dynatemp_range > 0 else self.n

    @property
    def scores_prompt(self) -> bool:
        """Whether log-probabilities of the prompt are wanted."""
        return (self.echo and self.logprobs is not None) or self.prompt_logprobs is not None

    def check(self) -> None:
        """Raise for what the fields' own limits cannot say."""
        super().check()
        if self.limit == 0 and not self.echo and self.oai_compat and self.prompt_logprobs is None:
            raise InvalidRequest(
                "'max_tokens' is 0 and 'echo' is false, so there is nothing to return.", param="max_tokens"
            )
        if self.best_of is not None and self.best_of < self.n:
            raise InvalidRequest(f"'best_of' ({self.best_of}) must not be below 'n' ({self.n}).", param="best_of")
        if self.candidates > self.n and self.stream:
            raise InvalidRequest(
                "'best_of' above 'n' cannot be streamed: the best is known at the end.", param="best_of"
            )
        if self.prompt == [] or (isinstance(self.prompt, list) and [] in self.prompt):
            raise InvalidRequest("'prompt' is empty; give a string or at least one token id.", param="prompt")
        if self.prediction is not None and self.n_prompts * self.candidates > 1:
            raise InvalidRequest(
                "'prediction' is for one completion; give one prompt, and leave out 'best_of'.", param="prediction"
            )
        if self.suffix and self.echo:
            raise InvalidRequest("'suffix' cannot be used with 'echo'.", param="suffix")
        if self.suffix and self.truncate_prompt_tokens is not None:
            raise NotSupported("'truncate_prompt_tokens' cannot be used with 'suffix'.", param="truncate_prompt_tokens")


class NativeRequest(CompletionRequest):
    """The same as llama.cpp's own route takes it."""

    default_max_tokens: ClassVar[int] = UNLIMITED


class Logprobs(BaseModel):
    """Four parallel arrays, one entry a token; see docs/server.md for what an entry means."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class Choice(BaseModel):
    """One completion of one prompt."""

    model_config = ConfigDict(extra="allow")

    index: int
    text: str
    finish_reason: Literal["stop", "length"] | None
    stop_reason: str | None
    """The stop string that ended it."""
    logprobs: Logprobs | None


class Usage(BaseModel):
    """Tokens counted as the arrays count them: a BOS that the server added has no entry and no count."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: dict[str, int]
    completion_tokens_details: dict[str, int] | None = None
    """How many tokens of a prediction were right and how many not, where there was one."""


class CompletionResponse(BaseModel):
    """OpenAI's response; llama.cpp's own fields (:mod:`server.formats.llama_cpp`) are added beside these."""

    model_config = ConfigDict(extra="allow")

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage


class NativeResponse(BaseModel):
    """llama.cpp's own object (``"oai_compat": false``)."""

    model_config = ConfigDict(extra="allow")

    index: int
    content: str
    tokens: list[int]
    stop: bool
    model: str
    prompt: str
    id_slot: int
    tokens_predicted: int
    tokens_evaluated: int
    tokens_cached: int
    generation_settings: dict[str, Any]
    has_new_line: bool
    truncated: bool
    stop_type: Literal["eos", "word", "limit"]
    stopping_word: str
    timings: dict[str, float]
    """Milliseconds, and tokens per second."""


CompletionAnswer = CompletionResponse | NativeResponse | list[NativeResponse]
"""A list where llama.cpp's format is asked for, and several completions."""
