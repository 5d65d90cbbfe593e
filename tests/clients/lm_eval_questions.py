"""What lm-eval is asked in the tests: scenarios of the bundled world, and odd ones for what these do not have."""

from __future__ import annotations

from harness.data.store import open_store
from harness.execution.tasks import Asking, Task, plan_tasks
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.table import SCENARIOS
from harness.types import Instance, Reference

CHOICES = ("world_choice_separate", "odd_choice", "blank")
WRITTEN = ("world_facts", "world_choice_joint", "endless")
CONTINUED, NO_CONTEXT, TEXT = "continued", "no_context", "world_text"
LONGEST = 24
"""Tokens of an answer that nothing ends."""
BARE = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="", instance_prefix="")


def planned() -> list[Task]:
    """The tasks."""
    asking = Asking(max_instances=3, seed=0)
    separate = "multiple_choice_separate_original"
    bare = AdapterSpec(method=separate, n_shots=0, layout=BARE, normalization="none")
    by_character = AdapterSpec(method=separate, n_shots=0, normalization="character")
    endless = AdapterSpec(method="generation", n_shots=0, max_tokens=LONGEST, stop=())
    facts = plan_tasks(SCENARIOS["world_facts"], open_store(None), asking)[0].instances
    scenarios = (
        *(SCENARIOS[name] for name in ("world_choice", "world_facts", "world_text")),
        _scenario("odd_choice", by_character, ODD, "acc_norm", "acc", "acc_bytes"),
        _scenario(
            "blank", AdapterSpec(method="multiple_choice_separate_partial", n_shots=0, layout=BARE), BLANKS, "acc"
        ),
        _scenario(NO_CONTEXT, bare, PAIRS, "acc"),
        _scenario(CONTINUED, AdapterSpec(method="continuation", n_shots=0), _half_wrong(facts), "greedy_match"),
        _scenario("endless", endless, ODD, "exact_match"),
    )
    return [task for scenario in scenarios for task in plan_tasks(scenario, open_store(None), asking)]


def _choice(name: str, text: str, *choices: str) -> Instance:
    return Instance(name, text, tuple(Reference(one.removeprefix("*"), one.startswith("*")) for one in choices))


ODD = (
    _choice("odd-0", "Which of these is a town?", "*Łódź", "naïve 🙂", "a longer answer, with a comma"),
    _choice("odd-1", "日本の首都は?", "*東京", "*江戸", "大阪"),
    _choice("odd-2", "A line\nbreak, and a space at the end ", "*yes", "no", "x"),
)
BLANKS = (
    _choice("blank-0", "The money of _ is the leek.", "*Zoxia", "Runa"),
    _choice("blank-1", "The ruler of _ is Wae Trailini; in Paror, they speak Zisese.", "Zoxia", "*Paror"),
)
PAIRS = (
    _choice("pair-0", "", "*The capital of Paror is Higrilgrad.", "The capital of Higrilgrad is Paror."),
    _choice("pair-1", "", "*People in Paror speak Zisese.", "People in Paror speak 76."),
)


def _half_wrong(instances: tuple[Instance, ...]) -> list[Instance]:
    """Every other one with an answer that the model would not give."""
    wrong = (Reference("leek soup", True),)
    return [one if number % 2 else Instance(one.id, one.input, wrong) for number, one in enumerate(instances)]


def _scenario(name: str, spec: AdapterSpec, test: tuple[Instance, ...] | list[Instance], *metrics: str) -> Scenario:
    return Scenario(
        name=name,
        description="for a test",
        adapters=(spec,),
        metrics=metrics,
        load=lambda _store: Data([], list(test)),
        made_from="1",
    )
