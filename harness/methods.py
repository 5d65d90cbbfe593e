"""The ways of asking, by HELM's names and names of our own: what each needs of an instance, and what its answers have.

How each of them works is in :mod:`harness.adaptation`. What is known of them here is what has to be known before
anything is asked: by those who read a user's file, and by those who choose metrics.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Needs = Literal["choices", "passages", "answer", "text"]
"""Of an instance: references to choose among or to rank, some of them correct; a correct one; or just an input."""
Evidence = Literal["words", "reasons", "choice scores", "passage scores", "likelihood", "greedy"]
"""What an answer may have: words to compare with the references (perhaps with the reasons before them), a score for
each choice or passage, the log-probability of a given text, and whether greedy decoding would say that text."""
Writes = Literal["nothing", "label", "text", "reasons"]
"""What the model generates: nothing where it only scores, a word or a letter, an answer, or its steps and an answer."""


@dataclass(frozen=True, slots=True)
class Method:
    """What is known of a way of asking."""

    short: str
    """Its name in tables for people."""
    needs: Needs
    writes: Writes
    gives: frozenset[Evidence]


def _method(short: str, needs: Needs, writes: Writes, *gives: Evidence) -> Method:
    return Method(short, needs, writes, frozenset(gives))


METHODS: Mapping[str, Method] = MappingProxyType(
    {
        "generation": _method("generation", "answer", "text", "words", "reasons"),
        "multiple_choice_joint": _method("joint", "choices", "label", "words"),
        "multiple_choice_joint_chain_of_thought": _method("reasoned", "choices", "reasons", "words", "reasons"),
        "multiple_choice_separate_original": _method("separate", "choices", "nothing", "words", "choice scores"),
        "multiple_choice_separate_calibrated": _method("calibrated", "choices", "nothing", "words", "choice scores"),
        "multiple_choice_separate_partial": _method("partial", "choices", "nothing", "words", "choice scores"),
        "continuation": _method("continuation", "answer", "nothing", "likelihood", "greedy"),
        "ranking_binary": _method("ranking_binary", "passages", "label", "passage scores"),
        "language_modeling": _method("windows", "text", "nothing", "likelihood"),
        "language_modeling_chunks": _method("chunks", "text", "nothing", "likelihood"),
    }
)
"""By the names of :data:`harness.adaptation.table.ADAPTERS`."""


def short_name(adapter: str) -> str:
    """An adapter's name in tables for people; one that has no shorter name, such as a chat form, is as it is."""
    return METHODS[adapter].short if adapter in METHODS else adapter
