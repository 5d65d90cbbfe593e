"""language_modeling: the text itself is scored, every token given those before it, in windows where it is long.

There is no chat form of it: running text is no message to an assistant.
"""

from __future__ import annotations

import math

from harness.adaptation.reading import continuation_logprobs, continuation_tokens
from harness.adaptation.text_windows import chunks, sliding
from harness.adaptation.window import Window
from harness.continuation import token_bytes
from harness.errors import RunError
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Prompt, Request

CHUNK = 512
"""Tokens of a window of ``llama-perplexity``, unless it is told otherwise (``-c``)."""


class LanguageModeling:
    """Every token is scored once, in windows as large as the context."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:  # noqa: ARG002
        """The text as it is; examples would be text of another kind.

        Raises:
            RunError: there is no text.
        """
        tokens = window.tokenize(instance.input)
        if not tokens:
            raise RunError(f"Instance {instance.id} is an empty text, in which there is nothing to score.")
        return Request(tuple(self.windows(tokens, window)), max_tokens=0, echo=True, shown=instance.input)

    def windows(self, tokens: list[int], window: Window) -> list[Prompt]:
        """Contexts and what is scored after them."""
        return sliding(tokens, window.bos, window.context)

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """All scored tokens, and the bytes that they stand for."""
        pairs = list(zip(completions, request.prompts, strict=True))
        scored = [pair for pair in pairs if pair[1].continuation]
        logprobs = tuple(value for pair in scored for value in continuation_logprobs(*pair))
        return Answer(
            text="",
            logprob=math.fsum(logprobs),
            token_logprobs=logprobs,
            n_bytes=self.n_bytes(instance.input, pairs),
            tokens=tuple(token for pair in scored for token in continuation_tokens(*pair)),
        )

    def n_bytes(self, text: str, pairs: list[tuple[Completion, Prompt]]) -> int:
        """UTF-8 bytes of the text, but for a first token that nothing precedes.

        Of the text, since tokens may have a space before it that is not there.
        """
        whole, first = text.encode(), token_bytes(pairs[0][0].tokens[0])
        if not whole.startswith(first):
            first = first.removeprefix(b" ")
        # Where the first token is a BOS instead, the text does not begin with its name.
        return len(whole.removeprefix(first))


class LanguageModelingChunks(LanguageModeling):
    """Only the second half of each window is scored, so that figures compare with those of ``llama-perplexity``."""

    def windows(self, tokens: list[int], window: Window) -> list[Prompt]:
        """Windows of :data:`CHUNK` tokens, or as large as the context where that is smaller."""
        return chunks(tokens, window.bos, min(CHUNK, window.context))

    def n_bytes(self, text: str, pairs: list[tuple[Completion, Prompt]]) -> int:  # noqa: ARG002
        """UTF-8 bytes of the scored tokens."""
        return sum(len(token_bytes(token)) for pair in pairs for token in continuation_tokens(*pair))
