from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from harness.data.mirror import Mirror
from harness.data.table import Table
from harness.errors import MissingTable
from harness.layout import RANKING
from harness.scenarios.base import Data, Scenario
from harness.scenarios.loading import load_data
from harness.scenarios.own.scenario import load_scenario_file
from harness.types import Instance

Quiz = Callable[..., Path]


def load(path: Path) -> tuple[Scenario, Data]:
    scenario = load_scenario_file(path)
    return scenario, load_data(scenario, Mirror(path.parent))


def golds(instances: list[Instance]) -> list[tuple[str, ...]]:
    return [instance.golds for instance in instances]


def test_six_lines_make_a_scenario(quiz: Quiz) -> None:
    path = quiz()
    scenario, data = load(path)
    assert (scenario.name, scenario.metrics, scenario.description) == ("quiz", ("exact_match",), "what quiz.yaml asks")
    assert [spec.method for spec in scenario.adapters] == ["multiple_choice_joint"]
    assert (scenario.adapters[0].n_shots, scenario.adapters[0].max_tokens, scenario.adapters[0].stop) == (0, 5, ("\n",))
    assert [instance.id for instance in data.test] == ["quiz-1", "quiz-2", "quiz-3"]
    assert [instance.input for instance in data.test] == ["2 + 2?", "¿1 + 1?", "3 - 3?"]
    # By text, by letter and by index.
    assert golds(data.test) == [("four",), ("two",), ("none",)]
    assert scenario.guess_rate == pytest.approx((1 / 2 + 1 / 3 + 1 / 2) / 3)
    for file in (path, path.with_name("quiz.jsonl")):
        assert f"{file.name} sha256 {hashlib.sha256(file.read_bytes()).hexdigest()}" in scenario.made_from


def test_every_key_arrives(quiz: Quiz) -> None:
    path = quiz(
        name="sums",
        description="sums, mostly",
        examples="shown.jsonl",
        shots="1",
        adapter="[multiple_choice_joint, generation]",
        metrics="[exact_match, f1_score]",
        kind="subject",
        id='"{{ subject }}-{{ question | length }}"',
        explanation='"because {{ answer }}"',
        max_tokens="9",
        stop='["\\n\\n"]',
        examples_by_kind="true",
        sample_train="false",
        guess_rate="0.25",
        layout='{instructions: "Answer.", input_prefix: "Q: ", reference_prefix: "1) "}',
    )
    path.with_name("shown.jsonl").write_text(path.with_name("quiz.jsonl").read_text())
    scenario, data = load(path)
    assert (scenario.name, scenario.description, scenario.metrics) == (
        "sums",
        "sums, mostly",
        ("exact_match", "f1_score"),
    )
    assert scenario.guess_rate == 0.25
    joint, generation = scenario.adapters
    assert (joint.method, generation.method) == ("multiple_choice_joint", "generation")
    assert (joint.n_shots, joint.max_tokens, joint.stop) == (1, 9, ("\n\n",))
    assert joint.examples_by_kind
    assert not joint.sample_train
    assert joint.layout.instructions == "Answer.\n"
    assert joint.layout.listed("2?", ["a", "b"]) == "Q: 2?\n1) a\n2) b\n"
    assert [instance.id for instance in data.test] == ["sums-sums-6", "sums-sums-7", "sums-differences-6"]
    assert data.train[0].id == "sums-tsums-6"
    assert [instance.kind for instance in data.test] == ["sums", "sums", "differences"]
    assert data.train[0].references[1].explanation == "because four"
    assert "shown.jsonl sha256" in scenario.made_from


def test_an_open_question_has_right_answers_only(quiz: Quiz) -> None:
    rows = [{"q": "2 + 2?", "a": ["4", "four"]}, {"q": "1 + 1?", "a": 2}]
    scenario, data = load(quiz(rows, input="q", choices=None, answer="a", adapter="generation"))
    assert golds(data.test) == [("4", "four"), ("2",)]
    assert (scenario.guess_rate, scenario.adapters[0].max_tokens) == (0.0, 100)


def test_choices_may_come_from_several_fields(quiz: Quiz) -> None:
    rows = [{"q": "2 + 2?", "yes": "four", "no": 3, "right": ["B", "A"]}]
    choices = '["no", "{{ yes | upper }}"]'
    _, data = load(quiz(rows, input="q", choices=choices, answer="right", adapter="ranking_binary", metrics="rr_at_10"))
    assert [(reference.text, reference.is_correct) for reference in data.test[0].references] == [
        ("3", True),
        ("FOUR", True),
    ]


def test_running_text_needs_neither_choices_nor_answer(quiz: Quiz) -> None:
    scenario, data = load(quiz(choices=None, answer=None, adapter="language_modeling", metrics="bits_per_byte"))
    assert data.test[0].references == ()
    assert scenario.guess_rate == 0


@pytest.mark.parametrize(
    ("method", "tokens", "stop"), [("multiple_choice_joint_chain_of_thought", 1024, ()), ("ranking_binary", 5, ("\n",))]
)
def test_what_is_not_said_depends_on_the_adapter(method: str, tokens: int, stop: tuple[str, ...], quiz: Quiz) -> None:
    (spec,) = load_scenario_file(quiz(adapter=method)).adapters
    assert (spec.max_tokens, spec.stop) == (tokens, stop)
    assert (spec.layout == RANKING) == (method == "ranking_binary")


@pytest.mark.parametrize(("way", "gold"), [("text", "2"), ("letter", None), ("index", "3")])
def test_an_answer_that_could_be_several_choices_is_read_as_is_said(way: str, gold: str | None, quiz: Quiz) -> None:
    rows = [{"question": "1 + 1?", "choices": [1, 2, 3], "answer": 2 if gold else "C"}]
    _, data = load(quiz(rows, answer_as=way))
    assert data.test[0].gold == (gold or "3")


def test_the_same_rows_in_every_format_are_the_same_instances(quiz: Quiz) -> None:
    rows = [{"question": f'{i}, "{i}"?', "yes": f"a{i}", "no": "b", "right": "A"} for i in range(4)]
    found: list[Any] = []
    for suffix in ("jsonl", "csv", "tsv", "parquet"):
        path = quiz(rows, data=f"quiz.{suffix}", choices="['yes', 'no']", answer="right")
        table, file = pd.DataFrame(rows), path.with_name(f"quiz.{suffix}")
        if suffix == "parquet":
            table.to_parquet(file)
        elif suffix != "jsonl":
            table.to_csv(file, index=False, sep="\t" if suffix == "tsv" else ",", encoding="utf-8-sig")
        found.append(load(path)[1])
    assert found[0].test[3].input == '3, "3"?'
    assert found == [found[0]] * 4


def test_texts_may_have_any_characters(quiz: Quiz) -> None:
    text = "line\u2028separator\x85 \x0b and 🦙"
    _, data = load(quiz([{"question": text, "choices": ["a", "b"], "answer": "a"}]))
    assert data.test[0].input == text
    csv = quiz(data="quiz.csv", choices='["{{ a }}", "{{ b }}"]').with_name("quiz.csv")
    csv.write_text(f'question,a,b,answer\n"two\nlines",1,2,B\n\n"{text}",3,4,A\n', encoding="utf-8", newline="")
    assert [instance.input for instance in load(csv.with_name("quiz.yaml"))[1].test] == ["two\nlines", text]


def test_blank_lines_are_no_rows(quiz: Quiz) -> None:
    line = '{"question": "1?", "choices": ["a", "b"], "answer": 1}'
    rows = f"\n{line}\r\n   \n{line}"
    assert [instance.id for instance in load(quiz(rows))[1].test] == ["quiz-2", "quiz-4"]


def test_a_table_of_the_hub(quiz: Quiz, tmp_path: Path) -> None:
    path = quiz(
        data="{hub: someone/quiz, config: easy, revision: c0ffee}",
        examples="{split: train}",
        shots="2",
        choices="['yes', 'no']",
    )
    scenario = load_scenario_file(path)
    test, train = (Table("someone/quiz", "easy", split, "c0ffee") for split in ("test", "train"))
    assert (scenario.tables, scenario.example_tables) == ((test,), (train,))
    assert scenario.guess_rate == 0.5
    assert "someone/quiz (easy, test) @ c0ffee, someone/quiz (easy, train) @ c0ffee" in scenario.made_from
    with pytest.raises(MissingTable, match=r"^quiz: .*easy/test\.parquet is not there"):
        load_data(scenario, Mirror(tmp_path))
    folder = tmp_path / "someone" / "quiz" / "easy"
    folder.mkdir(parents=True)
    rows = [{"question": "2 + 2?", "yes": "four", "no": "five", "answer": "four"}]
    pd.DataFrame(rows).to_parquet(folder / "test.parquet")
    assert load_data(scenario, Mirror(tmp_path)).train == []
    pd.DataFrame(rows * 2).to_parquet(folder / "train.parquet")
    data = load_data(scenario, Mirror(tmp_path))
    assert ([one.id for one in data.train], [one.id for one in data.test]) == (["quiz-t1", "quiz-t2"], ["quiz-1"])
    pd.DataFrame(rows).iloc[:0].to_parquet(folder / "test.parquet")
    with pytest.raises(MissingTable, match=r"^quiz: someone/quiz \(easy, test\) has no rows; name another split"):
        load_data(scenario, Mirror(tmp_path))
