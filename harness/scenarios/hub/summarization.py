"""Summaries of news: summarization_cnndm (See et al. 2017) and summarization_xsum (Narayan et al. 2018)."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from harness.data.table import Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import BIAS, open_question
from harness.scenarios.hub.rows import read, read_if_there
from harness.types import Instance

METRICS = ("rouge_2", "rouge_1", "rouge_l", *BIAS)
"""HELM's others, on faithfulness and extractiveness, need models of their own."""
LONGEST = 512
"""Words of an article; the rest is cut off, as in HELM."""
SHORTEST_EXAMPLE, LONGEST_EXAMPLE = 50, 150
"""Words of an article that is an example."""

_CNNDM_REVISION = "96df5e686bee6baa90b8bee7c28b81fa3fa6223d"
_CNNDM_EXAMPLES = Table("abisee/cnn_dailymail", "3.0.0", "validation", _CNNDM_REVISION)
_CNNDM = Table("abisee/cnn_dailymail", "3.0.0", "test", _CNNDM_REVISION)
_XSUM_REVISION = "30802a38d3f89b2fa8f19276008459e8c2b8b8e6"
_XSUM_EXAMPLES = Table("EdinburghNLP/xsum", "default", "validation", _XSUM_REVISION)
_XSUM = Table("EdinburghNLP/xsum", "default", "test", _XSUM_REVISION)


def _words(text: str) -> list[str]:
    return text.split()[:LONGEST]


def _cnndm(name: str, row: Row) -> Instance:
    return open_question(name, " ".join(_words(row["article"])), [" ".join(row["highlights"].split())])


def _xsum(name: str, row: Row) -> list[Instance]:
    words = _words(row["document"])
    return [open_question(name, " ".join(words), [" ".join(row["summary"].split())])] if words else []


def is_example_length(text: str) -> bool:
    """Whether an article is short enough, and long enough, to be an example."""
    return SHORTEST_EXAMPLE <= len(_words(text)) <= LONGEST_EXAMPLE


def is_good_xsum(article: str, summary: str) -> bool:
    """Whether XSum's article was extracted whole, and its summary is one, by HELM's rules for examples."""
    n_article, n_summary = len(article.split()), len(summary.split())
    leftovers = ("Media playback is unsupported on your device", "Last updated at")
    return not any(words in article for words in leftovers) and n_summary > 10 and n_summary <= 0.2 * n_article


def _load_cnndm(store: Store) -> Data:
    def example(name: str, row: Row) -> list[Instance]:
        return [_cnndm(name, row)] if is_example_length(row["article"]) else []

    train = read_if_there(store, _CNNDM_EXAMPLES, "summarization_cnndm-t", example)
    return Data(train, read(store, _CNNDM, "summarization_cnndm-", _cnndm))


def _load_xsum(store: Store) -> Data:
    def example(name: str, row: Row) -> list[Instance]:
        fits = is_example_length(row["document"]) and is_good_xsum(row["document"], row["summary"])
        return _xsum(name, row) if fits else []

    train = read_if_there(store, _XSUM_EXAMPLES, "summarization_xsum-t", example)
    return Data(train, read(store, _XSUM, "summarization_xsum-", _xsum))


def _scenario(
    name: str, description: str, sentences: str, max_tokens: int, load: Callable[[Store], Data], *tables: Table
) -> Scenario:
    layout = Layout(
        input_prefix="###\nArticle: ",
        input_suffix="\n\n",
        output_prefix=f"Summarize the above article in {sentences}.\n",
    )
    return Scenario(
        name=name,
        description=description,
        adapters=(AdapterSpec(method="generation", layout=layout, max_tokens=max_tokens, stop=("###",)),),
        metrics=METRICS,
        load=load,
        tables=tables[:1],
        example_tables=tables[1:],
    )


SUMMARIZATION = (
    _scenario(
        "summarization_cnndm",
        "news articles in three sentences",
        "3 sentences",
        128,
        _load_cnndm,
        _CNNDM,
        _CNNDM_EXAMPLES,
    ),
    dataclasses.replace(
        _scenario(
            "summarization_xsum",
            "BBC news in one sentence; of 11,334 articles one is empty and left out",
            "1 sentence",
            64,
            _load_xsum,
            _XSUM,
            _XSUM_EXAMPLES,
        ),
        n_instances=None,
    ),
)
