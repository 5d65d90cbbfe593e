"""multiple_choice_joint: all choices in one prompt, the model answers with a letter."""

from __future__ import annotations

from harness.layout import LETTERS, lettered, with_examples
from harness.scenarios.base import Scenario
from harness.types import Answer, Completion, Instance, Request


def _asked(instance: Instance) -> str:
    return lettered(instance.input, [reference.text for reference in instance.references])


def _gold_letter(instance: Instance) -> str:
    return LETTERS[next(i for i, reference in enumerate(instance.references) if reference.is_correct)]


class MultipleChoiceJoint:
    """Letters A, B, C ... in the order of the references."""

    def adapt(self, instance: Instance, examples: list[Instance], scenario: Scenario) -> Request:  # noqa: ARG002
        """The question with its lettered choices, after solved examples of the same form."""
        solved = [f"{_asked(example)} {_gold_letter(example)}" for example in examples]
        return Request((with_examples(solved, _asked(instance)),), max_tokens=5, stop=("\n",))

    def read(self, instance: Instance, request: Request, completions: list[Completion]) -> Answer:
        """The choice whose letter was given. Anything else is kept as it is and marked invalid: it is simply wrong."""
        (completion,) = completions
        given = completion.text.strip()
        letters = LETTERS[: len(instance.references)]
        valid = len(given) == 1 and given in letters
        logprobs = tuple(value for value in completion.token_logprobs if value is not None)
        return Answer(
            text=instance.references[letters.index(given)].text if valid else given,
            logprob=sum(logprobs),
            token_logprobs=logprobs,
            n_bytes=len(completion.text.encode()),
            prompt=request.prompts[0],
            valid=valid,
        )
