from __future__ import annotations

import dataclasses
import re
from itertools import product

import pytest
from world_oracle import RELATIONS, pattern

from harness.scenarios.world import phrasings
from harness.scenarios.world.facts import Country
from harness.scenarios.world.phrasings import Relation

PAIRS = {
    "sum": (phrasings.SUM_QUESTIONS + phrasings.SUM_STATEMENTS, phrasings.SUM_HELD_OUT),
    "larger": (phrasings.LARGER_QUESTIONS, ()),
    "older": (phrasings.OLDER_QUESTIONS, ()),
}


def gaps(template: str) -> list[str]:
    return sorted(re.findall(r"\{(.)\}", template))


@pytest.mark.parametrize("relation", RELATIONS.values(), ids=RELATIONS)
def test_every_template_has_its_gaps(relation: Relation) -> None:
    assert {relation.subject, relation.object} <= {field.name for field in dataclasses.fields(Country)}
    for statement in relation.statements:
        assert gaps(statement) == ["o", "s"]
        assert statement.endswith(".")
        assert not statement[0].islower()
    assert gaps(relation.thing) == ["s"]
    for question in relation.questions + relation.framed + relation.held_out:
        assert gaps(question) == ["s"]
        assert question[-1] in "?."
        assert not question[0].islower()


@pytest.mark.parametrize(("training", "held_out"), PAIRS.values(), ids=PAIRS)
def test_every_template_of_a_pair_names_both(training: tuple[str, ...], held_out: tuple[str, ...]) -> None:
    for template in training + held_out:
        assert gaps(template.replace("{o}", "")) == ["a", "b"]


def test_no_held_out_phrasing_can_be_mistaken_for_one_of_training() -> None:
    training = [text for r in RELATIONS.values() for text in r.statements + r.questions + r.framed]
    training += [text for texts, _ in PAIRS.values() for text in texts]
    held_out = [text for r in RELATIONS.values() for text in r.held_out] + [t for _, ts in PAIRS.values() for t in ts]
    for one, other in product(held_out, training):
        filled = re.sub(r"\{.\}", "Xx", one)
        # A gap takes one name here, since with more every template would fit.
        assert not re.fullmatch(pattern(other).pattern.replace(".+?", r"\w+"), filled), (one, other)


@pytest.mark.parametrize("relations", [phrasings.ONE_STEP, phrasings.TWO_STEP], ids=["one step", "two steps"])
def test_every_frame_is_practised_and_held_out_somewhere(relations: dict[str, Relation]) -> None:
    for relation in relations.values():
        frames = [frame.replace("{thing}", relation.thing) for frame in phrasings.FRAMES]
        assert len(relation.held_out) == phrasings.N_HELD_OUT
        assert not set(relation.held_out) & {*relation.questions, *relation.framed}
        assert set(frames) <= {*relation.held_out, *relation.framed, *relation.questions}
    for frame in phrasings.FRAMES:
        asked = {kind: frame.replace("{thing}", relation.thing) for kind, relation in relations.items()}
        assert any(text in relations[kind].framed for kind, text in asked.items())
        assert any(text in relations[kind].held_out for kind, text in asked.items())


def test_two_step_questions_never_name_the_country() -> None:
    assert all(relation.subject != "name" for kind, relation in phrasings.TWO_STEP.items() if kind != "country_to_age")
    assert all(relation.subject != relation.object for relation in RELATIONS.values())
