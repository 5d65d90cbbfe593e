from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from harness.adaptation.table import ADAPTERS
from harness.errors import RunError
from harness.layout import Layout
from harness.metrics.table import METRICS
from harness.scenarios.base import AdapterSpec, Scenario
from harness.scenarios.table import SCENARIOS
from harness.serving.endpoint import Endpoint
from harness.types import Answer, Completion, Instance, Prompt, Reference, Request

Asked = Callable[..., Instance]
Complete = Callable[..., Completion]
Scored = tuple[list[str], list[float | None]]
RULES: dict[str, Any] = {"acc": "none", "acc_norm": "character"}
"""Which normalization each metric stands for."""


@pytest.fixture
def read(asked: Asked, completion: Complete) -> Callable[..., Answer]:
    """The answer when the choices of one question, each after ``Q:``, got these tokens and scores."""

    def judge(name: str, *scored: Scored, alone: tuple[Scored, ...] = (), normalization: Any = "token") -> Answer:
        texts = ["".join(pieces).removeprefix("Q: ") for pieces, _ in scored]
        prompts = [Prompt("Q:", f" {text}") for text in texts] + [Prompt("Answer:", f" {text}") for text in texts]
        request = Request(tuple(prompts[: len(scored) + len(alone)]), max_tokens=0, normalization=normalization)
        completions = [completion(*one) for one in (*scored, *alone)]
        return ADAPTERS[f"multiple_choice_separate_{name}"].read(asked("Q", *texts), request, completions)

    return judge


def test_the_choice_of_the_highest_mean_is_taken(read: Callable[..., Answer]) -> None:
    answer = read(
        "original",
        (["Q", ":", " tea"], [None, -9.0, -2.0]),
        (["Q", ":", " o", "il"], [None, -9.0, -1.0, -1.5]),  # the lower sum, and the higher mean
    )
    assert (answer.text, answer.chosen) == ("oil", (1,))
    assert answer.choice_logprobs == (-2.0, -2.5)
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-2.5, (-1.0, -1.5), 4)
    assert answer.tokens == (" o", "il")


@pytest.mark.parametrize(
    ("normalization", "taken"), [("token", "a b c"), ("none", "tin"), ("character", "oil and salt")]
)
def test_the_scenario_says_by_what_choices_are_compared(
    normalization: str, taken: str, read: Callable[..., Answer]
) -> None:
    answer = read(
        "original",
        (["Q:", " tin"], [None, -3.0]),
        (["Q:", " a", " b", " c"], [None, -2.0, -2.0, -2.0]),
        (["Q:", " oil", " and salt"], [None, -2.5, -2.5]),
        normalization=normalization,
    )
    assert answer.text == taken
    assert answer.choice_logprobs == (-3.0, -6.0, -5.0)


@pytest.mark.parametrize(
    "scenario", [one for one in SCENARIOS.values() if one.metrics[0] in RULES], ids=lambda s: s.name
)
def test_what_is_shown_as_the_answer_is_what_the_main_metric_judges(scenario: Scenario) -> None:
    for spec in scenario.adapters:
        assert spec.method == "multiple_choice_separate_partial" or spec.normalization == RULES[scenario.metrics[0]]


@given(data=st.data())
def test_the_answer_agrees_with_the_metric_of_its_rule(data: st.DataObject) -> None:
    normalization, metric = data.draw(st.sampled_from([(rule, name) for name, rule in RULES.items()]))
    texts = data.draw(st.lists(st.text("abc", min_size=1, max_size=6), min_size=2, max_size=5, unique=True))
    scores = data.draw(st.lists(st.integers(-40, -1), min_size=len(texts), max_size=len(texts), unique=True))
    instance = Instance("x-0", "Q", tuple(Reference(text, i == 0) for i, text in enumerate(texts)))
    completions = [
        Completion(f"Q: {text}", ("Q:", f" {text}"), (None, float(score)), (0, 2), "stop")
        for text, score in zip(texts, scores, strict=True)
    ]
    prompts = tuple(Prompt("Q:", f" {text}") for text in texts)
    request = Request(prompts, max_tokens=0, echo=True, normalization=normalization)
    try:
        answer = ADAPTERS["multiple_choice_separate_original"].read(instance, request, completions)
    except RunError:
        assume(False)
    assert METRICS[metric].judge(instance, answer) == METRICS["exact_match"].judge(instance, answer)


def test_of_choices_that_tie_all_are_taken_and_the_first_is_shown(read: Callable[..., Answer]) -> None:
    low: Scored = (["Q:", " tin"], [None, -4.0])
    answer = read("original", low, (["Q:", " tea"], [None, -2.0]), (["Q:", " oil"], [None, -2.0]))
    assert (answer.text, answer.chosen) == ("tea", (1, 2))


def test_calibration_takes_off_what_a_choice_has_without_the_question(read: Callable[..., Answer]) -> None:
    answer = read(
        "calibrated",
        (["Q:", " tea"], [None, -1.0]),
        (["Q:", " o", "il"], [None, -2.0, -3.0]),
        alone=((["Answer:", " tea"], [None, -1.5]), (["Answer:", " oil"], [None, -9.0])),
    )
    # Sums, as in HELM: -1 + 1.5 against -5 + 9. They may have other numbers of tokens.
    assert answer.choice_logprobs == (0.5, 4.0)
    assert (answer.text, answer.chosen) == ("oil", (1,))
    assert (answer.logprob, answer.token_logprobs, answer.n_bytes) == (-5.0, (-2.0, -3.0), 4)


def test_partial_scoring_compares_sums(read: Callable[..., Answer]) -> None:
    # A token over the border makes one more of the same words; the mean would prefer it.
    answer = read("partial", (["Q:", " so"], [None, -2.0]), (["Q:", " s", "o"], [None, -1.0, -1.5]))
    assert answer.chosen == (0,)


def test_choices_are_scored_by_a_real_server_as_one_by_one(endpoint: Endpoint, asked: Asked) -> None:
    instance = asked("Which money does Bristan use?", "*salt", "the long rope of Hismendia", "tea")
    request = ADAPTERS["multiple_choice_separate_calibrated"].adapt(
        instance, [], AdapterSpec(method="multiple_choice_separate_calibrated"), endpoint
    )
    together = endpoint.complete(request)
    answer = ADAPTERS["multiple_choice_separate_calibrated"].read(instance, request, together)
    for index, gain in enumerate(answer.choice_logprobs):
        sums: list[float] = []
        for prompt in (request.prompts[index], request.prompts[index + 3]):
            (alone,) = endpoint.complete(Request((Prompt("", str(prompt.whole)),), max_tokens=0, echo=True))
            begin = next(i for i, at in enumerate(alone.text_offset) if at >= len(prompt.context))
            sums.append(sum(value or 0 for value in alone.token_logprobs[begin:]))
        assert gain == pytest.approx(sums[0] - sums[1], abs=0.02)
    assert answer.chosen == (max(range(3), key=answer.choice_logprobs.__getitem__),)


@pytest.mark.parametrize("text", ["no blank here", "the blank ends it: _ \n"])
def test_partial_scoring_needs_words_after_a_blank(text: str, asked: Asked, window_of: Callable[..., Any]) -> None:
    adapter = ADAPTERS["multiple_choice_separate_partial"]
    spec = AdapterSpec(method="multiple_choice_separate_partial", layout=Layout())
    with pytest.raises(RunError, match=r"^Instance quiz-7 has no text after a blank \(_\)"):
        adapter.adapt(asked(text, "*a", "b", name="quiz-7"), [], spec, window_of())
