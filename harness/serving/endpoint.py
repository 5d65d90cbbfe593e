"""An OpenAI-compatible endpoint that is known to score prompts rightly."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import openai
import pydantic
from openai.types import Completion as OpenAICompletion
from openai.types import CompletionChoice

from harness.errors import RunError
from harness.types import Completion, Prompt, Request

SELF_TEST_PROMPT = "One two three, one two three."


class _Tokenized(pydantic.BaseModel):
    tokens: list[int]


class _Detokenized(pydantic.BaseModel):
    prompt: str


class Endpoint:
    """Sends requests through the openai client and checks every answer; safe to use from many threads."""

    def __init__(self, base_url: str, model: str, alive: Callable[[], None] = lambda: None) -> None:
        """Talk to ``base_url`` about ``model``; ``alive`` raises, saying why, if the process behind it is gone."""
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key="none",
            max_retries=2,
            timeout=600,
            # Loopback needs no proxy, whatever the environment says.
            http_client=openai.DefaultHttpxClient(trust_env=False),
        )
        self._model = model
        self._alive = alive
        self.room: int | None = None
        """Tokens to keep to, where that is less than the model's own context: all models are asked alike."""

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._client.close()

    def complete(self, request: Request) -> list[Completion]:
        """One completion a prompt, greedy, with log-probabilities.

        Raises:
            RunError: the endpoint failed, or its answer is not usable.
        """
        response = self._send(request)
        choices = sorted(response.choices, key=lambda choice: choice.index)
        if len(choices) != len(request.prompts):
            raise RunError(
                f"The endpoint of {self._model} returned {len(choices)} choices for {len(request.prompts)} prompts."
            )
        return [self._completion(choice, echo=request.echo) for choice in choices]

    @property
    def context(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return min(self._own_context, self.room or self._own_context)

    @functools.cached_property
    def _own_context(self) -> int:
        with self._failures():
            card = self._client.models.retrieve(self._model)
        length: int | None = getattr(card, "max_model_len", None)
        if length is None:
            raise RunError(f"The endpoint of {self._model} does not say how long its context is (max_model_len).")
        return length

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, as a prompt gets them but without BOS."""
        return self._tokens({"prompt": text, "add_special_tokens": False})

    def tokenize_chat(self, message: str) -> list[int]:
        """A user's message in the model's chat template, up to where the assistant is to speak."""
        return self._tokens({"messages": [{"role": "user", "content": message}]})

    def detokenize(self, tokens: list[int]) -> str:
        """The text of tokens."""
        with self._failures():
            body = self._client.post("/detokenize", body={"tokens": tokens}, cast_to=_Detokenized)
        return body.prompt

    def _tokens(self, body: dict[str, object]) -> list[int]:
        with self._failures():
            return self._client.post("/tokenize", body=body, cast_to=_Tokenized).tokens

    def _send(self, request: Request) -> OpenAICompletion:
        with self._failures():
            return self._client.completions.create(
                model=self._model,
                prompt=[prompt.whole for prompt in request.prompts],  # type: ignore[arg-type] # text and ids never mix
                max_tokens=request.max_tokens,
                temperature=0,
                logprobs=1,
                echo=request.echo,
                stop=list(request.stop) or None,
            )

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """The client's exceptions as ours."""
        try:
            yield
        except openai.APIConnectionError as error:
            self._alive()
            raise RunError(f"The endpoint of {self._model} could not be reached: {error}") from error
        except openai.BadRequestError as error:
            raise RunError(f"The endpoint of {self._model} refused: {error.message}") from error
        except openai.OpenAIError as error:
            raise RunError(f"The endpoint of {self._model} failed: {error}") from error

    def _completion(self, choice: CompletionChoice, *, echo: bool) -> Completion:
        """The choice, if its arrays are whole: a null dropped from the middle of a text would make its score better."""
        logprobs = choice.logprobs
        if logprobs is None:
            raise RunError(
                f"The endpoint of {self._model} returned no log-probabilities, although they were asked for."
            )
        completion = Completion(
            text=choice.text,
            tokens=tuple(logprobs.tokens or ()),
            token_logprobs=tuple(logprobs.token_logprobs or ()),
            text_offset=tuple(logprobs.text_offset or ()),
            finish_reason=choice.finish_reason,
            top_logprobs=tuple(max(top.values()) if top else None for top in logprobs.top_logprobs or ()),
        )
        if not len(completion.tokens) == len(completion.token_logprobs) == len(completion.text_offset):
            raise RunError(f"The endpoint of {self._model} returned arrays of different lengths for one completion.")
        if None in completion.token_logprobs[int(echo) :]:
            raise RunError(f"The endpoint of {self._model} returned no log-probability for some of the tokens.")
        return completion

    def self_test(self) -> None:
        """Refuse an endpoint that would give wrong scores without a word.

        Servers that ignore ``echo`` or pair tokens with the wrong rows answer with status 200 and numbers; scores made
        of them look like chance. So: an echoed prompt must come back whole, with one entry a token, the first null and
        every other a log-probability, and twice the same.

        Raises:
            RunError: the sentence says what is wrong.
        """
        request = Request((Prompt("", SELF_TEST_PROMPT),), max_tokens=0, echo=True)
        (first,), (second,) = self.complete(request), self.complete(request)
        problem = _problem_with_echo(first) or (
            None if first.token_logprobs == second.token_logprobs else "does not repeat its own scores"
        )
        if problem:
            raise RunError(f"The endpoint of {self._model} cannot be used for scoring: it {problem}.")


def _problem_with_echo(completion: Completion) -> str | None:
    """What is wrong with the echo of the self-test prompt, as the end of a sentence; None if it is right."""
    if completion.text != SELF_TEST_PROMPT:
        return f"echoes the prompt as {completion.text!r}"
    if not len(completion.tokens) == len(completion.token_logprobs) == len(completion.text_offset) > 1:
        return "does not return one log-probability and one offset for each token of the prompt"
    first, *rest = completion.token_logprobs
    if first is not None:
        return "gives the first token a log-probability, although nothing precedes it"
    if any(value is None or not math.isfinite(value) or value > 0 for value in rest):
        return "returns something else than log-probabilities for some tokens"
    if all(value == 0 for value in rest):
        return "returns zero for every log-probability"
    return None
