"""The chat form of a way of asking: what it would put into a prompt becomes a user's message."""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.adaptation.base import Adapter
from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Prompt, Request


@dataclass(frozen=True, slots=True)
class Chat:
    """An adapter whose contexts go through the chat template, and whose continuations are the assistant's words.

    What is to be scored is tokenized apart, without its leading space, and follows the template's tokens.
    """

    inner: Adapter

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The inner adapter's request in token ids, shortened until it fits with the template around it.

        Raises:
            DoesNotFit: not even an empty input fits.
            UserError: the model has no chat template.
        """
        reserved = len(window.tokenize_chat(""))
        while True:
            request = self.inner.adapt(instance, examples, spec, _Within(window, reserved))
            prompts = _in_template(request.prompts, window)
            excess = max(len(prompt.whole) for prompt in prompts) + request.max_tokens - window.context
            if excess <= 0:
                return replace(request, prompts=prompts, shown=request.text)
            reserved += excess

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """What the inner adapter reads."""
        return self.inner.read(instance, request, completions)


@dataclass(frozen=True, slots=True)
class _Within:
    """A window as the inner adapter sees it: what the template takes is not there, and BOS is the template's affair."""

    window: Window
    reserved: int
    bos: tuple[int, ...] = ()

    @property
    def context(self) -> int:
        return self.window.context - self.reserved

    def tokenize(self, text: str) -> list[int]:
        return self.window.tokenize(text)

    def detokenize(self, tokens: list[int]) -> str:
        return self.window.detokenize(tokens)

    def tokenize_chat(self, message: str) -> list[int]:
        return self.window.tokenize_chat(message)


def _in_template(prompts: tuple[Prompt, ...], window: Window) -> tuple[Prompt, ...]:
    contexts: dict[str, tuple[int, ...]] = {}
    found: list[Prompt] = []
    for prompt in prompts:
        # A prompt of token ids is one without a context.
        text = prompt.context if isinstance(prompt.context, str) else ""
        if text not in contexts:
            contexts[text] = tuple(window.tokenize_chat(text))
        if not isinstance(prompt.continuation, str):
            answer = tuple(token for token in prompt.whole if isinstance(token, int))
        else:
            answer = tuple(window.tokenize(prompt.continuation.removeprefix(" "))) if prompt.continuation else ()
        found.append(Prompt(contexts[text], answer))
    return tuple(found)
