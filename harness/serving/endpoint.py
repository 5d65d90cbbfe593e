"""An OpenAI-compatible endpoint that is known to score prompts rightly."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

import openai
from openai.types import Completion as OpenAICompletion
from openai.types import CompletionChoice

from harness.errors import RunError
from harness.types import Completion, Request

SELF_TEST_PROMPT = "One two three, one two three."


class _TooLong(RunError):
    """The prompt does not fit the context."""


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

    def fits(self, request: Request) -> bool:
        """Whether the prompts and the longest answers to them fit the model's context, by its own tokenizer."""
        with self._failures():
            card = self._client.models.retrieve(self._model)
        context: int | None = getattr(card, "max_model_len", None)
        for prompt in request.prompts:
            try:
                usage = self._send(dataclasses.replace(request, prompts=(prompt,))).usage
            except _TooLong:
                return False
            # An answer cut off by the end of the context would be judged as if the model had meant it. One token is for
            # a BOS that the server adds and does not count.
            if usage and context and usage.prompt_tokens + 1 + request.max_tokens > context:
                return False
        return True

    def _send(self, request: Request) -> OpenAICompletion:
        with self._failures():
            return self._client.completions.create(
                model=self._model,
                prompt=list(request.prompts),
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
            kind = _TooLong if error.code == "context_length_exceeded" else RunError
            raise kind(f"The endpoint of {self._model} refused: {error.message}") from error
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
        request = Request((SELF_TEST_PROMPT,), max_tokens=0, echo=True)
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
