"""An OpenAI-compatible endpoint: what the harness asks of a model, whichever server holds it."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import TracebackType

from harness.continuation import first_of_continuation
from harness.errors import RunError, UserError
from harness.serving.address import read_url
from harness.serving.batches import in_batches
from harness.serving.completions import Extensions, complete
from harness.serving.dialects import Card, find_dialect, read_cards, read_context
from harness.serving.divergence import Compared, Recorded, ask
from harness.serving.echo import ECHO_PROMPT, problem_with_echo
from harness.serving.timing import Memory, Timed, read_memory, stream
from harness.serving.tokens import ByteCounter, RemoteTokenizer, Tokenizer
from harness.serving.transport import Transport
from harness.types import Completion, Prompt, Request

SELF_TEST_TOKENS = 8


class Endpoint:
    """Sends requests and checks every answer; safe to use from many threads."""

    def __init__(
        self,
        base_url: str,
        model: str,
        alive: Callable[[], None] = lambda: None,
        *,
        label: str | None = None,
        key: str | None = None,
        has_logprobs: bool = True,
        assumed_context: int | None = None,
    ) -> None:
        """Talk to ``base_url`` about ``model``.

        Args:
            base_url: of the API.
            model: what requests call the model.
            alive: raises, saying why, if the process behind it is gone.
            label: what sentences call the model; ``model`` unless given.
            key: for an endpoint that wants one.
            has_logprobs: whether log-probabilities of what is generated are to be had.
            assumed_context: tokens of its context, where it does not say so.
        """
        self._transport = Transport(read_url(base_url), label or model, key=key, alive=alive)
        self._model = model
        self._extensions = Extensions()
        self._has_logprobs = has_logprobs
        self._assumed_context = assumed_context
        self._counter: ByteCounter | None = None
        self.room: int | None = None
        """Tokens to keep to, where that is less than the model's own context: all models are asked alike."""

    def __enter__(self) -> Endpoint:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._transport.close()

    def on_overload(self, told: Callable[[], None]) -> None:
        """Have ``told`` called when the endpoint says that it cannot keep up; the request itself is sent again."""
        self._transport.on_overload = told

    def complete(self, request: Request) -> list[Completion]:
        """One completion a prompt, greedy; with log-probabilities, unless it has none for what it generates.

        Raises:
            RunError: the endpoint failed, or its answer is not usable.
        """
        wants = request.echo or self._has_logprobs
        return [
            completion
            for batch in in_batches(request)
            for completion in complete(self._transport, self._model, batch, self._extensions, wants_logprobs=wants)
        ]

    @property
    def context(self) -> int:
        """Tokens that a prompt and its answer may have together."""
        return min(self._own_context, self.room or self._own_context)

    @functools.cached_property
    def _own_context(self) -> int:
        length = read_context(self._transport.ask, self.card) or self._assumed_context
        if length is None:
            raise UserError(
                f"The endpoint of {self._transport.label} does not say how long its context is; say it with "
                "--endpoint-context."
            )
        return length

    @functools.cached_property
    def card(self) -> Card:
        """What the endpoint says of the model; its name at least."""
        found = read_cards(self._transport.ask)
        return next((card for card in found if card.id == self._model), Card(id=self._model))

    @functools.cached_property
    def predicts(self) -> bool:
        """Whether it tells the ids of what it generates, and takes such ids as a prediction.

        One that knows of no such thing refuses it, or tells no ids; from then on it is not asked for them.
        """
        request = Request((Prompt(ECHO_PROMPT),), max_tokens=SELF_TEST_TOKENS)
        self._extensions.takes_ids = True
        try:
            (plain,) = self.complete(request)
            self._extensions.takes_ids = bool(plain.generated)
            if self._extensions.takes_ids:
                self.complete(replace(request, prediction=plain.generated))
        except RunError:
            self._extensions.takes_ids = False
        return self._extensions.takes_ids

    def count_bytes(self) -> None:
        """From now on count bytes for tokens, as for an endpoint whose tokenizer cannot be asked."""
        self._counter = ByteCounter(self._transport.label)

    @property
    def bos(self) -> tuple[int, ...]:
        """What the server puts before a text: a BOS, or nothing."""
        return self._tokenizer.bos

    def tokenize(self, text: str) -> list[int]:
        """The tokens of a text, as a prompt gets them but without BOS."""
        return self._tokenizer.tokenize(text)

    def tokenize_chat(self, message: str) -> list[int]:
        """A user's message in the model's chat template, up to where the assistant is to speak.

        Raises:
            UserError: the model has no chat template, or none that takes the message.
        """
        return self._tokenizer.tokenize_chat(message)

    def detokenize(self, tokens: list[int]) -> str:
        """The text of tokens."""
        return self._tokenizer.detokenize(tokens)

    def record(self, windows: Mapping[str, object]) -> Recorded:
        """Have next-token distributions kept, to compare others with.

        Raises:
            NotOffered: the endpoint cannot.
            RunError: it failed, or its answer is not usable.
        """
        with self._transport.failures():
            return ask(self._transport.client, {**windows, "mode": "record"}, Recorded)

    def compare(self, windows: Mapping[str, object]) -> Compared:
        """Compare next-token distributions with those that were kept; raises as :meth:`record` does."""
        with self._transport.failures():
            return ask(self._transport.client, {**windows, "mode": "compare"}, Compared)

    def time(self, prompt: Sequence[int], max_tokens: int) -> Timed:
        """Have so many tokens generated after a prompt, and take the times."""
        with self._transport.failures():
            return stream(self._transport.client, self._model, prompt, max_tokens)

    def memory(self) -> Memory:
        """What the server took of memory so far."""
        with self._transport.failures():
            return read_memory(self._transport.client)

    def forget(self) -> None:
        """Have the server forget what it was asked before, if it can: what lies in its cache moves last bits."""
        self._transport.ask("../reset_prefix_cache", {})

    def check_alive(self) -> None:
        """Raise, saying why, if the process behind it is gone."""
        self._transport.alive()

    def self_test(self) -> None:
        """Refuse an endpoint that would give wrong scores without a word.

        Servers that ignore ``echo`` or pair tokens with the wrong rows answer with status 200 and numbers; scores made
        of them look like chance. So an echoed prompt must be right, and twice the same.

        Raises:
            RunError: the sentence says what is wrong.
        """
        request = Request((Prompt("", ECHO_PROMPT),), max_tokens=0, echo=True)
        (first,), (second,) = self.complete(request), self.complete(request)
        # Only a first value that is there has to be explained, so only then is the tokenizer asked.
        adds_bos = first.token_logprobs[:1] != (None,) and self._remote is not None and bool(self._remote.bos)
        problem = problem_with_echo(first, adds_bos=adds_bos) or (
            None if first.token_logprobs == second.token_logprobs else "does not repeat its own scores"
        )
        if problem:
            raise RunError(f"The endpoint of {self._transport.label} cannot be used for scoring: it {problem}.")
        self.learn_to_start_late()

    def learn_to_start_late(self) -> None:
        """From now on have contexts left unscored, if the endpoint scores prompts and understands that."""
        self._extensions.scores_from = self._can_start_late()

    def _can_start_late(self) -> bool:
        """Whether it understands that a context need not be scored; one that does not refuses that, or scores it."""
        middle = len(ECHO_PROMPT) // 2
        request = Request((Prompt(ECHO_PROMPT[:middle], ECHO_PROMPT[middle:]),), max_tokens=0, echo=True)
        self._extensions.scores_from = True
        try:
            (late,) = self.complete(request)
        except RunError:
            return False
        first = first_of_continuation(late, request.prompts[0])
        return late.token_logprobs[:first] == (None,) * first

    @functools.cached_property
    def _remote(self) -> RemoteTokenizer | None:
        dialect = find_dialect(self._transport.ask, self._model)
        return RemoteTokenizer(self._transport, self._model, dialect) if dialect else None

    @property
    def _tokenizer(self) -> Tokenizer:
        found = self._counter or self._remote
        if found is None:
            raise RunError(
                f"The endpoint of {self._transport.label} has no tokenizer that can be asked (/tokenize and "
                "/detokenize, as vLLM or llama-server have them)."
            )
        return found
