"""Layouts put prompts together as HELM's ``AdapterSpec`` says: read from its ``Prompt`` and its in-context adapters."""

from __future__ import annotations

import dataclasses
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.layout import LETTERS, QUESTION, RANKING, Layout

ANATOMY = """\
The following are multiple choice questions (with answers) about anatomy.

Question: How many lobes has the left lung?
A. one
B. two
Answer: B

Question: Where is the tibia?
A. In the leg
B. In the arm
C. In the ear
Answer:"""

PROBLEMS = """\
Given a problem, solve it.
###
Problem: 1 + 1
Answer: $2$
###
Problem: 2 + 3
Answer: $5$
###
Problem: 4 + 4
Answer: $"""

TEXTS = st.text(st.sampled_from("aA1 .:$\n"), max_size=8)
LAYOUTS = st.builds(
    Layout,
    instructions=TEXTS,
    input_prefix=TEXTS,
    input_suffix=TEXTS,
    reference_prefix=TEXTS.map(lambda text: f"{text}A. "),
    reference_suffix=TEXTS,
    output_prefix=TEXTS,
    output_suffix=TEXTS,
    instance_prefix=TEXTS,
    global_prefix=TEXTS,
    global_suffix=TEXTS,
)


def test_listed_choices_under_instructions() -> None:
    layout = Layout(
        instructions="The following are multiple choice questions (with answers) about anatomy.\n",
    )
    example = layout.solved(layout.listed("How many lobes has the left lung?", ["one", "two"]), layout.label(1))
    asked = layout.asked(layout.listed("Where is the tibia?", ["In the leg", "In the arm", "In the ear"]))
    assert layout.prompt([example], asked) == ANATOMY


def test_blocks_between_marks() -> None:
    layout = Layout(
        instructions="Given a problem, solve it.\n",
        input_prefix="Problem: ",
        output_prefix="Answer: $",
        output_suffix="$\n",
        instance_prefix="###\n",
    )
    examples = [layout.solved(layout.input(text), answer) for text, answer in (("1 + 1", "2"), ("2 + 3", "5"))]
    assert layout.prompt(examples, layout.asked(layout.input("4 + 4"))) == PROBLEMS


def test_a_bare_text_and_its_end() -> None:
    # HELM's multiple_choice_separate_*: nothing around the input, and a space before each choice.
    layout = Layout(input_prefix="", input_suffix="", output_prefix=" ", output_suffix="")
    assert layout.prompt([], layout.asked(layout.input("The cat sat"))) == "The cat sat"
    assert layout.solved(layout.input("The cat sat"), "down.") == "The cat sat down."


def test_nothing_stands_before_the_first_block() -> None:
    assert QUESTION.prompt([], "asked") == "asked"
    assert QUESTION.prompt(["one", "two"], "asked") == "one\ntwo\nasked"
    assert Layout(instructions="Do.\n").prompt([], "asked") == "Do.\n\nasked"


def test_global_texts_stand_around_everything() -> None:
    layout = Layout(instructions="Do.\n", global_prefix="<s>", global_suffix="[go]", instance_prefix="|")
    assert layout.prompt(["one"], "asked") == "<s>Do.\n|one|asked[go]"


@pytest.mark.parametrize(
    ("output_prefix", "end"), [("Answer: ", "Answer:"), ("Answer:\n", "Answer:"), (" ", ""), ("A: $", "A: $")]
)
def test_no_space_and_no_line_break_ends_what_is_asked(output_prefix: str, end: str) -> None:
    layout = Layout(output_prefix=output_prefix)
    assert layout.asked("block") == f"block{end}"
    assert layout.solved("block", "yes") == f"block{output_prefix}yes\n"


@pytest.mark.parametrize(
    ("prefix", "names", "before_third"),
    [
        ("A. ", "ABC", "C. "),
        ("\nA. ", "ABC", "\nC. "),
        ("(A) ", "ABC", "(C) "),
        ("1) ", "123", "3) "),
        ("a: ", "abc", "c: "),
        ("[ X ] ", "XYZ", "[ Z ] "),
        ("A (A) ", "ABC", "C (C) "),
    ],
)
def test_the_first_letter_or_digit_counts_up(prefix: str, names: str, before_third: str) -> None:
    layout = Layout(reference_prefix=prefix)
    assert [layout.label(i) for i in range(3)] == list(names)
    assert [layout.choice_prefix(i) for i in (0, 2)] == [prefix, before_third]


def test_labels_are_the_letters_and_go_on_as_in_helm_after_the_last() -> None:
    labels = [QUESTION.label(i) for i in range(27)]
    assert labels == [*LETTERS, "["]  # code points, whatever comes after Z


def test_a_choice_ends_with_its_own_suffix() -> None:
    layout = Layout(reference_prefix="1) ", reference_suffix=";")
    assert layout.listed("Which?", ["tea", "oil"]) == "Question: Which?\n1) tea;2) oil;"
    assert layout.listed("Which?", []) == layout.input("Which?")


def test_a_letter_in_a_choice_is_not_counted_up() -> None:
    assert QUESTION.listed("A?", ["A. A", "A"]) == "Question: A?\nA. A. A\nB. A\n"


def test_steps_come_before_the_answer() -> None:
    layout = Layout(chain_of_thought_prefix="Steps: ", chain_of_thought_suffix=" So: ", output_prefix="A: ")
    solved = layout.solved(layout.input("1 + 2 + 3?"), layout.reasoned("1 + 2 = 3.", "6"))
    assert solved == "Question: 1 + 2 + 3?\nA: Steps: 1 + 2 = 3. So: 6\n"


def test_the_question_about_a_passage_is_helms() -> None:
    asked = RANKING.asked(f"{RANKING.reference_prefix}Tea is green.{RANKING.reference_suffix}{RANKING.input('Is it?')}")
    assert asked == "Passage: Tea is green.\nQuery: Is it?\nDoes the passage answer the query?\nAnswer:"


@given(layout=LAYOUTS, examples=st.lists(TEXTS, max_size=3), asked=TEXTS)
def test_a_prompt_is_its_blocks_in_order_and_nothing_else(layout: Layout, examples: list[str], asked: str) -> None:
    rest = layout.prompt(examples, asked)
    pieces = [layout.global_prefix]
    if layout.instructions:
        pieces += [layout.instructions, layout.instance_prefix]
    pieces += itertools.chain.from_iterable((example, layout.instance_prefix) for example in examples)
    for piece in (*pieces, asked, layout.global_suffix):
        assert rest.startswith(piece)
        rest = rest.removeprefix(piece)
    assert rest == ""


@given(layout=LAYOUTS, examples=st.lists(TEXTS, min_size=1, max_size=3), asked=TEXTS)
def test_the_last_example_can_be_left_out_without_a_trace(layout: Layout, examples: list[str], asked: str) -> None:
    longer, shorter = layout.prompt(examples, asked), layout.prompt(examples[:-1], asked)
    assert len(longer) - len(shorter) == len(examples[-1]) + len(layout.instance_prefix)
    common = len(layout.prompt(examples[:-1], "")) - len(layout.global_suffix)
    assert longer[:common] == shorter[:common]


@given(layout=LAYOUTS, text=TEXTS, output=TEXTS)
def test_what_is_asked_is_how_an_example_begins(layout: Layout, text: str, output: str) -> None:
    block = layout.input(text)
    asked, solved = layout.asked(block), layout.solved(block, output)
    assert solved.startswith(asked)
    space = layout.output_prefix.removeprefix(layout.output_prefix.rstrip())
    assert solved == f"{asked}{space}{output}{layout.output_suffix}"


@given(layout=LAYOUTS, text=TEXTS, choices=st.lists(TEXTS, max_size=5))
def test_every_choice_is_listed_once_and_in_order(layout: Layout, text: str, choices: list[str]) -> None:
    rest = layout.listed(text, choices).removeprefix(layout.input(text))
    for index, choice in enumerate(choices):
        line = f"{layout.choice_prefix(index)}{choice}{layout.reference_suffix}"
        assert rest.startswith(line)
        rest = rest.removeprefix(line)
    assert rest == ""


def test_layouts_can_be_told_apart_and_kept_in_sets() -> None:
    other = dataclasses.replace(QUESTION, instructions="Answer.\n")
    assert len({QUESTION, Layout(), other}) == 2
