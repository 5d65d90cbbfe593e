from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from harness.perturbations.contraction import contraction
from harness.perturbations.lowercase import lowercase
from harness.perturbations.mild_mix import mild_mix
from harness.perturbations.misspelling import misspellings
from harness.perturbations.spaces import space


@settings(deadline=None)
@given(st.text(), st.integers())
def test_the_parts_in_helms_order_from_one_generator(text: str, seed: int):
    text = f"She is not there because {text}"
    rng = Random(seed)
    expected = contraction(lowercase(text, rng), rng)
    expected = space(misspellings(expected, rng, probability=0.1), rng, max_spaces=3)
    assert mild_mix(text, Random(seed)) == expected


def test_lower_case_and_contracted():
    assert " ".join(mild_mix("HE IS 12.\nYES", Random(0)).split(" ")).replace("  ", " ") == "he's 12.\nyes"


def test_lowercase_is_unicode():
    assert lowercase("ÄÖ Straße №5", Random(0)) == "äö straße №5"
