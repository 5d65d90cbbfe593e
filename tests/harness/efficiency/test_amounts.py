from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from harness.efficiency.amounts import SECONDS, amounts, warm_up

SPEED = st.floats(0, 1e7)
CONTEXT = st.integers(8, 131_072)


def test_of_a_usual_model() -> None:
    assert amounts(1000, 100, 4096) == (256, 1, 64, 6, 32, 1)
    assert amounts(1e5, 1e4, 4096) == (512, 8, 64, 8, 128, 8)
    assert amounts(3, 1, 4096) == (64, 1, 64, 1, 16, 1)
    assert warm_up(4096) == (64, 2, 64, 0, 16, 1)


@given(SPEED, SPEED, CONTEXT)
def test_they_fit_the_context(prefill: float, decode: float, context: int) -> None:
    for what in (amounts(prefill, decode, context), warm_up(context)):
        assert min(what.prefill, what.prefills, what.question, what.decode, what.decodes) >= 1
        assert what.prefill + 1 <= context
        assert what.question + what.decode <= context


@given(SPEED, SPEED, CONTEXT)
def test_they_take_no_longer_than_they_may_unless_they_are_the_least(
    prefill: float, decode: float, context: int
) -> None:
    what = amounts(prefill, decode, context)
    if what.prefills > 1 or what.prefill > 64:
        assert what.prefill * what.prefills <= prefill * SECONDS
    if what.questions > 1:
        assert what.question * what.questions <= prefill * SECONDS
    if what.decode > 16:
        assert what.decode <= decode * SECONDS
        assert what.decode * what.decodes <= decode * SECONDS


@given(SPEED, SPEED, CONTEXT, st.floats(1, 100))
def test_faster_models_are_asked_no_less(prefill: float, decode: float, context: int, factor: float) -> None:
    slow, fast = amounts(prefill, decode, context), amounts(prefill * factor, decode * factor, context)
    assert fast.prefill * fast.prefills >= slow.prefill * slow.prefills / 2  # 511 of them are one of 256
    assert fast.questions >= slow.questions
    assert fast.decode >= slow.decode
