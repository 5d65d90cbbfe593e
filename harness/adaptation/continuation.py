"""continuation: the one right answer is scored after the context."""

from __future__ import annotations

import math
from dataclasses import replace

from harness.adaptation.generation import output
from harness.adaptation.in_context import answer_space, build_context, prompts_after
from harness.adaptation.reading import continuation_bytes, continuation_logprobs, continuation_tokens, is_greedy
from harness.adaptation.window import Window
from harness.scenarios.base import AdapterSpec
from harness.types import Answer, Completion, Instance, Request


class Continuation:
    """How likely the answer is, and whether greedy decoding would give it: LAMBADA, as lm-eval judges it."""

    def adapt(self, instance: Instance, examples: list[Instance], spec: AdapterSpec, window: Window) -> Request:
        """The input after the solved examples, and the first correct reference."""
        layout = spec.layout_of(instance)
        answer = f"{answer_space(layout)}{instance.gold}"
        context = build_context(
            layout,
            [layout.solved(layout.input(example.input), output(example, spec)) for example in examples],
            lambda text: layout.asked(layout.input(text)),
            instance.input,
            window,
            answers=[answer],
            keeps_end=True,
        )
        return replace(context.to_score(prompts_after([context.text], [answer], window)), top_k=1)

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The reference with its log-probabilities; ``is_greedy`` is the judgement."""
        (completion,), (prompt,) = completions, request.prompts
        logprobs = continuation_logprobs(completion, prompt)
        return Answer(
            text=instance.gold,
            logprob=math.fsum(logprobs),
            token_logprobs=logprobs,
            n_bytes=continuation_bytes(completion, prompt),
            is_greedy=is_greedy(completion, prompt),
            tokens=continuation_tokens(completion, prompt),
        )
