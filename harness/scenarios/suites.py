"""Suites: named selections of scenarios, HELM's own among them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from harness.data.table import Store
from harness.errors import UserError
from harness.names import did_you_mean
from harness.scenarios.base import Scenario

DEFAULT_SUITE = "world"
OFFLINE = "offline"
"""Not in :data:`SUITES`: what is in it depends on what is here."""

_MMLU = "mmlu:abstract_algebra+college_chemistry+computer_security+econometrics+us_foreign_policy"
"""The five of 57 subjects that HELM asks in Classic and in Lite."""
_MATH = "math:" + "+".join(
    f"{subject}_level_1"
    for subject in (
        *("algebra", "counting_and_probability", "geometry", "intermediate_algebra", "number_theory"),
        *("prealgebra", "precalculus"),
    )
)
"""All subjects, and of the five levels the easiest."""

SUITES: dict[str, tuple[str, ...]] = {
    "world": (
        *("world_facts", "world_two_step", "world_sums", "world_larger", "world_older"),
        *("world_choice", "world_text"),
    ),
    "lite": (
        *("narrative_qa", "natural_qa_openbook_longans", "natural_qa_closedbook", "openbookqa", _MMLU),
        *(_MATH, "gsm", "legalbench", "med_qa", "wmt_14"),
    ),
    "classic": (
        *(_MMLU, "boolq", "narrative_qa", "natural_qa_closedbook", "natural_qa_openbook_longans", "quac"),
        *("hellaswag", "openbookqa", "truthful_qa", "msmarco", "summarization_cnndm", "summarization_xsum"),
        *("imdb", "civil_comments", "raft"),
    ),
    "gguf": (
        *("arc_easy", "arc_challenge", "piqa", "winogrande", "hellaswag", "lambada", "mmlu", "truthful_qa"),
        *("wikitext", "gsm", "ifeval", "mmlu_pro", "gpqa"),
    ),
    "generated": ("dyck_language", "synthetic_reasoning", "synthetic_reasoning_natural", "synthetic_efficiency"),
}
"""Selectors as `--scenarios` takes them. ``lite`` and ``classic`` (its core) are HELM's; ``gguf`` is what publishers of
GGUF files quote."""


def suite(name: str, known: Mapping[str, Scenario], store: Store) -> tuple[str, ...]:
    """The selectors of a suite; of ``offline``, every scenario whose tables are here or that needs none.

    Raises:
        UserError: there is no such suite.
    """
    if name == OFFLINE:
        return tuple(one.name for one in known.values() if all(map(store.has, one.tables)))
    if name not in SUITES:
        there_are = f"there are {', '.join(suite_names())}"
        raise UserError(f"--suite: there is no suite '{name}'; {did_you_mean(name, suite_names(), there_are)}")
    return SUITES[name]


def suite_names() -> list[str]:
    """All names that `--suite` takes."""
    return [*SUITES, OFFLINE]


def suites_of(scenario: str) -> list[str]:
    """The suites of :data:`SUITES` that a scenario is in, wholly or in part."""
    return [name for name, selectors in SUITES.items() if scenario in _names(selectors)]


def _names(selectors: Iterable[str]) -> set[str]:
    return {selector.partition(":")[0] for selector in selectors}
