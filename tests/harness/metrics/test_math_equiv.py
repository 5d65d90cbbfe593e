from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.metrics.math_equiv import MATH_EQUIV, MATH_EQUIV_CHAIN_OF_THOUGHT, boxed, normal_form
from harness.types import Answer, Instance, Reference

Judged = Callable[..., float]


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        (r"\frac{1}{2}", r"\frac12"),
        (r"\frac{1}{2}", r"\dfrac{1}{2}"),
        (r"\frac{1}{2}", r"\tfrac1{2}"),
        (r"\frac{1}{2}", "1/2"),
        (r"\frac{1}{2}", "0.5"),
        (r"\frac{1}{2}", ".5"),
        (r"\frac{-3}{4}", "-3/4"),
        (r"\frac{1}{72}", r"\frac1{72}"),
        (r"\sqrt{3}", r"\sqrt3"),
        ("5", "x=5"),
        ("5", "x = 5"),
        ("5", r"5\text{ cm}"),
        ("50", r"50\%"),
        ("90", r"90^\circ"),
        ("90", r"90^{\circ}"),
        ("(1,2)", r"\left( 1, 2 \right)"),
        ("1000", r"1\!000"),
        ("12", r"\$12"),
        ("{0.3}", "{.3}"),
        ("é", " é "),
    ],
)
def test_ways_to_write_the_same(gold: str, text: str, judged: Judged) -> None:
    assert judged("math_equiv", [f"*{gold}"], text) == 1
    assert judged("math_equiv", [f"*{text}"], gold) == 1
    assert judged("math_equiv_chain_of_thought", [f"*So \\boxed{{{gold}}}."], f"Thus $\\boxed{{{text}}}$ it is.") == 1


@pytest.mark.parametrize(
    ("gold", "text"),
    [
        ("1", "2"),
        ("x+1", "1+x"),
        ("0.25", r"\frac{1}{4}"),
        ("1/2/3", r"\frac{1}{2}/3"),
        ("abc=5", "5"),
        ("5", ""),
        ("", ""),
    ],
)
def test_what_counts_as_different(gold: str, text: str, judged: Judged) -> None:
    assert judged("math_equiv", [f"*{gold}"], text) == 0


@pytest.mark.parametrize(
    ("text", "content"),
    [
        (r"\boxed{5}", "5"),
        (r"\boxed{1} and then \boxed{\frac{1}{2}}.", r"\frac{1}{2}"),
        (r"\boxed{}", ""),
        (r"\boxed{{a}{b}}", "{a}{b}"),
        (r"\boxed{1", None),
        (r"\boxed 5", None),
        ("the answer is 5", None),
        ("", None),
    ],
)
def test_the_last_box_of_a_text(text: str, content: str | None) -> None:
    assert boxed(text) == content


def test_a_chain_of_thought_is_judged_by_its_box_alone(judged: Judged) -> None:
    def value(gold: str, text: str) -> float:
        return judged("math_equiv_chain_of_thought", [f"*{gold}"], text)

    assert value("5", r"2 + 3 is \boxed{5}") == 1  # a reference may be just the answer
    assert value(r"First 4. \boxed{5}", r"\boxed{4}, no, \boxed{5}") == 1
    assert value(r"\boxed{5}", "5") == 0
    assert value(r"\boxed{5}", "The answer is 5.") == 0
    assert value("5", "5") == 0
    assert judged("math_equiv_chain_of_thought", ["*4", "*5"], r"\boxed{5}") == 1
    assert judged("math_equiv_chain_of_thought", ["*5"], r"\boxed{5}", valid=False) == 0


LATEX = st.lists(
    st.sampled_from([*"{}[]1x=/-. %^_", r"\frac", r"\sqrt", r"\boxed{", r"\text{ ", r"\left", "\\", "\n", "é", "9^{9"])
).map("".join)


@given(st.one_of(LATEX, st.text()), st.one_of(LATEX, st.text()))
def test_no_text_stops_it_and_order_does_not_matter(left: str, right: str) -> None:
    def value(gold: str, text: str) -> float:
        instance, answer = Instance("x", "", (Reference(gold, is_correct=True),)), Answer(text, 0, (), 0)
        MATH_EQUIV_CHAIN_OF_THOUGHT.judge(instance, answer)
        return MATH_EQUIV.judge(instance, answer)

    if left.strip() and right.strip():
        assert value(left, right) == value(right, left)
        assert value(left, left) == 1
    assert " " not in normal_form(left)


def test_long_texts_take_no_time(judged: Judged) -> None:
    text = r"\frac{" * 20_000 + "9^{9^{9^{9}}}" + r"\boxed{" * 20_000
    assert judged("math_equiv", ["*1"], text) == 0
    assert judged("math_equiv_chain_of_thought", ["*1"], text) == 0
