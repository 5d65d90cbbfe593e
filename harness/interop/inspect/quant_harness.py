# mypy: ignore-errors
"""How Inspect asks the tasks of a ``harness export inspect`` folder, and judges them as quant-harness does.

It needs Inspect alone, and ``tasks.json`` and ``data`` beside it. ``tasks.py`` has the tasks themselves.
"""

from __future__ import annotations

import json
import math
import re
from pathlib import Path

from inspect_ai import Task
from inspect_ai.dataset import Sample, json_dataset
from inspect_ai.model import GenerateConfig, ModelOutput, get_model
from inspect_ai.scorer import Score, accuracy, perplexity, scorer, stderr
from inspect_ai.solver import generate, solver
from inspect_ai.util import collect

FOLDER = Path(__file__).resolve().parent
SCORED = {"max_tokens": 1, "temperature": 0, "prompt_logprobs": 1}
"""Inspect asks for one token at least; what is wanted are the log-probabilities of the prompt."""
PARTIAL = re.compile(r"bytes:((?:\\x[0-9a-fA-F]{2})+)")
"""The name of a token that is no whole UTF-8."""


def exported(name: str, bos: str) -> Task:
    """One task of the folder; ``bos`` goes before running text, whose first word is scored only after something."""
    spec = json.loads((FOLDER / "tasks.json").read_text(encoding="utf-8"))[name]
    kind = spec["kind"]
    before = bos if kind == "text" else ""
    dataset = json_dataset(
        str(FOLDER / "data" / f"{name}.jsonl"),
        lambda row: Sample(
            id=row["id"], input=before + row["input"], target=row.get("target", ""), metadata=row.get("metadata", {})
        ),
    )
    if kind == "text":
        return Task(dataset, solver=generate(**SCORED), scorer=perplexity(), name=name)
    if kind == "choices":
        return Task(dataset, solver=rank_choices(spec["normalization"]), scorer=right_choice(), name=name)
    stop = spec["stop"] or None
    return Task(
        dataset,
        solver=generate(max_tokens=spec["max_tokens"], temperature=0, stop_seqs=stop),
        scorer=right_answer(),
        name=name,
    )


@solver
def rank_choices(normalization: str):  # noqa: ANN201
    """Score every choice after its context, and answer with the likeliest."""

    async def solve(state, generate):  # noqa: ANN001, ANN202, ARG001
        prompts, choices = state.metadata["prompts"], state.metadata["choices"]
        model, config = get_model(), GenerateConfig(**SCORED)
        # Each text once: of the same text twice, rounding could prefer one.
        texts = list(dict.fromkeys(context + answer for context, answer in prompts))
        outputs = await collect(*(model.generate(text, config=config) for text in texts))
        found = dict(zip(texts, outputs, strict=True))
        scored = [logprobs_of(found[context + answer], answer) for context, answer in prompts]
        sums = [math.fsum(logprobs) for logprobs in scored]
        if len(sums) == 2 * len(choices):  # the second half is after no question
            sums = [after - alone for after, alone in zip(sums[: len(choices)], sums[len(choices) :], strict=True)]
        lengths = {
            "token": [len(logprobs) for logprobs in scored[: len(choices)]],
            "character": [max(1, len(choice)) for choice in choices],
            "none": [1] * len(choices),
        }[normalization]
        scores = [value / length for value, length in zip(sums, lengths, strict=True)]
        chosen = [index for index, score in enumerate(scores) if score == max(scores)]
        state.metadata |= {"choice_logprobs": sums, "chosen": chosen}
        state.output = ModelOutput.from_content(str(model), choices[chosen[0]])
        return state

    return solve


def logprobs_of(output: ModelOutput, answer: str) -> list[float]:
    """Log-probabilities of the tokens at the end of a prompt that have a byte of the answer.

    Raises:
        ValueError: the server sent none, or too few.
    """
    found = output.choices[0].prompt_logprobs
    missing, logprobs = len(answer.encode()), []
    for entry in reversed(found.content if found else []):
        if missing <= 0:
            break
        partial = PARTIAL.fullmatch(entry.token)
        missing -= len(bytes.fromhex(partial[1].replace("\\x", "")) if partial else entry.token.encode())
        logprobs.append(entry.logprob)
    if missing > 0:
        raise ValueError(f"the server sent no log-probabilities for the whole of {answer!r}; is the provider right?")
    return logprobs[::-1]


@scorer(metrics=[accuracy(), stderr()])
def right_choice():  # noqa: ANN201
    """Whether the likeliest choice is right; those that tie for it share the point."""

    async def score(state, target):  # noqa: ANN001, ANN202, ARG001
        chosen, right = state.metadata["chosen"], state.metadata["right"]
        value = sum(index in right for index in chosen) / len(chosen)
        return Score(
            value=value,
            answer=state.output.completion,
            metadata={"choice_logprobs": state.metadata["choice_logprobs"]},
        )

    return score


@scorer(metrics=[accuracy(), stderr()])
def right_answer():  # noqa: ANN201
    """Whether the answer, without the spaces around it, is one of the targets."""

    async def score(state, target):  # noqa: ANN001, ANN202
        answer = state.output.completion.strip()
        return Score(value=float(answer in [one.strip() for one in target]), answer=answer)

    return score
