from __future__ import annotations

import json

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_run import make_run

from harness.reports.flips import DIRECTIONS, LONGEST_PROMPT, embed, flips_of
from harness.results import Run

HOSTILE = '</script><!--<script>alert("&amp;")\u2028\u202e\0'


def expected(run: Run) -> int:
    """Counted otherwise: by instance, from a table with a column a model."""
    found = run.measured.instances
    found = found[found["correct"].notna()]
    keys = ["scenario", "adapter", "instance_id"]
    right = found.pivot(index=keys, columns="model", values="correct").astype(bool)
    said = found.pivot(index=keys, columns="model", values="answer")
    others = [model for model in right if model != run.reference]
    flips = sum(int((right[model] != right[run.reference]).sum()) for model in others)
    return flips + sum(
        int((~right[model] & ~right[run.reference] & (said[model] != said[run.reference])).sum()) for model in others
    )


def test_every_changed_answer_is_there(made: Run) -> None:
    found = flips_of(made)
    assert found["total"] == len(found["flips"]) == sum(found["counts"]) == expected(made) > 100
    assert found["directions"] == list(DIRECTIONS)
    assert found["models"] == [label for label in ("q8_0", "q4_k_m", "q2_k", "null") if label in found["models"]]


def test_a_flip_has_both_answers_token_by_token(made: Run) -> None:
    found = flips_of(made)
    flip = next(flip for flip in found["flips"] if found["questions"][flip["q"]]["how"] == "separate")
    question = found["questions"][flip["q"]]
    assert (question["a"], flip["a"], flip["d"], question["golds"]) == ("oil", "tea1", 0, ["oil"])
    assert (question["tokens"], flip["tokens"]) == ([" ", "oil"], [" ", "tea1"])
    assert (question["logprobs"], flip["scores"]) == ([-0.1, -1.4], [-3.0, -1.0])  # -2 over a length of 2
    assert question["prompt"].endswith("Answer:")


def test_questions_are_there_once(made: Run) -> None:
    questions = flips_of(made)["questions"]
    assert len({(question["s"], question["how"], question["id"]) for question in questions}) == len(questions)


@pytest.mark.parametrize("most", [0, 1, 30])
def test_of_too_many_every_model_and_scenario_keeps_some(most: int, made: Run) -> None:
    found = flips_of(made, most=most)
    assert len(found["flips"]) == most
    assert found["total"] == expected(made)
    if most == 30:
        assert {flip["m"] for flip in found["flips"]} == set(found["models"])


def test_they_stop_where_the_page_would_grow_too_large(made: Run) -> None:
    found = flips_of(made, budget=10_000)
    assert 0 < len(found["flips"]) < found["total"]
    assert len(json.dumps(found)) < 12_000


def test_a_long_prompt_keeps_its_ends() -> None:
    prompt = "a" * 50_000 + "b" * 50_000
    question = flips_of(make_run(n=20, texts={"prompt": prompt}))["questions"][0]
    assert question["cut"] == 100_000 - LONGEST_PROMPT
    assert len(question["prompt"]) == LONGEST_PROMPT + 1
    assert question["prompt"].replace("\0", "").count("a") * 3 == question["prompt"].count("b")


def test_nothing_changed_and_nothing_asked() -> None:
    for run in (make_run(("f16", "null"), n=10), make_run(("f16",), n=10), make_run(tasks=())):
        found = flips_of(run)
        assert (found["flips"], found["models"], found["total"]) == ([], [], 0)


@given(st.text(st.characters(), max_size=50))
def test_what_is_embedded_reads_back_and_never_ends_its_element(text: str) -> None:
    written = embed({"text": text})
    assert json.loads(written) == {"text": text}
    assert written.isascii()
    assert not set("<>&") & set(written)


def test_hostile_texts_are_data() -> None:
    written = embed(flips_of(make_run(n=20, texts={"prompt": HOSTILE, "gold": HOSTILE, "candidate": HOSTILE})))
    assert "<" not in written
    assert json.loads(written)["questions"][0]["golds"] == [HOSTILE]


def test_half_a_character_is_kept_as_its_number() -> None:
    found = json.loads(embed({"text": "\udcff"}))
    assert found == {"text": "\udcff"}
    assert "\\udcff" in embed(found)


def test_the_order_of_the_rows_does_not_matter(made: Run) -> None:
    counts = flips_of(made)["counts"]
    shuffled = made.measured.instances.sample(frac=1, random_state=1)
    measured = made.measured._replace(instances=pd.DataFrame(shuffled))
    assert flips_of(Run(made.record, measured, made.findings))["counts"] == counts
