from copy import deepcopy
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.base import Perturbation, perturbed
from harness.perturbations.table import PERTURBATIONS
from harness.types import Instance, Reference

QUESTION = Instance(
    id="q-7",
    input="Peter Miller will ask his father about the beautiful house. Why isn't he happy? He has 12 dollars.",
    references=(
        Reference("His father is big.", True, explanation="Because his father said so."),
        Reference("Peter", False),
    ),
    kind="family",
    details={"rules": ["no_comma"]},
)

quick = settings(max_examples=30, deadline=None)
every = pytest.mark.parametrize("perturbation", PERTURBATIONS.values(), ids=PERTURBATIONS)


def instances() -> st.SearchStrategy[Instance]:
    words = st.sampled_from(
        ["He", "his", "the", "Because", "PETER", "don't", "big", "12", "naïve", ",", "\n", "  ", "ſhe"]
    )
    texts = st.lists(words | st.text(max_size=5), max_size=8).map(" ".join)
    references = st.lists(st.builds(Reference, texts, st.booleans()), max_size=3).map(tuple)
    return st.builds(Instance, st.text(max_size=5), texts, references)


@every
def test_all_but_the_texts_is_kept(perturbation: Perturbation):
    before = deepcopy(QUESTION)
    changed = perturbed(QUESTION, perturbation, seed=1)
    assert before == QUESTION
    assert changed.perturbation == perturbation.name
    assert (changed.id, changed.kind, changed.details) == ("q-7", "family", {"rules": ["no_comma"]})
    assert [reference.is_correct for reference in changed.references] == [True, False]
    assert changed.references[0].explanation == "Because his father said so."
    assert "12" in changed.input


@every
@quick
@given(instance=instances(), seed=st.integers())
def test_any_instance(perturbation: Perturbation, instance: Instance, seed: int):
    changed = perturbed(instance, perturbation, seed)
    assert changed == perturbed(instance, perturbation, seed)
    assert len(changed.references) == len(instance.references)
    if not perturbation.changes_references:
        assert changed.references == instance.references


@every
@quick
@given(text=st.text(st.characters(exclude_categories=["L", "Nl", "So", "Cs", "Zs"])))
def test_text_without_letters_and_spaces_stays(perturbation: Perturbation, text: str):
    assert perturbation.change(text, Random(0)) == text


def test_only_fairness_changes_references():
    assert {p.group for p in PERTURBATIONS.values() if p.changes_references} == {"fairness"}
    assert perturbed(QUESTION, PERTURBATIONS["gender_terms"], 0).references[0].text == "His mother is big."
    assert perturbed(QUESTION, PERTURBATIONS["lowercase"], 0).references == QUESTION.references


@pytest.mark.parametrize("name", ["dialect0.5", "gender_pronouns0.5", "person_name0.5", "person_name_any_gender0.5"])
def test_references_agree_with_the_question_whatever_is_drawn(name: str):
    text = "This brother of Peter asked him for more."
    outcomes = set()
    for number in range(20):
        instance = Instance(str(number), text, (Reference(text, True),))
        changed = perturbed(instance, PERTURBATIONS[name], seed=3)
        assert changed.gold == changed.input
        outcomes.add(changed.input)
    assert len(outcomes) > 1


def test_what_is_drawn_depends_on_seed_name_and_id():
    def drawn(name: str, identity: str, seed: int) -> str:
        same = Perturbation(name, "", "robustness", lambda _, rng: str(rng.random()))
        return perturbed(Instance(identity, ""), same, seed).input

    assert len({drawn("a", "x", 0), drawn("b", "x", 0), drawn("a", "y", 0), drawn("a", "x", 1)}) == 4
    # Pinned: the same in every run, and on every machine.
    assert drawn("a", "x", 0) == str(Random("0/a/x").random()) == "0.6394680129392302"
