"""Items of HellaSwag: out of the data set, as ``llama-perplexity`` reads them, and as a request."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from bench.setup import BenchError

ENDINGS = 4


class Item(NamedTuple):
    """A context and four ways to go on."""

    context: str
    endings: tuple[str, ...]
    gold: int
    """Which one is right."""


class Question(NamedTuple):
    """An item in tokens."""

    prompts: list[list[int]]
    """Context and ending, for each ending."""
    shared: int
    """How many tokens all prompts begin with."""
    gold: int


def load_items(path: Path, count: int) -> list[Item]:
    """The first items of HellaSwag's validation split, a Parquet file with the columns of the Hub's data set.

    Raises:
        BenchError: it has other columns, or fewer items.
    """
    columns = ["activity_label", "ctx", "endings", "label"]
    try:
        table = pd.read_parquet(path, columns=columns).head(count)
    except (OSError, ValueError) as error:
        raise BenchError(f"{path.name}: it is no Parquet file with the columns {', '.join(columns)}.") from error
    if len(table) < count:
        raise BenchError(f"{path.name}: it has {len(table)} items, not {count}; choose fewer by --items.")
    return [
        Item(clean(f"{activity}: {context}"), tuple(map(clean, endings)), int(label))
        for activity, context, endings, label in table.itertuples(index=False, name=None)
    ]


def clean(text: str) -> str:
    """One line without the bracketed marks of WikiHow's layout, titles set off by a full stop."""
    text = re.sub(r"\[.*?\]", "", text.replace(" [title]", ". "))
    return re.sub(r"\s+", " ", text).strip()


def as_lines(items: Sequence[Item]) -> str:
    """The text that ``llama-perplexity --hellaswag`` reads: context, number of the right ending, the endings."""
    return "".join(f"{line}\n" for item in items for line in (item.context, item.gold, *item.endings))


def tokenized(item: Item, tokenize: Callable[[str], list[int]]) -> Question:
    """An item as ``llama-perplexity`` puts it: context, a space, ending."""
    prompts = [tokenize(f"{item.context} {ending}") for ending in item.endings]
    shared = 0
    for tokens in zip(*prompts, strict=False):
        if len(set(tokens)) > 1:
            break
        shared += 1
    return Question(prompts, shared, item.gold)


def is_correct(answer: dict[str, Any], question: Question) -> bool:
    """Whether the right ending has the best mean log-probability a token (acc_norm in ``llama-perplexity``'s words)."""
    choices = sorted(answer["choices"], key=lambda choice: int(choice["index"]))
    if len(choices) != len(question.prompts):
        raise BenchError(f"{len(question.prompts)} prompts came back as {len(choices)} choices.")
    means = [np.mean(choice["logprobs"]["token_logprobs"][question.shared :]) for choice in choices]
    return int(np.argmax(means)) == question.gold
