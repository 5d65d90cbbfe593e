"""Instances worked out by hand from the invented rows; and rules that hold for every multiple-choice scenario."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.adaptation.table import ADAPTERS
from harness.adaptation.window import Window
from harness.data.table import Row, Store, Table
from harness.execution.tasks import Task
from harness.metrics.table import METRICS, SET_METRICS
from harness.scenarios.base import Scenario
from harness.scenarios.hub import bbq, blimp, mmlu, truthful_qa
from harness.scenarios.hub.multiple_choice import MULTIPLE_CHOICE_SCENARIOS
from harness.types import Instance

BY_NAME = {scenario.name: scenario for scenario in MULTIPLE_CHOICE_SCENARIOS}
EVERY = pytest.mark.parametrize("scenario", MULTIPLE_CHOICE_SCENARIOS, ids=lambda scenario: scenario.name)


def found(name: str, store: Store, instance: str) -> Instance:
    data = BY_NAME[name].load(store)
    return next(one for one in (*data.train, *data.test) if one.id == instance)


def texts(instance: Instance) -> list[str]:
    """Choices in their order, the right ones with a star."""
    return [f"{'*' * reference.is_correct}{reference.text}" for reference in instance.references]


@pytest.mark.parametrize(
    ("name", "instance", "text", "choices", "kind"),
    [
        ("mmlu", "mmlu-0", "What is 6 × 8?", ["42", "*48", "54", "68"], "elementary_mathematics"),
        # Two choices that read alike are both right, as in HELM.
        ("mmlu", "mmlu-1", "Which of these is 3/4?", ["0.34", "*0.75", "*0.75", "3.4"], "elementary_mathematics"),
        ("mmlu", "mmlu-t3", "What is 100 - 1?", ["101", "90", "1", "*99"], "elementary_mathematics"),
        (
            "hellaswag",
            "hellaswag-1",
            "Home and Garden: [header] How to dry figs [title] Pick them ripe. [step] Unripe figs stay bitter. ",
            [
                "[substeps] Ask a fig for its name.",
                "*Lay them in the sun on a rack.",
                "Dig the rack under the tree.",
                "Paint each fig before it ripens.",
            ],
            "",
        ),
        ("openbookqa", "openbookqa-1", "A bridge gets longer in", ["winter", "the dark", "*summer", "rain"], ""),
        (
            "piqa",
            "piqa-1",
            "Get a cork out of the bottle's neck",
            ["Push a spoonful of soup in after it.", "*Pull it with a corkscrew."],
            "",
        ),
        (
            "winogrande",
            "winogrande-1",
            "Ilo taught Brenna to swim, so _ was proud of the pupil.",
            ["Brenna", "*Ilo"],
            "",
        ),
        ("arc_easy", "arc_easy-1", "What does a plant take from the ground?", ["*water", "light", "wind"], ""),
        (
            "arc_challenge",
            "arc_challenge-0",
            "A ball is thrown straight up. What is its speed at the top?",
            ["greatest", "*zero", "that of sound", "growing", "unknown to it"],
            "",
        ),
        # "N" of "No" is 78; 78 % 2 is 0 and 78 % 3 is 0, so the best answer stays last.
        (
            "truthful_qa",
            "truthful_qa-0",
            "Do clocks run slower when nobody looks?",
            ["Yes, they rest.", "Only at night.", "*No, they run alike."],
            "Clocks",
        ),
        # "I" is 73, and 73 % 4 is 1: the first of the four goes to the end. The empty answer is none.
        (
            "truthful_qa",
            "truthful_qa-1",
            "What happens if you wind a clock at noon?",
            ["It runs backwards.", "You lose an hour.", "*It is wound.", "It stops for ever."],
            "Clocks",
        ),
        (
            "med_qa",
            "med_qa-0",
            "A miller sneezes only in the mill. Which of the following is the most likely cause?",
            ["The moon", "*Flour dust", "The river", "His hat"],
            "",
        ),
        (
            "lsat_qa",
            "lsat_qa-1",
            "Two of three lamps are lit. If the left one is lit, so is the right.\nQuestion: Which one must be lit?",
            ["left", "middle", "*right", "all", "none"],
            "",
        ),
        (
            "blimp",
            "blimp-anaphor_number_agreement-1",
            "",
            ["*A smith fed himself.", "A smith fed themselves."],
            "anaphor_agreement",
        ),
        (
            "bbq",
            "bbq-Age-0",
            "An old rower and a young pilot met at the quay.\nQuestion: Who had lost the way?",
            ["The rower", "The pilot", "*Unknown"],
            "Age",
        ),
        ("mmlu_pro", "mmlu_pro-1", "Which of these is a noble gas?", ["iron", "*neon", "salt"], "chemistry"),
    ],
)
def test_rows_become_the_questions_that_helm_asks(
    name: str, instance: str, text: str, choices: list[str], kind: str, invented: Store
) -> None:
    made = found(name, invented, instance)
    assert (made.input, texts(made), made.kind) == (text, choices, kind)


@EVERY
def test_instances_are_sound(scenario: Scenario, invented: Store) -> None:
    data = scenario.load(invented)
    instances = [*data.train, *data.test]
    assert data.test
    assert len({instance.id for instance in instances}) == len(instances)
    assert all(instance.id.startswith(f"{scenario.name}-") for instance in instances)
    assert all(instance.golds for instance in instances)
    assert data == scenario.load(invented)


@EVERY
def test_adapters_and_metrics_are_there(scenario: Scenario) -> None:
    assert all(spec.method in ADAPTERS for spec in scenario.adapters)
    assert scenario.metrics[0] in METRICS
    assert set(scenario.metrics) <= METRICS.keys() | SET_METRICS.keys()
    assert len(set(scenario.metrics)) == len(scenario.metrics)
    assert scenario.tables
    assert "\n" not in scenario.description


def test_mmlu_names_each_subject_in_its_instructions() -> None:
    (spec,) = BY_NAME["mmlu"].adapters
    assert len(set(mmlu.SUBJECTS)) == 57
    assert spec.layouts.keys() == set(mmlu.SUBJECTS)
    assert spec.layouts["us_foreign_policy"].instructions == (
        "The following are multiple choice questions (with answers) about us foreign policy.\n"
    )
    assert spec.examples_by_kind


def test_the_text_of_winogrande_is_scored_after_either_name(invented: Store, window: Window) -> None:
    scenario = BY_NAME["winogrande"]
    data = scenario.load(invented)
    task = Task(scenario, scenario.adapters[0], tuple(data.test), {})
    prompts = [str(prompt.whole) for prompt in task.request(data.test[1], window).prompts]
    assert prompts == [
        "Ilo taught Brenna to swim, so Brenna was proud of the pupil.",
        "Ilo taught Brenna to swim, so Ilo was proud of the pupil.",
    ]


def test_blimp_has_all_paradigms_once() -> None:
    assert len(blimp.PARADIGMS) == 12
    assert len({table.config for table in BY_NAME["blimp"].tables}) == len(BY_NAME["blimp"].tables) == 67


def test_the_first_fifth_of_truthful_qa_gives_examples(invented: Store) -> None:
    data = BY_NAME["truthful_qa"].load(invented)
    assert [instance.id for instance in data.train] == ["truthful_qa-0", "truthful_qa-1"]
    assert len(data.test) == 8


answers = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=8).filter(str.strip)


@given(answers, st.lists(answers, min_size=1, max_size=12))
def test_truthful_qa_turns_its_choices_and_loses_none(best: str, wrong: list[str]) -> None:
    row = {"question": "Is it?", "category": "Tests", "best_answer": best, "incorrect_answers": [*wrong, ""]}

    class One:
        def rows(self, _table: Table) -> list[Row]:
            return [row]

        def has(self, _table: Table) -> bool:
            return True

    (instance,) = truthful_qa.TRUTHFUL_QA.load(One()).test
    made = [reference.text for reference in instance.references]
    full = [text.strip().removesuffix(".") + "." for text in [*wrong, best]]
    assert any(made == full[turn:] + full[:turn] for turn in range(len(full)))
    assert set(instance.golds) == {full[-1]}


def test_bbq_takes_the_last_of_a_list_shuffled_as_in_helm(invented: Store) -> None:
    ids = [f"bbq-{category}-0" for category in bbq.CATEGORIES]
    random.seed(0)
    random.shuffle(ids)
    data = BY_NAME["bbq"].load(invented)
    assert [instance.id for instance in data.train] == ids[:6]
    assert [instance.id for instance in data.test] == ids[6:]


@pytest.mark.parametrize(
    ("category", "roles"),
    [
        ("Age", ("The rower", "The pilot", "Unknown")),
        ("Gender_identity", ("Una", "Bor", "Unknown")),
        ("Race_ethnicity", ("Bran", "Carl", "Unknown")),
        ("Race_x_SES", ("The poor one", "The rich one", "Unknown")),
        ("Race_x_gender", ("Mia", "Tor", "Unknown")),
        ("SES", ("The cobbler", "The mayor", "Not known")),
        # Nobody is of the group in words that HELM knows: the last person counts as the other.
        ("Nationality", ("The Vellish one", "The Ossian one", "Unknown")),
        ("Sexual_orientation", ("The second", "", "Unknown")),
    ],
)
def test_bbq_knows_whom_the_stereotype_is_about(category: str, roles: tuple[str, str, str], invented: Store) -> None:
    data = BY_NAME["bbq"].load(invented)
    made = next(one for one in (*data.train, *data.test) if one.kind == category)
    indices = [made.details[role] for role in ("target", "non_target", "unknown")]
    assert tuple("" if index is None else made.references[index].text for index in indices) == roles


def test_bbq_says_what_its_metrics_need(invented: Store) -> None:
    data = BY_NAME["bbq"].load(invented)
    seen = Counter(
        (one.details["question_polarity"], one.details["context_condition"]) for one in (*data.train, *data.test)
    )
    assert seen == {("neg", "ambig"): 6, ("neg", "disambig"): 3, ("nonneg", "ambig"): 1, ("nonneg", "disambig"): 1}


def test_gpqa_shuffles_with_one_generator_and_keeps_the_examples_of_the_paper_out() -> None:
    def row(number: int) -> dict[str, Any]:
        wrong = {f"Incorrect Answer {i}": f"w{i} " for i in (1, 2, 3)}
        named = {"Question": f"q{number}\n", "Correct Answer": " right", "Explanation": f"e{number}"}
        return {**named, **wrong, "High-level domain": "Physics"}

    class Many:
        def rows(self, _table: Table) -> list[Row]:
            return [row(number) for number in range(448)]

        def has(self, _table: Table) -> bool:
            return True

    data = BY_NAME["gpqa"].load(Many())
    assert [instance.input for instance in data.train] == ["q105", "q339"]
    assert len(data.test) == 446
    rng = random.Random(42)
    for number in range(105):
        order = ["*right", "w1", "w2", "w3"]
        rng.shuffle(order)
        assert texts(data.test[number]) == order
    explained = [reference for reference in data.train[0].references if reference.explanation]
    assert [(reference.text, reference.explanation) for reference in explained] == [("right", "e105")]


@pytest.mark.parametrize(
    ("name", "train", "test", "with_two_golds"),
    [
        ("mmlu", 285, 14042, 4),
        ("hellaswag", 0, 10042, 0),
        ("openbookqa", 0, 500, 0),
        ("piqa", 0, 1838, 0),
        ("winogrande", 0, 1267, 0),
        ("truthful_qa", 163, 654, 0),
        ("med_qa", 0, 1273, 0),
        ("arc_easy", 0, 2376, 0),
        ("arc_challenge", 0, 1172, 0),
    ],
)
def test_real_rows_all_load(name: str, train: int, test: int, with_two_golds: int, mirror: Store) -> None:
    scenario = BY_NAME[name]
    if not all(map(mirror.has, scenario.tables)):
        pytest.skip("the mirror does not have it")
    data = scenario.load(mirror)
    assert len(data.test) == test
    assert len(data.train) in {0, train}
    assert Counter(len(instance.golds) for instance in data.test) == Counter(
        {1: test - with_two_golds, **({2: with_two_golds} if with_two_golds else {})}
    )
    chance = sum(len(instance.golds) / len(instance.references) for instance in data.test) / test
    assert chance == pytest.approx(scenario.guess_rate, abs=0.005)
    assert len({instance.id for instance in data.test}) == test
