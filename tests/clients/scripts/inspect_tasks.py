"""Tasks as people write them for Inspect; the questions are in the JSONL file that ``-T questions=`` names."""

from __future__ import annotations

from inspect_ai import Task, task
from inspect_ai.dataset import FieldSpec, Sample, json_dataset
from inspect_ai.scorer import includes, perplexity, target_perplexity
from inspect_ai.solver import generate


def _scored(record: dict[str, str]) -> Sample:
    """The question with its answer, which is the target."""
    return Sample(input=record["prompt"] + record["answer"], metadata={"target_text": record["answer"]})


def _counted(record: dict[str, str]) -> Sample:
    """The same, where the client has no tokenizer."""
    return Sample(input=record["prompt"] + record["answer"], metadata={"num_target_tokens": record["n_tokens"]})


@task
def tokenized(questions: str) -> Task:
    """Target log-probabilities; Inspect finds with the server's tokenizer what the target is."""
    return Task(
        json_dataset(questions, _scored), solver=generate(max_tokens=1, prompt_logprobs=1), scorer=target_perplexity()
    )


@task
def counted(questions: str) -> Task:
    """Target log-probabilities, and those of the whole text."""
    return Task(
        json_dataset(questions, _counted),
        solver=generate(max_tokens=1, prompt_logprobs=1),
        scorer=[target_perplexity(), perplexity()],
    )


@task
def answered(questions: str) -> Task:
    """What the model goes on with."""
    return Task(
        json_dataset(questions, FieldSpec(input="prompt", target="answer")),
        solver=generate(max_tokens=12, stop_seqs=["\n"], logprobs=True, top_logprobs=2),
        scorer=includes(),
    )


@task
def chatted(questions: str) -> Task:
    """What the model answers in a conversation, and how likely that conversation is."""
    return Task(
        json_dataset(questions, FieldSpec(input="question", target="answer")),
        solver=generate(max_tokens=12, temperature=0, logprobs=True, top_logprobs=2, prompt_logprobs=1),
        scorer=[includes(), perplexity()],
    )
