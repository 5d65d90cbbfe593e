"""What completions and chat requests have in common: how to draw tokens, when to stop, how to be answered.

Names are OpenAI's where it has one, else llama.cpp's; vLLM's and llama.cpp's other names for the same are understood.
``null`` means absent; unknown fields are ignored; a known field that this server cannot honour is refused: silently
ignored, it would give wrong answers.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, field_validator, model_validator

from server.protocol.errors import InvalidRequest
from server.protocol.request import RequestBody, without_nulls

MAX_STOPS = 16
"""OpenAI allows 4; evaluation clients send more, and refusing them would only lose answers."""
MAX_STOP_CHARACTERS = 1000
MAX_BIASES = 1024
MAX_BIAS = 100.0
"""Beyond this, biases are clamped, as OpenAI says."""
MAX_GRAMMAR_CHARACTERS = 1 << 16
UNLIMITED = (1 << 31) - 1
"""As many tokens as the context has room for."""


def _encodable(text: str) -> str:
    """Refuse half a surrogate pair: JSON can say it, UTF-8 cannot."""
    text.encode()
    return text


Text = Annotated[str, AfterValidator(_encodable)]
Stop = Annotated[Text, Field(min_length=1, max_length=MAX_STOP_CHARACTERS)]

SAME = {
    "max_completion_tokens": "max_tokens",
    "n_predict": "max_tokens",
    "n_cmpl": "n",
    "n_probs": "logprobs",
    "repetition_penalty": "repeat_penalty",
    "typ_p": "typical_p",
}
"""Other names of fields."""

UNSUPPORTED: dict[str, tuple[object, ...]] = {
    "adaptive_target": (-1,),
    "allowed_token_ids": ([],),
    "backend_sampling": (False,),
    "bad_words": ([],),
    "dynamic_temperature": (),
    "grammar_lazy": (False,),
    "guided_choice": (),
    "guided_grammar": (),
    "guided_json": (),
    "guided_regex": (),
    "id_slot": (-1,),
    "image_data": ([],),
    "include_stop_str_in_output": (False,),
    "length_penalty": (1,),
    "logits_processors": ([],),
    "logprob_token_ids": ([],),
    "lora": ([],),
    "n_cache_reuse": (0,),
    "n_discard": (0,),
    "n_indent": (0,),
    "n_keep": (0,),
    "post_sampling_probs": (False,),
    "response_fields": ([],),
    "return_progress": (False,),
    "samplers": (),
    "skip_special_tokens": (True, False),
    "stop_token_ids": ([],),
    "structured_outputs": (),
    "t_max_predict_ms": (0, -1),
    "timings_per_token": (False,),
    "use_beam_search": (False,),
}
"""Fields of OpenAI, vLLM or llama.cpp that are not honoured, each with the values that ask for nothing."""


class StreamOptions(BaseModel):
    """How to stream."""

    model_config = ConfigDict(strict=True)

    include_usage: bool = False
    include_obfuscation: bool | None = None


class PredictedPart(BaseModel):
    """A part of a predicted text."""

    model_config = ConfigDict(strict=True)

    type: Literal["text"]
    text: Text


class Prediction(BaseModel):
    """What the completion probably is: OpenAI's field for chats, with token ids as an extension."""

    model_config = ConfigDict(strict=True)

    type: Literal["content"] = "content"
    content: Text | list[Annotated[int, Field(ge=0)]] | list[PredictedPart]
    """Token ids where the text is known by them: tokenizing a generated text need not give the same."""


class SamplingFields(RequestBody):
    """Fields of every request that generates, each within its limits."""

    model_config = ConfigDict(allow_inf_nan=False)

    unsupported = UNSUPPORTED

    max_tokens: Annotated[int, Field(ge=0)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    """0 is greedy: the most likely token, the lowest id where two are equally likely."""
    top_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    n: Annotated[int, Field(ge=1, le=128)] = 1
    stop: list[Stop] = Field(default_factory=list, max_length=MAX_STOPS)
    seed: Annotated[int, Field(ge=-(2**63), lt=2**63)] | None = None
    presence_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    frequency_penalty: Annotated[float, Field(ge=-2, le=2)] = 0.0
    logit_bias: dict[int, Annotated[float, Field(allow_inf_nan=True)]] = Field(
        default_factory=dict, max_length=MAX_BIASES
    )
    """By token id; minus infinity bans the token."""
    stream: bool = False
    stream_options: StreamOptions | None = None
    response_format: dict[str, Any] | None = None
    user: str | None = None
    prediction: Prediction | None = None
    """Makes no completion another, but those that it gets right come sooner."""

    top_k: Annotated[int, Field(ge=-1, lt=2**31)] = 0
    min_p: Annotated[float, Field(ge=0, le=1)] = 0.0
    typical_p: Annotated[float, Field(gt=0, le=1)] = 1.0
    top_n_sigma: Annotated[float, Field(ge=-1, le=100)] = -1.0
    xtc_probability: Annotated[float, Field(ge=0, le=1)] = 0.0
    xtc_threshold: Annotated[float, Field(ge=0, le=1)] = 0.1
    min_keep: Annotated[int, Field(ge=0, le=1 << 20)] = 0
    dynatemp_range: Annotated[float, Field(ge=0, le=2)] = 0.0
    dynatemp_exponent: Annotated[float, Field(ge=0, le=10)] = 1.0
    repeat_penalty: Annotated[float, Field(ge=0.01, le=10)] = 1.0
    repeat_last_n: Annotated[int, Field(ge=-1, le=1 << 20)] = 64
    dry_multiplier: Annotated[float, Field(ge=0, le=100)] = 0.0
    dry_base: Annotated[float, Field(ge=1, le=100)] = 1.75
    dry_allowed_length: Annotated[int, Field(ge=0, le=1 << 20)] = 2
    dry_penalty_last_n: Annotated[int, Field(ge=-1, le=1 << 20)] = -1
    dry_sequence_breakers: list[Annotated[Text, Field(min_length=1, max_length=40)]] = Field(
        default=["\n", ":", '"', "*"], max_length=16
    )
    mirostat: Annotated[int, Field(ge=0, le=2)] = 0
    mirostat_tau: Annotated[float, Field(ge=0, le=100)] = 5.0
    mirostat_eta: Annotated[float, Field(ge=0, le=1)] = 0.1
    ignore_eos: bool = False
    min_tokens: Annotated[int, Field(ge=0)] = 0
    grammar: Annotated[Text, Field(max_length=MAX_GRAMMAR_CHARACTERS)] = ""
    json_schema: dict[str, Any] | None = None
    cache_prompt: bool = True
    """Whether what was computed for other prompts may be used, and kept for others."""
    cache_salt: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """Only requests with the same salt share what was computed."""

    default_max_tokens: ClassVar[int] = UNLIMITED

    @model_validator(mode="before")
    @classmethod
    def _one_name_a_field(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            raise ValueError("The request body must be a JSON object")
        present = without_nulls(data)
        if present.get("n_predict") == -1:
            present["n_predict"] = UNLIMITED
        if present.get("n_probs") is not False and present.get("n_probs") == 0:  # llama.cpp's default, and "none"
            del present["n_probs"]
        for other, name in SAME.items():
            if other in present:
                value = present.pop(other)
                if present.setdefault(name, value) != value:
                    raise ValueError(f"'{other}' and '{name}' are two names of one field: give one of them")
        if isinstance(present.get("stop"), str):
            present["stop"] = [present["stop"]]
        return present

    @field_validator("logit_bias", mode="before")
    @classmethod
    def _biases(cls, value: Any) -> dict[int, float]:
        """OpenAI's object or llama.cpp's list of pairs; ``false`` bans a token."""
        if not isinstance(value, dict | list):
            raise ValueError("must be an object of token ids and biases")
        pairs = value.items() if isinstance(value, dict) else value
        return dict(_bias(pair) for pair in pairs)

    def check(self) -> None:
        """Raise for what the fields' own limits cannot say: unsupported fields, and fields that contradict others."""
        super().check()
        if self.stream_options is not None and not self.stream:
            raise InvalidRequest("'stream_options' is for requests with 'stream': true.", param="stream_options")
        if self.mirostat and self._truncates():
            raise InvalidRequest(
                f"'mirostat' decides by itself which tokens are left out; leave out '{self._truncates()}'.",
                param="mirostat",
            )
        if self.prediction is not None and self.n > 1:
            raise InvalidRequest("'prediction' is for one completion; leave out 'n'.", param="prediction")
        schemas = (self.json_schema, self.wanted_schema)
        if bool(self.grammar) + sum(schema is not None for schema in schemas) > 1:
            raise InvalidRequest("give one of 'grammar', 'json_schema' and 'response_format'.", param="grammar")
        if self.min_tokens > self.limit:
            raise InvalidRequest(
                f"'min_tokens' ({self.min_tokens}) must not be above 'max_tokens' ({self.limit}).", param="min_tokens"
            )

    def _truncates(self) -> str | None:
        """A field that leaves unlikely tokens out, if one does."""
        used = {
            "top_k": self.top_k > 0,
            "top_p": self.top_p < 1,
            "min_p": self.min_p > 0,
            "typical_p": self.typical_p < 1,
            "top_n_sigma": self.top_n_sigma > 0,
            "xtc_probability": self.xtc_probability > 0,
            "dry_multiplier": self.dry_multiplier > 0,
        }
        return next((name for name, is_used in used.items() if is_used), None)

    @property
    def streams_usage(self) -> bool:
        """Whether a stream ends with a chunk that counts the tokens."""
        return self.stream_options is not None and self.stream_options.include_usage

    @property
    def limit(self) -> int:
        """Most tokens to generate."""
        return self.default_max_tokens if self.max_tokens is None else self.max_tokens

    @property
    def wanted_schema(self) -> dict[str, Any] | None:
        """The JSON schema that ``response_format`` asks for.

        Raises:
            InvalidRequest: it asks for something else.
        """
        if self.response_format is None or self.response_format.get("type") == "text":
            return None
        if self.response_format.get("type") == "json_object":
            return {"type": "object"}
        holder = self.response_format.get("json_schema")
        schema = holder.get("schema") if isinstance(holder, dict) else None
        if self.response_format.get("type") != "json_schema" or not isinstance(schema, dict):
            raise InvalidRequest(
                '\'response_format\' must be {"type": "text"}, {"type": "json_object"} or '
                '{"type": "json_schema", "json_schema": {"schema": {...}}}.',
                param="response_format",
            )
        return schema


def _bias(pair: Any) -> tuple[int, float]:
    if not isinstance(pair, Iterable) or isinstance(pair, str) or len(parts := list(pair)) != 2:
        raise ValueError("must be an object of token ids and biases")
    token, bias = parts
    if isinstance(token, str) and token.isascii() and token.isdigit() and len(token) <= 10:
        token = int(token)
    if not isinstance(token, int) or isinstance(token, bool) or token < 0:
        raise ValueError("keys must be token ids")
    if bias is False:
        return token, float("-inf")
    if isinstance(bias, bool) or not isinstance(bias, int | float) or bias != bias or abs(bias) == float("inf"):
        raise ValueError("biases must be finite numbers, or false to ban a token")
    return token, float(max(-MAX_BIAS, min(MAX_BIAS, bias)))  # in this order: an integer may be too large for a float
