from __future__ import annotations

from collections.abc import Callable

import pytest

from harness.adaptation.table import ADAPTERS
from harness.scenarios.base import Data, Scenario
from harness.types import Instance, Request

Asked = Callable[..., Instance]

SCENARIO = Scenario("s", "", (), "exact_match", lambda: Data([], []), "1", max_tokens=7)

JOINT = """\
Question: What does Bara sell?
A. tea
B. oil
Answer: B

Question: What does Cal sell?
A. wine
B. wool
C. tin
Answer: A

Question: What does Dor sell?
A. rope
B. salt
Answer:"""

CONTEXT = """\
Question: What does Bara sell?
Answer: oil

Question: What does Cal sell?
Answer: wine

Question: What does Dor sell?
Answer:"""


@pytest.fixture
def request_of(asked: Asked) -> Callable[[str], Request]:
    """What one adapter sends for one question after two examples."""
    examples = [
        asked("What does Bara sell?", "tea", "*oil"),
        asked("What does Cal sell?", "*wine", "wool", "tin"),
    ]
    instance = asked("What does Dor sell?", "rope", "*salt")
    return lambda name: ADAPTERS[name].adapt(instance, examples, SCENARIO)


def test_generation(request_of: Callable[[str], Request]) -> None:
    assert request_of("generation") == Request((CONTEXT,), max_tokens=7, echo=False, stop=("\n",))


def test_multiple_choice_joint(request_of: Callable[[str], Request]) -> None:
    assert request_of("multiple_choice_joint") == Request((JOINT,), max_tokens=5, echo=False, stop=("\n",))


def test_multiple_choice_separate(request_of: Callable[[str], Request]) -> None:
    prompts = (f"{CONTEXT} rope", f"{CONTEXT} salt")
    assert request_of("multiple_choice_separate_original") == Request(prompts, max_tokens=0, echo=True)


def test_language_modeling_asks_the_text_alone(request_of: Callable[[str], Request]) -> None:
    assert request_of("language_modeling") == Request(("What does Dor sell?",), max_tokens=0, echo=True)


@pytest.mark.parametrize("name", ["generation", "multiple_choice_joint", "multiple_choice_separate_original"])
def test_without_examples_only_the_question_is_left(name: str, asked: Asked) -> None:
    request = ADAPTERS[name].adapt(asked("Who?", "*I"), [], SCENARIO)
    assert request.prompts[0].startswith("Question: Who?\n")
    assert request.prompts[0].count("Answer:") == 1


def test_no_prompt_ends_with_a_space_that_tokenizers_would_split_off(request_of: Callable[[str], Request]) -> None:
    for name in ADAPTERS:
        assert all(prompt == prompt.rstrip() for prompt in request_of(name).prompts)
