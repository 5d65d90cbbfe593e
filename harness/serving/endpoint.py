"""An OpenAI-compatible endpoint that is known to score prompts rightly."""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from types import TracebackType
from typing import Protocol

import openai
import pydantic

from harness.continuation import first_of_continuation
from harness.errors import RunError, UserError
from harness.http_errors import HTTP_ERRORS
from harness.serving.batches import in_batches
from harness.serving.divergence import Compared, Recorded, ask
from harness.serving.timing import Memory, Timed, read_memory, stream
from harness.serving.wire import Choice, CompletionBody, Detokenized, Tokenized
from harness.types import Completion, Prompt, Request

RETRIES = 4
"""Of a request that found the endpoint overloaded or out of reach, at growing intervals: some 7 seconds in all."""
OVERLOADED = (429, 503)
SELF_TEST_TOKENS = 8
SELF_TEST_PROMPT = "One two three, one two three."


class _HasStatus(Protocol):
    """An HTTP response, of whichever client library the openai package uses."""

    @property
    def status_code(self) -> int: ...


class Endpoint:
    """Sends requests through the openai client and checks every answer; safe to use from many threads."""

    def __init__(self, base_url: str, model: str, alive: Callable[[], None] = lambda: None) -> None:
        """Talk to ``base_url`` about ``model``; ``alive`` raises, saying why, if the process behind it is gone."""
        self._client = openai.OpenAI(
            base_url=base_url,
            api_key="none",
            max_retries=RETRIES,
            timeout=600,
            # Loopback needs no proxy, whatever the environment says.
            http_client=openai.DefaultHttpxClient(trust_env=False, event_hooks={"response": [self._watch]}),
        )
        self._model = model
        self._alive = alive
        self.on_overload: Callable[[], None] = lambda: None
        """Told when the endpoint says that it cannot keep up; the request itself is sent again."""
        self._scores_from = False
        self._takes_ids = False
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
        return [completion for batch in in_batches(request) for completion in self._complete(batch)]

    def _complete(self, request: Request) -> list[Completion]:
        response = self._send(request)
        choices = sorted(response.choices, key=lambda choice: choice.index)
        if len(choices) != len(request.prompts):
            raise RunError(
                f"The endpoint of {self._model} returned {len(choices)} choices for {len(request.prompts)} prompts."
            )
        return [
            self._completion(choice, prompt if request.echo else None)
            for choice, prompt in zip(choices, request.prompts, strict=True)
        ]

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

    @functools.cached_property
    def predicts(self) -> bool:
        """Whether it tells the ids of what it generates, and takes such ids as a prediction.

        One that knows of no such thing refuses it, or tells no ids; from then on it is not asked for them.
        """
        request = Request((Prompt(SELF_TEST_PROMPT),), max_tokens=SELF_TEST_TOKENS)
        self._takes_ids = True
        try:
            (plain,) = self.complete(request)
            self._takes_ids = bool(plain.generated)
            if self._takes_ids:
                self.complete(replace(request, prediction=plain.generated))
        except RunError:
            self._takes_ids = False
        return self._takes_ids

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, as a prompt gets them but without BOS."""
        return self._tokens({"prompt": text, "add_special_tokens": False})

    @functools.cached_property
    def bos(self) -> tuple[int, ...]:
        """What the server puts before a text: a BOS, or nothing."""
        return tuple(self._tokens({"prompt": "", "add_special_tokens": True}))

    def tokenize_chat(self, message: str) -> list[int]:
        """A user's message in the model's chat template, up to where the assistant is to speak.

        Raises:
            UserError: the model has no chat template, or none that takes the message.
        """
        try:
            return self._tokens({"messages": [{"role": "user", "content": message}]})
        except RunError as error:
            if not isinstance(error.__cause__, openai.BadRequestError):
                raise
            body = error.__cause__.body
            said = str(body["message"] if isinstance(body, dict) and "message" in body else error)
            why = said[:1].lower() + said[1:].partition(";")[0]  # what else a server says is for its operator
            raise UserError(f"{self._model} cannot be asked with --chat, so leave that out: {why}.") from error

    def detokenize(self, tokens: list[int]) -> str:
        """The text of tokens."""
        with self._failures():
            body = self._client.post("/detokenize", body={"tokens": tokens}, cast_to=object)
            return Detokenized.model_validate(body).prompt

    def record(self, windows: Mapping[str, object]) -> Recorded:
        """Have next-token distributions kept, to compare others with.

        Raises:
            NotOffered: the endpoint cannot.
            RunError: it failed, or its answer is not usable.
        """
        with self._failures():
            return ask(self._client, {**windows, "mode": "record"}, Recorded)

    def compare(self, windows: Mapping[str, object]) -> Compared:
        """Compare next-token distributions with those that were kept; raises as :meth:`record` does."""
        with self._failures():
            return ask(self._client, {**windows, "mode": "compare"}, Compared)

    def time(self, prompt: Sequence[int], max_tokens: int) -> Timed:
        """Have so many tokens generated after a prompt, and take the times."""
        with self._failures():
            return stream(self._client, self._model, prompt, max_tokens)

    def memory(self) -> Memory:
        """What the server took of memory so far."""
        with self._failures():
            return read_memory(self._client)

    def check_alive(self) -> None:
        """Raise, saying why, if the process behind it is gone."""
        self._alive()

    def _tokens(self, body: dict[str, object]) -> list[int]:
        with self._failures():
            return Tokenized.model_validate(self._client.post("/tokenize", body=body, cast_to=object)).tokens

    def _send(self, request: Request) -> CompletionBody:
        with self._failures():
            response = self._client.completions.with_raw_response.create(
                model=self._model,
                prompt=[prompt.whole for prompt in request.prompts],  # type: ignore[arg-type] # text and ids never mix
                max_tokens=request.max_tokens,
                temperature=0,
                logprobs=request.top_k,
                echo=request.echo,
                stop=list(request.stop) or None,
                extra_body={**self._start(request), **self._predicted(request)},
            )
            return CompletionBody.model_validate_json(response.content)

    def _start(self, request: Request) -> dict[str, int]:
        """Where scoring begins, for a server that can leave out what comes before: extensions of its API."""
        if not (request.echo and self._scores_from):
            return {}
        # The prompts of a request share these fields, so the shortest context decides.
        first = min(len(prompt.context) for prompt in request.prompts)
        of_text = isinstance(request.prompts[0].context, str)
        return {"logprob_start_offset" if of_text else "logprob_start_len": first}

    def _predicted(self, request: Request) -> dict[str, object]:
        """What the model may generate, for a server that understands token ids there: extensions of its API."""
        if request.echo or not self._takes_ids:
            return {}
        prediction = {"type": "content", "content": list(request.prediction)}
        return {"return_token_ids": True, **({"prediction": prediction} if request.prediction else {})}

    def _watch(self, response: _HasStatus) -> None:
        if response.status_code in OVERLOADED:
            self.on_overload()

    @contextmanager
    def _failures(self) -> Iterator[None]:
        """The client's exceptions as ours."""
        try:
            yield
        except openai.APIConnectionError as error:
            self._alive()
            raise RunError(f"The endpoint of {self._model} could not be reached: {error}") from error
        except HTTP_ERRORS as error:  # the openai client hands on those of a stream that is being read
            self._alive()
            raise RunError(f"The endpoint of {self._model} broke off: {error}") from error
        except openai.BadRequestError as error:
            raise RunError(f"The endpoint of {self._model} refused: {error.message}") from error
        except pydantic.ValidationError as error:
            fault = error.errors()[0]
            place = ".".join(map(str, fault["loc"]))
            raise RunError(
                f"The endpoint of {self._model} answered something else than was asked for: {place}: {fault['msg']}."
            ) from error
        except json.JSONDecodeError as error:
            raise RunError(f"The endpoint of {self._model} answered with broken JSON: {error}.") from error
        except openai.OpenAIError as error:
            raise RunError(f"The endpoint of {self._model} failed: {error}") from error

    def _completion(self, choice: Choice, echoed: Prompt | None) -> Completion:
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
            finish_reason=choice.finish_reason or "",
            top_logprobs=tuple(max(top.values()) if top else None for top in logprobs.top_logprobs or ()),
            generated=tuple(choice.generated_token_ids or ()),
        )
        if not len(completion.tokens) == len(completion.token_logprobs) == len(completion.text_offset):
            raise RunError(f"The endpoint of {self._model} returned arrays of different lengths for one completion.")
        needed = max(1, first_of_continuation(completion, echoed)) if echoed else 0
        if None in completion.token_logprobs[needed:]:
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
        self._scores_from = self._can_start_late()

    def _can_start_late(self) -> bool:
        """Whether it understands that a context need not be scored; one that does not refuses that, or scores it."""
        middle = len(SELF_TEST_PROMPT) // 2
        request = Request((Prompt(SELF_TEST_PROMPT[:middle], SELF_TEST_PROMPT[middle:]),), max_tokens=0, echo=True)
        self._scores_from = True
        try:
            (late,) = self.complete(request)
        except RunError:
            return False
        first = first_of_continuation(late, request.prompts[0])
        return late.token_logprobs[:first] == (None,) * first


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
