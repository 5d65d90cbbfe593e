from __future__ import annotations

import pytest

from harness.adaptation.language_modeling import LanguageModeling
from harness.adaptation.table import ADAPTERS
from harness.methods import METHODS, short_name
from harness.metrics.table import METRICS, SET_METRICS


def test_every_adapter_is_known_by_its_name() -> None:
    assert list(METHODS) == list(ADAPTERS)


def test_short_names_tell_adapters_apart() -> None:
    assert len({method.short for method in METHODS.values()}) == len(METHODS)
    assert short_name("multiple_choice_separate_original") == "separate"
    assert short_name("multiple_choice_joint_chat") == "multiple_choice_joint_chat"


@pytest.mark.parametrize("name", METHODS)
def test_what_is_known_of_an_adapter_fits_together(name: str) -> None:
    method = METHODS[name]
    assert (method.needs == "text") == isinstance(ADAPTERS[name], LanguageModeling)
    assert ("reasons" in method.gives) == (method.writes in ("text", "reasons"))
    assert not {"words", "likelihood"} <= method.gives


def test_there_is_an_adapter_for_what_each_metric_needs() -> None:
    given = {evidence for method in METHODS.values() for evidence in method.gives}
    needed = {metric.needs for metric in (*METRICS.values(), *SET_METRICS.values())}
    assert needed - {None} == given


def test_metrics_of_one_data_set_say_so() -> None:
    of_details = {metric.name for metric in (*METRICS.values(), *SET_METRICS.values()) if metric.reads_details}
    assert {name.split("_")[0] for name in of_details} == {"bbq", "ifeval"}
    assert len(of_details) == 6
