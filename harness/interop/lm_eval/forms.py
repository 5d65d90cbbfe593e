"""How lm-eval asks our methods: the kind of task, the keys of its YAML file, and a row of data for each question."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from harness.adaptation.in_context import answer_space
from harness.adaptation.window import ByteWindow
from harness.execution.tasks import Task
from harness.interop.asked import right_words
from harness.types import Instance, Prompt, Request

Row = dict[str, Any]

NOT_ASKED = {
    "multiple_choice_separate_calibrated": "lm-eval compares with a choice after nothing, and not after 'Answer:'",
    "language_modeling_chunks": "lm-eval scores every token of a text, and not the second half of each window",
    "ranking_binary": "lm-eval sees no log-probabilities of what a model writes",
}
"""Why lm-eval cannot ask a method; those of :data:`FORMS` and these are all."""


class Asked(NamedTuple):
    """An instance and what a run of ours would send for it."""

    instance: Instance
    request: Request


class Form(NamedTuple):
    """How lm-eval asks one of our methods."""

    output_type: str
    row: Callable[[Task, Asked], Row]
    """What the columns that ``keys`` name have for one question. ``gold`` is a list of all that is right."""
    keys: Mapping[str, Any]
    """Of the YAML file, the same for all scenarios."""
    metrics: tuple[str, ...]
    """Names of lm-eval's."""


def whole_prompts(request: Request) -> list[str]:
    """Each prompt in words, with what is scored after it."""
    return ["".join(_pair(prompt)) for prompt in request.prompts]


def choice_delimiter(task: Task) -> str:
    """What lm-eval is to put between a context and each choice: not in the choice, whose length counts."""
    spaces = {answer_space(task.spec.layout_of(instance)) for instance in task.instances}
    return "" if task.spec.method == "multiple_choice_separate_partial" or len(spaces) > 1 else spaces.pop()


def _pair(prompt: Prompt) -> tuple[str, str]:
    """Context and continuation. Where there is no context a prompt is token ids, which are bytes here."""
    if isinstance(prompt.context, str) and isinstance(prompt.continuation, str):
        return prompt.context, prompt.continuation
    whole = prompt.whole
    return "", whole if isinstance(whole, str) else ByteWindow().detokenize(whole)


def _choice_row(task: Task, asked: Asked) -> Row:
    pairs = [_pair(prompt) for prompt in asked.request.prompts]
    choices = [continuation.removeprefix(choice_delimiter(task)) for _, continuation in pairs]
    return {"context": pairs[0][0], "choices": choices, "gold": list(asked.instance.right)}


def _partial_row(_task: Task, asked: Asked) -> Row:
    pairs = [_pair(prompt) for prompt in asked.request.prompts]
    contexts = [context for context, _ in pairs]
    return {"contexts": contexts, "continuation": pairs[0][1], "gold": list(asked.instance.right)}


def _written_row(_task: Task, asked: Asked) -> Row:
    return {"context": asked.request.text, "gold": right_words(asked.instance, asked.request)}


def _continuation_row(_task: Task, asked: Asked) -> Row:
    context, continuation = _pair(asked.request.prompts[0])
    return {"context": context, "continuation": continuation}


def _text_row(_task: Task, asked: Asked) -> Row:
    return {"text": asked.instance.input}


_STRIPPED = [
    {
        "name": "strip",
        "filter": [{"function": "regex", "regex_pattern": r"(?s)^\s*(.*\S)?\s*$"}, {"function": "take_first"}],
    }
]
"""Our answers are judged without the spaces around them."""
_WRITTEN = {"doc_to_text": "context", "doc_to_target": "gold", "filter_list": _STRIPPED}
_GENERATION = Form("generate_until", _written_row, _WRITTEN, ("exact_match",))
FORMS: Mapping[str, Form] = {
    "generation": _GENERATION,
    "multiple_choice_joint": _GENERATION,
    # No metric of lm-eval finds the letter after the reasons.
    "multiple_choice_joint_chain_of_thought": _GENERATION._replace(metrics=("bypass",)),
    "multiple_choice_separate_original": Form(
        "multiple_choice",
        _choice_row,
        {"doc_to_text": "context", "doc_to_choice": "choices", "doc_to_target": "gold"},
        ("acc", "acc_norm", "acc_bytes"),
    ),
    # A number as the text tells lm-eval that each choice is a context.
    "multiple_choice_separate_partial": Form(
        "multiple_choice",
        _partial_row,
        {"doc_to_text": "gold", "doc_to_choice": "contexts", "doc_to_target": "continuation"},
        ("acc",),
    ),
    "continuation": Form(
        "loglikelihood",
        _continuation_row,
        {"doc_to_text": "context", "doc_to_target": "continuation"},
        ("perplexity", "acc"),
    ),
    "language_modeling": Form(
        "loglikelihood_rolling",
        _text_row,
        {"doc_to_text": "", "doc_to_target": "text"},
        ("word_perplexity", "byte_perplexity", "bits_per_byte"),
    ),
}
"""By the names of :data:`harness.adaptation.table.ADAPTERS`."""
