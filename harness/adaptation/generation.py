"""generation: the model writes its answer on one line."""

from __future__ import annotations

from harness.layout import question, with_examples
from harness.scenarios.base import Scenario
from harness.types import Answer, Completion, Instance, Request


class Generation:
    """Greedy completion up to the end of the line."""

    def adapt(self, instance: Instance, examples: list[Instance], scenario: Scenario) -> Request:
        """``Question: ... Answer:`` after the solved examples."""
        solved = [f"{question(example.input)} {example.gold}" for example in examples]
        prompt = with_examples(solved, question(instance.input))
        return Request((prompt,), max_tokens=scenario.max_tokens, stop=("\n",))

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:  # noqa: ARG002
        """The text, without the spaces around it."""
        (completion,) = completions
        logprobs = tuple(value for value in completion.token_logprobs if value is not None)
        return Answer(
            text=completion.text.strip(),
            logprob=sum(logprobs),
            token_logprobs=logprobs,
            n_bytes=len(completion.text.encode()),
            prompt=request.prompts[0],
        )
