from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.data.store import open_store
from harness.errors import UserError
from harness.execution.abilities import Ability, leave_out
from harness.execution.plan import Plan, plan
from harness.execution.tasks import Asking
from harness.methods import METHODS
from harness.metrics.table import METRICS, SET_METRICS
from harness.scenarios.base import Scenario
from harness.types import Instance

Ask = Callable[..., Instance]
Make = Callable[..., Scenario]

ABLE = Ability("f16")
MUTE = Ability("mute", cannot_score="Echo is ignored.")
BLIND = Ability("blind", no_logprobs="They are shaped like those of chats.")
BARE = Ability("bare", no_tokenizer="It has no tokenizer routes.")
WORDY = Ability("wordy", no_token_ids="token ids is refused with 400.")


@pytest.fixture
def planned(asked: Ask, scenario_of: Make) -> Callable[..., Plan]:
    """The plan of one scenario that is asked in these ways."""

    def make(*methods: str, chat: bool = False, text: str = "What is it?", **more: object) -> Plan:
        instances = [asked(text, "*oil", "tin"), asked(text, "oil", "*tin", name="x-1")]
        scenario = scenario_of(instances, *methods, **more)
        return plan([scenario], open_store(None), Asking(max_instances=None, seed=0, chat=chat))

    return make


def left(found: Plan) -> list[str]:
    return [task.adapter_name for task in found.tasks]


def test_who_can_do_everything_leaves_nothing_out(planned: Callable[..., Plan]) -> None:
    before = planned("generation", "multiple_choice_joint", "multiple_choice_separate_original")
    assert leave_out(before, [ABLE, ABLE]) == before


def test_what_one_of_them_cannot_score_is_left_out_for_all_by_name_and_with_the_reason(
    planned: Callable[..., Plan],
) -> None:
    before = planned("generation", "multiple_choice_separate_original", "multiple_choice_separate_calibrated")
    found = leave_out(before, [ABLE, MUTE])
    assert left(found) == ["generation"]
    assert found.left_out == [
        "Left out: quiz (multiple_choice_separate_original); quiz (multiple_choice_separate_calibrated): mute cannot "
        "score prompts. Echo is ignored."
    ]
    assert found.data.keys() == {"quiz"}


@pytest.mark.parametrize("method", METHODS)
def test_every_way_of_asking_either_scores_or_generates(
    method: str, asked: Ask, scenario_of: Make, planned: Callable[..., Plan]
) -> None:
    """Whoever can only do the other thing is not asked."""
    metrics = ("bits_per_byte",) if METHODS[method].needs == "text" else None
    before = planned(method, metrics=metrics)
    (task,) = before.tasks
    writes = METHODS[method].writes != "nothing"
    assert (MUTE.refuses(task) is None) == writes
    assert (Ability("x", cannot_generate="It writes nothing.").refuses(task) is None) != writes


def test_passages_are_ranked_by_log_probabilities_of_answers(planned: Callable[..., Plan]) -> None:
    before = planned("generation", "ranking_binary", metrics=("num_output_tokens", "rr_at_10", "exact_match"))
    (task, ranked) = before.tasks
    assert BLIND.refuses(ranked) == (
        "blind gives no log-probabilities of answers. They are shaped like those of chats."
    )
    assert MUTE.refuses(ranked) is None
    assert BLIND.refuses(task) is not None  # its main metric counts tokens


def test_metrics_that_read_log_probabilities_are_left_out_alone(planned: Callable[..., Plan]) -> None:
    metrics = ("exact_match", "ece_10_bin", "num_output_tokens")
    before = planned("multiple_choice_joint", "multiple_choice_separate_original", metrics=metrics)
    found = leave_out(before, [ABLE, BLIND, BLIND])
    joint, separate = found.tasks
    assert joint.scenario.metrics == ("exact_match",)
    assert separate.scenario.metrics == metrics
    (sentence,) = found.left_out
    assert sentence.startswith(
        "Left out: ece_10_bin, num_output_tokens of quiz (multiple_choice_joint): blind gives no"
    )


def test_metrics_that_read_log_probabilities_are_known() -> None:
    everything = {**METRICS, **SET_METRICS}
    known = {name for name, metric in everything.items() if metric.reads_logprobs}
    assert known == {"num_output_tokens", "brier", "ece_10_bin", "ece_1_bin", *(n for n in known if "selective" in n)}
    assert len(known) == 6


def test_prompts_of_token_ids_need_a_tokenizer(planned: Callable[..., Plan]) -> None:
    text = planned("language_modeling").tasks[0]
    chat, scored = planned("generation", "multiple_choice_separate_original", chat=True).tasks
    plain = planned("generation", "multiple_choice_separate_original").tasks
    for task in (text, chat, scored):
        assert BARE.refuses(task) == "bare cannot be asked in token ids. It has no tokenizer routes."
        assert WORDY.refuses(task) == "wordy cannot be asked in token ids. token ids is refused with 400."
    assert [able.refuses(task) for able in (BARE, WORDY) for task in plain] == [None] * 4


def test_where_nothing_is_left_the_reasons_are_told(planned: Callable[..., Plan]) -> None:
    with pytest.raises(UserError) as caught:
        leave_out(planned("multiple_choice_separate_original"), [ABLE, MUTE])
    assert str(caught.value) == (
        "Nothing of that can be asked. Left out: quiz: mute cannot score prompts. Echo is ignored."
    )
    assert leave_out(Plan([], [], {}), [MUTE]) == Plan([], [], {})


def test_what_was_left_out_before_stays_left_out(planned: Callable[..., Plan]) -> None:
    before = planned("generation", "multiple_choice_separate_original")._replace(left_out=["Left out: mmlu: no data."])
    assert leave_out(before, [MUTE]).left_out[0] == "Left out: mmlu: no data."
