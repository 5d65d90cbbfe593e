"""``POST /v1/completions``: the request with its limits, and the response.

Field by field after OpenAI's API reference. ``null`` means absent; unknown fields are ignored; a known field that this
server cannot honour yet is refused by :meth:`CompletionRequest.refuse_unsupported`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from server.protocol.errors import InvalidRequest, NotSupported

MAX_PROMPTS = 1024
MAX_STOPS = 16
"""OpenAI allows 4; evaluation clients send more, and refusing them would only lose answers."""
MAX_STOP_CHARACTERS = 1000


def _encodable(text: str) -> str:
    """Refuse half a surrogate pair: JSON can say it, UTF-8 cannot."""
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_encodable)]
TokenIds = list[Annotated[int, Field(ge=0)]]
Stop = Annotated[Text, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]

_UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "suffix": ("",),
    "stream": (False,),
    "stream_options": (),
    "logit_bias": ({},),
    "presence_penalty": (0,),
    "frequency_penalty": (0,),
    "prompt_logprobs": (),
    "return_token_ids": (False,),
    "return_tokens_as_token_ids": (False,),
    "add_special_tokens": (True,),
    "truncate_prompt_tokens": (),
    "ignore_eos": (False,),
    "min_tokens": (0,),
    "top_k": (0, -1),
    "min_p": (0,),
    "typical_p": (1,),
    "repetition_penalty": (1,),
    "repeat_penalty": (1,),
    "typ_p": (1,),
    "top_n_sigma": (-1,),
    "xtc_probability": (0,),
    "dynatemp_range": (0,),
    "dry_multiplier": (0,),
    "mirostat": (0,),
    "samplers": (),
    "min_keep": (0,),
    "max_completion_tokens": (),
    "stop_token_ids": ([],),
    "cache_salt": (),
    "return_tokens": (False,),
    "post_sampling_probs": (False,),
    "timings_per_token": (False,),
    "t_max_predict_ms": (0, -1),
    "n_keep": (0,),
    "n_indent": (0,),
    "lora": ([],),
    "response_fields": ([],),
    "oai_compat": (True,),
    "response_format": ({"type": "text"},),
    "logprob_token_ids": (),
    "grammar": ("",),
    "json_schema": (),
    "n_probs": (0,),
    "n_predict": (),
    "prediction": (),
}
"""Known fields that are not honoured yet, each with the values that ask for nothing."""


class CompletionRequest(BaseModel):
    """A request whose every value is within its limits."""

    model_config = ConfigDict(extra="allow", strict=True)

    model: Text | None = None
    prompt: (
        Text
        | TokenIds
        | Annotated[list[Text], Field(max_length=MAX_PROMPTS)]
        | Annotated[list[TokenIds], Field(max_length=MAX_PROMPTS)]
        | None
    ) = None
    """``None``: start from the beginning of a document."""
    max_tokens: Annotated[int, Field(ge=0)] = 16
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """0 is greedy: the most likely token, the lowest id where two are equally likely."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    n: Annotated[int, Field(ge=1, le=128)] = 1
    best_of: Annotated[int, Field(ge=1, le=128)] | None = None
    logprobs: Annotated[int, Field(ge=0, le=20)] | None = None
    echo: bool = False
    stop: list[Stop] = Field(default_factory=list, max_length=MAX_STOPS)
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    user: str | None = None

    @model_validator(mode="before")
    @classmethod
    def _null_is_absent(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("the request body must be a JSON object")
        present = {key: value for key, value in data.items() if value is not None}
        if isinstance(present.get("stop"), str):
            present["stop"] = [present["stop"]]
        return present

    @property
    def n_prompts(self) -> int:
        """How many prompts the request has."""
        several = isinstance(self.prompt, list) and bool(self.prompt) and not isinstance(self.prompt[0], int)
        return len(self.prompt) if several and isinstance(self.prompt, list) else 1

    def refuse_unsupported(self) -> None:
        """Raise for what the model's limits cannot say: unsupported fields and contradictions between fields."""
        for name, neutral in _UNSUPPORTED.items():
            value = (self.model_extra or {}).get(name)
            if value is not None and value not in neutral:
                raise NotSupported(f"'{name}' is not supported by this server yet; leave it out.", param=name)
        if self.max_tokens == 0 and not self.echo:
            raise InvalidRequest(
                "'max_tokens' is 0 and 'echo' is false, so there is nothing to return.", param="max_tokens"
            )
        if self.best_of is not None and self.best_of < self.n:
            raise InvalidRequest(f"'best_of' ({self.best_of}) must not be below 'n' ({self.n}).", param="best_of")
        if (self.best_of or self.n) > self.n and self.temperature > 0:
            # At temperature 0 all candidates are the same one, so generating n of them is exactly right.
            raise NotSupported("'best_of' above 'n' is supported at temperature 0 only.", param="best_of")
        if self.prompt == [] or (isinstance(self.prompt, list) and [] in self.prompt):
            raise InvalidRequest("'prompt' is empty; give a string or at least one token id.", param="prompt")


class Logprobs(BaseModel):
    """Four parallel arrays, one entry a token; see docs/server.md for what an entry means."""

    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float] | None]
    text_offset: list[int]


class Choice(BaseModel):
    """One completion of one prompt."""

    index: int
    text: str
    finish_reason: Literal["stop", "length"]
    logprobs: Logprobs | None


class Usage(BaseModel):
    """Tokens counted as the arrays count them: a BOS that the server added has no entry and no count."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int


class CompletionResponse(BaseModel):
    """OpenAI's response; llama.cpp's own fields (:mod:`server.formats.llama_cpp`) are added beside these."""

    id: str
    object: Literal["text_completion"] = "text_completion"
    created: int
    model: str
    system_fingerprint: str
    choices: list[Choice]
    usage: Usage
