"""The extension ``/divergence`` of our server: next-token distributions are recorded once and compared with others."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, TypeVar

import httpx
import openai
from pydantic import BaseModel, BeforeValidator

from harness.errors import NotOffered, RunError

NOT_OFFERED = (404, 405, 501)
"""There is no such route, or the server was started without a place to keep what is recorded."""
OF_A_STORE = "store_"
"""What codes of other errors begin with: the route is there, and a store is not, or cannot be used."""


def _or_infinity(value: object) -> object:
    return math.inf if value is None else value


def _or_minus_infinity(value: object) -> object:
    return -math.inf if value is None else value


Divergence = Annotated[float, BeforeValidator(_or_infinity)]
"""Null stands for infinity, which JSON cannot say."""
Logprob = Annotated[float, BeforeValidator(_or_minus_infinity)]
"""And for minus infinity."""


class ComparedWindow(BaseModel):
    """What a model's rows are against the recorded ones, one entry a scored token of a window."""

    logprob: list[Logprob]
    reference_logprob: list[Logprob]
    kld: list[Divergence]
    kld_bound: list[Divergence]
    kld_reverse: list[Divergence]
    same_top: list[bool]
    reference_top: list[float]
    near_tie: list[bool]


class Compared(BaseModel):
    """The answer when it compares."""

    windows: list[ComparedWindow]


class Recorded(BaseModel):
    """The answer when it records: what the store holds now."""

    windows: int
    rows: int
    bytes: int


Answer = TypeVar("Answer", Recorded, Compared)


def ask(client: openai.OpenAI, body: Mapping[str, object], answer: type[Answer]) -> Answer:
    """Send one request, and not again where it fails: what was recorded is recorded.

    Raises:
        NotOffered: the server does not do that.
        RunError: it refused or failed, and said why.
        openai.OpenAIError: it could not be reached.
        pydantic.ValidationError: it answered something else.
    """
    try:
        response = client.with_options(max_retries=0).post("/divergence", body=dict(body), cast_to=httpx.Response)
    except openai.APIStatusError as error:
        told: Mapping[str, object] = error.body if isinstance(error.body, dict) else {}
        said, code = told.get("message") or error.message, str(told.get("code") or "")
        if error.status_code in NOT_OFFERED and not code.startswith(OF_A_STORE):
            raise NotOffered(f"The endpoint does not compare next-token distributions: {said}") from error
        raise RunError(f"The endpoint could not {body['mode']} next-token distributions: {said}") from error
    return answer.model_validate_json(response.content)
