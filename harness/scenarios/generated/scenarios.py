"""The generated scenarios with HELM's adapter settings (``classic_run_specs.py``) and metrics, the main one first."""

from __future__ import annotations

from collections.abc import Callable

from harness.data.table import Store
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.generated import (
    dyck_language,
    synthetic_efficiency,
    synthetic_reasoning,
    synthetic_reasoning_natural,
)
from harness.scenarios.generated.drawing import GENERATED_SEED, joined

_SOLVE = "Please solve the following problem.\n"
_BARE = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="")


def _dyck(_store: Store) -> Data:
    return dyck_language.instances()


def _reasoning(_store: Store) -> Data:
    return joined([synthetic_reasoning.instances(mode) for mode in synthetic_reasoning.MODES])


def _natural(_store: Store) -> Data:
    return joined([synthetic_reasoning_natural.instances("easy"), synthetic_reasoning_natural.instances("hard")])


def _efficiency(_store: Store) -> Data:
    return synthetic_efficiency.instances()


def _scenario(
    name: str, description: str, adapter: AdapterSpec, metrics: tuple[str, ...], load: Callable[[Store], Data]
) -> Scenario:
    return Scenario(
        name=name,
        description=description,
        adapters=(adapter,),
        metrics=metrics,
        load=load,
        made_from=GENERATED_SEED,
    )


GENERATED_SCENARIOS = (
    _scenario(
        "dyck_language",
        "brackets of three kinds, up to three of them still to be closed",
        AdapterSpec(
            method="generation",
            layout=Layout(
                instructions="Please complete the rest of the following Dyck sequences, "
                "making sure that the parentheses are closed properly.\n",
                input_prefix="Input: ",
                input_suffix="",
                output_prefix="",
                output_suffix="",
            ),
            n_shots=3,
            max_tokens=5,
        ),
        # HELM's only metric goes by the last bracket; exact_match wants them all.
        ("exact_match_indicator", "exact_match"),
        _dyck,
    ),
    _scenario(
        "synthetic_reasoning",
        "patterns of symbols: matched, filled in, and found again",
        AdapterSpec(
            method="generation",
            layout=Layout(instructions=_SOLVE, input_prefix="", output_prefix="Target: "),
            examples_by_kind=True,
            max_tokens=50,
        ),
        ("quasi_exact_match", "exact_match", "prefix_exact_match", "quasi_prefix_exact_match"),
        _reasoning,
    ),
    _scenario(
        "synthetic_reasoning_natural",
        "what follows from a fact and rules in plain English",
        AdapterSpec(
            method="generation",
            layout=Layout(instructions=_SOLVE, input_prefix="Rules:\n", output_prefix=""),
            n_shots=3,
            examples_by_kind=True,
            max_tokens=20,
        ),
        ("f1_set_match",),
        _natural,
    ),
    _scenario(
        "synthetic_efficiency",
        "texts of 1 to 1152 words to go on from: what counts is the time",
        AdapterSpec(method="generation", layout=_BARE, n_shots=0, max_tokens=64, stop=()),
        ("num_output_tokens", "inference_runtime"),
        _efficiency,
    ),
)
