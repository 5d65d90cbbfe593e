"""language_modeling: the text itself is scored, every token given those before it."""

from __future__ import annotations

import math

from harness.adaptation.reading import scored
from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Prompt, Request


class LanguageModeling:
    """One prompt, echoed and scored."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:  # noqa: ARG002
        """The text as it is; examples would be text of another kind."""
        return Request((Prompt("", instance.input),), max_tokens=0, echo=True)

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:  # noqa: ARG002
        """All tokens but the first, which nothing precedes; its bytes are not counted either."""
        (completion,) = completions
        logprobs = scored(completion)
        begin = completion.text_offset[1] if len(completion.text_offset) > 1 else len(completion.text)
        return Answer(
            text="",
            logprob=math.fsum(logprobs),
            token_logprobs=logprobs,
            n_bytes=len(instance.input[begin:].encode()),
        )
