from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.adaptation.table import ADAPTERS, CHAT_ADAPTERS
from harness.errors import UserError
from harness.layout import RANKING, Layout
from harness.scenarios.base import AdapterSpec
from harness.types import Instance, Prompt, Reference, Request

Asked = Callable[..., Instance]
Ask = Callable[..., Request]

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

RANKED = """\
Passage: tea
Query: What does Bara sell?
Does the passage answer the query?
Answer: No

Passage: oil
Query: What does Bara sell?
Does the passage answer the query?
Answer: Yes

Passage: wine
Query: What does Cal sell?
Does the passage answer the query?
Answer: Yes

Passage: wool
Query: What does Cal sell?
Does the passage answer the query?
Answer: No

Passage: {}
Query: What does Dor sell?
Does the passage answer the query?
Answer:"""


@pytest.fixture
def ask(asked: Asked, window_of: Callable[..., Any]) -> Ask:
    """What one adapter sends for one question after two examples."""
    examples = [
        asked("What does Bara sell?", "tea", "*oil"),
        asked("What does Cal sell?", "*wine", "wool", "tin"),
    ]
    instance = asked("What does Dor sell?", "rope", "*salt")

    def make(method: str, *, after: list[Instance] = examples, of: Instance = instance, **spec: Any) -> Request:
        return ADAPTERS[method].adapt(of, after, AdapterSpec(method=method, **spec), window_of())

    return make


def test_generation(ask: Ask) -> None:
    assert ask("generation", max_tokens=7, stop=("\n\n",)) == Request(
        (Prompt(CONTEXT),), max_tokens=7, stop=("\n\n",), n_examples=2
    )


def test_generation_shows_all_references_where_several_are_right(ask: Ask, asked: Asked) -> None:
    examples = [asked("Which?", "*a", "b", "*c"), asked("Who?", "a")]
    (one,), (several,) = (ask("generation", after=examples, multi_label=flag).prompts for flag in (False, True))
    assert "Answer: a\n\nQuestion: Who?\nAnswer: n/a\n" in str(one.context)
    assert "Answer: a, c\n\nQuestion: Who?\nAnswer: n/a\n" in str(several.context)


def test_generation_shows_the_steps_that_an_example_has(ask: Ask, asked: Asked) -> None:
    example = Instance("x", "2 + 2 + 2?", (Reference("6", True, "2 and 2 are 4, 4 and 2 are 6."),))
    layout = Layout(chain_of_thought_prefix="Steps: ", chain_of_thought_suffix=" So: ")
    (prompt,) = ask("generation", after=[example, asked("1 + 1?", "*2")], layout=layout).prompts
    assert prompt.context == (
        "Question: 2 + 2 + 2?\nAnswer: Steps: 2 and 2 are 4, 4 and 2 are 6. So: 6\n\n"
        "Question: 1 + 1?\nAnswer: 2\n\nQuestion: What does Dor sell?\nAnswer:"
    )


def test_multiple_choice_joint(ask: Ask) -> None:
    assert ask("multiple_choice_joint") == Request(
        (Prompt(JOINT),), max_tokens=5, stop=("\n",), n_examples=2, labels=("A", "B")
    )


def test_joint_chain_of_thought(ask: Ask) -> None:
    example = Instance("x", "Which is a drink?", (Reference("oil", False), Reference("tea", True, "One drinks tea.")))
    layout = Layout(
        input_suffix="\nChoices:\n",
        reference_prefix="(A) ",
        output_prefix="",
        chain_of_thought_prefix="Step by step: ",
        chain_of_thought_suffix=" The correct answer is ",
        global_suffix="Think.",
    )
    request = ask("multiple_choice_joint_chain_of_thought", after=[example], layout=layout, max_tokens=99)
    assert request.prompts[0].context == (
        "Question: Which is a drink?\nChoices:\n(A) oil\n(B) tea\n"
        "Step by step: One drinks tea. The correct answer is (B) \n\n"
        "Question: What does Dor sell?\nChoices:\n(A) rope\n(B) salt\nThink."
    )
    assert (request.max_tokens, request.labels) == (99, ("A", "B"))


def test_multiple_choice_separate(ask: Ask) -> None:
    assert ask("multiple_choice_separate_original") == Request(
        (Prompt(CONTEXT, " rope"), Prompt(CONTEXT, " salt")), max_tokens=0, echo=True, n_examples=2, shown=CONTEXT
    )


def test_calibrated_scores_each_choice_after_no_question_too(ask: Ask) -> None:
    helm = Layout(input_prefix="", input_suffix="", output_prefix=" ", output_suffix="")
    request = ask("multiple_choice_separate_calibrated", after=[], layout=helm)
    question = "What does Dor sell?"
    assert request.prompts == (
        *(Prompt(question, " rope"), Prompt(question, " salt")),
        *(Prompt("Answer:", " rope"), Prompt("Answer:", " salt")),
    )
    assert (request.echo, request.max_tokens) == (True, 0)


def test_partial_puts_each_choice_into_the_blank(ask: Ask, asked: Asked) -> None:
    layout = Layout(input_prefix="", input_suffix="\n")
    request = ask(
        "multiple_choice_separate_partial",
        after=[asked("Ann thanked Bo, for _ had helped.", "Ann", "*Bo")],
        of=asked("The cup is not in the box because the _  is too big.", "*cup", "box"),
        layout=layout,
    )
    context = "Ann thanked Bo, for Bo had helped.\n\nThe cup is not in the box because the "
    assert request.prompts == (
        Prompt(f"{context}cup", " is too big."),
        Prompt(f"{context}box", " is too big."),
    )
    assert (request.shown, request.echo, request.n_examples) == (context, True, 1)


def test_continuation_scores_the_one_answer(ask: Ask, asked: Asked) -> None:
    layout = Layout(input_prefix="", input_suffix="", output_prefix=" ", output_suffix="")
    request = ask("continuation", after=[], of=asked("He went to", "*sea"), layout=layout)
    assert request == Request((Prompt("He went to", " sea"),), max_tokens=0, echo=True, top_k=1, shown="He went to")


def test_ranking_binary_asks_of_each_passage(ask: Ask) -> None:
    assert ask("ranking_binary", layout=RANKING, stop=("\n",)) == Request(
        (Prompt(RANKED.format("rope")), Prompt(RANKED.format("salt"))), max_tokens=5, stop=("\n",), n_examples=2
    )


def test_language_modeling_asks_the_text_alone(ask: Ask) -> None:
    text = "What does Dor sell?"
    ids = tuple(text.encode())
    assert ask("language_modeling") == Request((Prompt((256,), ids),), max_tokens=0, echo=True, shown=text)


@pytest.mark.parametrize("name", [name for name in CHAT_ADAPTERS if "partial" not in name])
def test_without_examples_only_the_question_is_left(name: str, ask: Ask, asked: Asked) -> None:
    request = ask(name, after=[], of=asked("Who?", "*I"))
    assert str(request.prompts[0].context).count("Question: Who?\n") == 1
    assert str(request.prompts[0].context).count("Answer:") == 1


@pytest.mark.parametrize("name", [name for name in CHAT_ADAPTERS if "partial" not in name])
def test_no_prompt_ends_with_a_space_that_tokenizers_would_split_off(name: str, ask: Ask) -> None:
    assert all(prompt.whole == str(prompt.whole).rstrip() for prompt in ask(name).prompts)
    assert all(prompt.context == str(prompt.context).rstrip() for prompt in ask(name).prompts)


def test_a_choice_without_a_question_stands_after_bos(asked: Asked, window_of: Callable[..., Any]) -> None:
    instance = asked("", "*a b", "b a")
    empty = Layout(input_prefix="", input_suffix="", output_prefix="", output_suffix="")
    spec = AdapterSpec(method="multiple_choice_separate_original", layout=empty)
    adapter = ADAPTERS[spec.method]
    assert adapter.adapt(instance, [], spec, window_of()).prompts == (
        *(Prompt((256,), tuple(b"a b")), Prompt((256,), tuple(b"b a"))),
    )
    # A model without BOS has nothing that the first token could follow.
    assert adapter.adapt(instance, [], spec, window_of(bos=())).prompts == (
        *(Prompt(tuple(b"a"), tuple(b" b")), Prompt(tuple(b"b"), tuple(b" a"))),
    )


def test_more_choices_than_letters_are_refused(asked: Callable[..., Instance], window_of: Callable[..., Any]) -> None:
    instance = asked("Which?", "*a", *(f"b{i}" for i in range(26)))
    spec = AdapterSpec(method="multiple_choice_joint")
    with pytest.raises(UserError, match=r"^Instance x-0 has 27 choices and there are 26 letters; ask it with mult"):
        ADAPTERS["multiple_choice_joint"].adapt(instance, [], spec, window_of())
