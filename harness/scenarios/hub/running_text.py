"""Text as it runs on: wikitext (Merity et al. 2016) and lambada (Paperno et al. 2016, in OpenAI's processing)."""

from __future__ import annotations

import itertools
import re

from harness.data.table import Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import open_question
from harness.scenarios.hub.rows import Unusable, read
from harness.types import Instance

EMPTY_LINE = " \n"
"""The file's; the table has an empty text in its place."""
_TITLE = re.compile(r"^ = (?!= ).+ = $")

_WIKITEXT = Table("Salesforce/wikitext", "wikitext-2-raw-v1", "test", "b08601e04326c79dfdd32d625aee71d232d685c3")
_LAMBADA = Table("EleutherAI/lambada_openai", "default", "test", "900124bf3b8235c6daf21033af9948b3f07346c4")


def articles(lines: list[str]) -> list[str]:
    """Whole articles from the lines of the file: one begins with the empty line before its title.

    A title is ``= Title =`` between empty lines; sections have more equals signs. Joined, the articles are the file.
    """
    begins, i = [0], 0
    while i + 2 < len(lines):
        before, title, after = lines[i : i + 3]
        if before == after == EMPTY_LINE and _TITLE.match(title.removesuffix("\n")):
            begins.append(i)
            i += 3
        else:
            i += 1
    return ["".join(lines[a:b]) for a, b in itertools.pairwise([*begins, len(lines)]) if a < b]


def _load_wikitext(store: Store) -> Data:
    lines: list[str] = []

    def collect(_number: str, row: Row) -> list[Instance]:
        lines.append(row["text"] or EMPTY_LINE)
        return []

    read(store, _WIKITEXT, "", collect)
    return Data([], [Instance(f"wikitext-{number}", text) for number, text in enumerate(articles(lines))])


def _lambada(name: str, row: Row) -> Instance:
    context, _, word = row["text"].rpartition(" ")
    if not context:
        raise Unusable("it is a single word")
    return open_question(name, context, [word])


def _load_lambada(store: Store) -> Data:
    return Data([], read(store, _LAMBADA, "lambada-", _lambada))


RUNNING_TEXT = (
    Scenario(
        name="wikitext",
        description="articles of Wikipedia: the test text of WikiText-2, article by article",
        adapters=(
            AdapterSpec(method="language_modeling", n_shots=0, max_tokens=0),
            AdapterSpec(method="language_modeling_chunks", n_shots=0, max_tokens=0),
        ),
        metrics=("bits_per_byte", "perplexity"),
        load=_load_wikitext,
        tables=(_WIKITEXT,),
        n_instances=None,
    ),
    Scenario(
        name="lambada",
        description="the last word of a passage, as lm-eval's lambada_openai",
        adapters=(
            AdapterSpec(
                method="continuation",
                layout=Layout(input_prefix="", input_suffix="", output_prefix=" ", output_suffix=""),
                n_shots=0,
                max_tokens=0,
            ),
        ),
        metrics=("greedy_match", "perplexity"),
        load=_load_lambada,
        tables=(_LAMBADA,),
    ),
)
