"""Every way to get a YAML file or its data wrong that we know of: one sentence with the file, the row and the field."""

# ruff: noqa: E501 - sentences stand here as they are told, in one line

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import HarnessError, UserError
from harness.scenarios.own.scenario import load_scenario_file

Quiz = Callable[..., Path]


def sentence(path: Path) -> str:
    """What is said, with the folder left out."""
    with pytest.raises(UserError) as caught:
        load_scenario_file(path)
    said = str(caught.value)
    assert said.startswith(str(path.parent))
    return said.replace(f"{path.parent}/", "")


def row(**changes: Any) -> dict[str, Any]:
    return {"question": "2 + 2?", "choices": ["three", "four"], "answer": "four"} | changes


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"data": "nowhere.jsonl"}, "nowhere.jsonl is not there; the path is taken relative to the YAML file that names it."),
        ({"data": "quiz.xlsx"}, "quiz.xlsx is none of .jsonl, .ndjson, .csv, .tsv, .parquet; write the data in one of these."),
        ({"data": None}, "quiz.yaml: key 'data' is missing; name a JSONL, CSV or Parquet file."),
        ({"data": "{split: test}"}, "quiz.yaml: key 'data' names no path and no hub; give a file, or hub: with the id of a data set."),
        ({"data": "{path: a.csv, hub: a/b}"}, "quiz.yaml: key 'data': it names both a path and a hub; leave out one."),
        ({"data": "{pth: a.csv}"}, "quiz.yaml: key 'data.pth': 'pth' is no key here; the closest is path (known: config, hub, path, revision, split)."),
        ({"data": "{hub: ../../b}"}, "quiz.yaml: key 'data.hub': '../../b' is no id of a data set; write OWNER/NAME, as the Hub shows it."),
        ({"data": "{hub: ../b}"}, "quiz.yaml: key 'data.hub': '../b' is no id of a data set; write OWNER/NAME, as the Hub shows it."),
        ({"data": "{hub: a/b, config: ../../x}"}, "quiz.yaml: key 'data.config': '../../x' is no plain name; write it as the Hub shows it, without slashes."),
        ({"data": "{hub: a/b, split: ..}"}, "quiz.yaml: key 'data.split': '..' is no plain name; write it as the Hub shows it, without slashes."),
        ({"data": "[quiz.jsonl]"}, "quiz.yaml: key 'data': ['quiz.jsonl'] is no name of a file; write one file, or {hub: OWNER/NAME}."),
        ({"data": ""}, "quiz.yaml: key 'data': it is empty; write a file, or {hub: OWNER/NAME}."),
        ({"input": None}, "quiz.yaml: key 'input' is missing; name the column that holds the question, or write a template."),
        ({"input": "3"}, "quiz.yaml: key 'input' is 3: input should be a valid string."),
        ({"input": "{{ question }}"}, "quiz.yaml, line 2, is not YAML as a scenario needs it: found unhashable key; a template needs quotes around it."),
        ({"input": "qestion"}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: there is no column 'qestion'; did you mean 'question'."),
        ({"input": '"{{ qestion }}"'}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: there is no column 'qestion'; did you mean 'question'."),
        ({"input": '"{{ zzz }}"'}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: there is no column 'zzz'; there are 'question', 'choices', 'answer', 'subject'."),
        ({"input": '"{{ question.text }}"'}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: 'str object' has no attribute 'text'."),
        ({"input": '"{{ question"'}, "quiz.yaml, key 'input': the template has a fault in line 1: unexpected end of template, expected 'end of print statement'."),
        ({"input": '"{% if %}"'}, "quiz.yaml, key 'input': the template has a fault in line 1: Expected an expression, got 'end of statement block'."),
        ({"input": '"{{ question | nope }}"'}, "quiz.yaml, key 'input': the template has a fault in line 1: No filter named 'nope'."),
        ({"input": '"{{ question / 2 }}"'}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: the template cannot be filled in: unsupported operand type(s) for /: 'str' and 'int'."),
        ({"input": "\"{{ ''.__class__.__mro__ }}\""}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: the template cannot be filled in: access to attribute '__class__' of 'str' object is unsafe."),
        ({"input": "choices"}, "quiz.yaml, key 'input', line 1 of quiz.jsonl: it holds list \"['three', 'four']\" where a text is needed; write a template."),
        ({"choices": None}, "quiz.yaml: the adapter multiple_choice_joint needs choices and an answer; add the keys choices and answer."),
        ({"choices": "question"}, "quiz.yaml, key 'choices', line 1 of quiz.jsonl: it holds one str where a list is needed; name a column with a list, or list several columns or templates."),
        ({"choices": "[question, question]"}, "quiz.yaml, key 'choices', line 1 of quiz.jsonl: two of the choices '2 + 2?', '2 + 2?' are the same, so no answer would tell them apart."),
        ({"answer": "question"}, "quiz.yaml, key 'answer', line 1 of quiz.jsonl: '2 + 2?' names none of the choices 'three', 'four'."),
        ({"answer": "3"}, "quiz.yaml: key 'answer': 3 is no text; write one text or a list of them, numbers in quotes."),
        ({"stop": "[3]"}, "quiz.yaml: key 'stop': 3 is no text; write one text or a list of them, numbers in quotes."),
        ({"answer_as": "letter"}, "quiz.yaml, key 'answer', line 1 of quiz.jsonl: 'four' names none of the choices 'three', 'four' by its letter."),
        ({"answer_as": "name"}, "quiz.yaml: key 'answer_as' is 'name': input should be 'text', 'letter' or 'index'."),
        ({"answer_as": "text", "choices": None, "adapter": "generation"}, "quiz.yaml: answer_as says how the answer names a choice, and there are no choices; drop it."),
        ({"answer": None, "choices": None, "adapter": "generation"}, "quiz.yaml: the adapter generation needs something to compare with; add the key answer."),
        ({"adapter": None}, "quiz.yaml: key 'adapter' is missing; say how to ask, such as generation or multiple_choice_joint."),
        ({"metrics": None}, "quiz.yaml: key 'metrics' is missing; say how to judge, such as exact_match."),
        ({"metrics": "[]"}, "quiz.yaml: key 'metrics': the list is empty; say how to judge, such as exact_match."),
        ({"adapter": "[]"}, "quiz.yaml: key 'adapter': the list is empty; say how to ask, such as generation or multiple_choice_joint."),
        ({"adapter": ""}, "quiz.yaml: key 'adapter': it is empty; write one text or a list of them."),
        ({"metric": "exact_match"}, "quiz.yaml: key 'metric': 'metric' is no key here; the closest is metrics (known: "),
        ({"shots": "3"}, "quiz.yaml: shots need solved examples; add the key examples, naming a file or a split of them."),
        ({"shots": "many"}, "quiz.yaml: key 'shots' is 'many': input should be a valid integer."),
        ({"examples": "quiz.jsonl"}, "quiz.yaml: there are examples and no shots; add shots: with how many to show, or drop examples."),
        ({"examples": "{split: train}", "shots": "1"}, "quiz.yaml: key 'examples' names no path and no hub; give a file of solved examples."),
        ({"adapter": "language_modeling", "examples": "quiz.jsonl", "shots": "1"}, "quiz.yaml: the adapter language_modeling reads running text, which has no examples; drop shots and examples."),
        ({"choices": "[yes, no]"}, "quiz.yaml: key 'choices': YAML reads yes, no, on and off as true and false; put such a name between quotes."),
        ({"layout": "{input_prefx: Q}"}, "quiz.yaml: key 'layout': 'input_prefx' is no part of the layout; the closest is input_prefix (known: "),
        ({"layout": '{reference_prefix: "- "}'}, "quiz.yaml: key 'layout': reference_prefix '- ' has no letter or digit that could count the choices."),
        ({"id": "subject"}, "quiz.yaml, key 'id', line 2 of quiz.jsonl: 'quiz-sums' is the id of line 1 of quiz.jsonl too; give each row its own."),
        ({"kind": "sujet"}, "quiz.yaml, key 'kind', line 1 of quiz.jsonl: there is no column 'sujet'; did you mean 'subject'."),
        ({"name": "my quiz"}, "quiz.yaml: key 'name': 'my quiz' is no name for a scenario; write letters and digits, with . - or _ between them."),
    ],
)  # fmt: skip
def test_a_fault_in_the_yaml_file(changes: dict[str, str | None], expected: str, quiz: Quiz) -> None:
    said = sentence(quiz(**changes))
    assert (said[: len(expected)] if expected.endswith("(known: ") else said) == expected


@pytest.mark.parametrize(
    ("yaml", "expected"),
    [
        ("data: [", "quiz.yaml, line 1, is not YAML as a scenario needs it: "),
        ("input: a\ninput: b\n", "quiz.yaml, line 2, is not YAML as a scenario needs it: key 'input' is given twice."),
        ("just words", "quiz.yaml must hold keys (data, input, adapter, metrics) and holds 'just words'."),
        ("", "quiz.yaml must hold keys (data, input, adapter, metrics) and holds None."),
    ],
)
def test_no_yaml(yaml: str, expected: str, quiz: Quiz) -> None:
    assert sentence(quiz(yaml=yaml)).startswith(expected)


def test_no_yaml_file(tmp_path: Path) -> None:
    said = sentence(tmp_path / "none.yaml")
    assert said == "none.yaml cannot be read: No such file or directory; give the YAML file of a scenario."


@pytest.mark.parametrize(
    ("rows", "expected"),
    [
        ("", "quiz.jsonl has no rows; add some."),
        ("\n \n", "quiz.jsonl has no rows; add some."),
        ('{"question": "1?"}\nnonsense\n', "quiz.jsonl, line 2, is no JSON: Expecting value at column 1; write one object a line."),
        ('[1, 2]\n', "quiz.jsonl, line 1, is no JSON object but '[1, 2]'; write one object a line."),
        ('{"question": NaN}\n', "quiz.jsonl, line 1, is no JSON: NaN is no number of JSON; write one object a line."),
        ("[" * 100_000, "quiz.jsonl, line 1, is no JSON: maximum recursion depth exceeded"),
        ([row(), row(question=" ")], "quiz.yaml, key 'input', line 2 of quiz.jsonl: it is empty."),
        ([row(), row(question=None)], "quiz.yaml, key 'input', line 2 of quiz.jsonl: column 'question' is empty (null)."),
        ([row(question={"text": "?"})], "quiz.yaml, key 'input', line 1 of quiz.jsonl: it holds dict "),
        ([row(choices=[])], "quiz.yaml, key 'choices', line 1 of quiz.jsonl: a question needs at least two choices, and it has none."),
        ([row(choices=["four"])], "quiz.yaml, key 'choices', line 1 of quiz.jsonl: a question needs at least two choices, and it has 1."),
        ([row(choices=["four", " "])], "quiz.yaml, key 'choices', line 1 of quiz.jsonl: one of the choices 'four', ' ' is empty."),
        ([row(choices=["four", "four "])], "quiz.yaml, key 'choices', line 1 of quiz.jsonl: two of the choices 'four', 'four ' are the same"),
        ([row(question="x\ud800")], "quiz.yaml, key 'input', line 1 of quiz.jsonl: it holds half of a character ('\\ud800'); write the whole character."),
        ([row(choices=["four", None])], "quiz.yaml, key 'choices', line 1 of quiz.jsonl: it holds NoneType 'None' where a text is needed"),
        ([row(), row(answer="C")], "quiz.yaml, key 'answer', line 2 of quiz.jsonl: 'C' names none of the choices 'three', 'four'."),
        ([row(answer=2)], "quiz.yaml, key 'answer', line 1 of quiz.jsonl: 2 names none of the choices 'three', 'four'."),
        ([row(answer=True)], "quiz.yaml, key 'answer', line 1 of quiz.jsonl: True names none of the choices 'three', 'four'."),
        ([row(answer="")], "quiz.yaml, key 'answer', line 1 of quiz.jsonl: it is empty."),
        ([row(answer=[])], "quiz.yaml, key 'answer', line 1 of quiz.jsonl: it names no answer."),
        ([row(choices=["1", "2", "3"], answer=2)], "quiz.yaml, key 'answer', line 1 of quiz.jsonl: 2 is the text of one choice and the index of another; say which is meant with the key answer_as."),
        ([row(choices=["B", "A"], answer="A")], "quiz.yaml, key 'answer', line 1 of quiz.jsonl: 'A' is the text of one choice and the letter of another; say which is meant with the key answer_as."),
    ],
)  # fmt: skip
def test_a_fault_in_the_data(rows: Any, expected: str, quiz: Quiz) -> None:
    path = quiz() if rows == "" else quiz(rows)
    if rows == "":
        path.with_name("quiz.jsonl").write_text("")
    assert sentence(path).startswith(expected)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2 + 2?,four\n1 + 1?,two\n", "quiz.yaml, key 'input', row 1 of quiz.csv: there is no column 'question'; there are '2 + 2?', 'four'."),
        ("question,answer,answer\n", "quiz.csv has no header: its first line must name each column once, and reads 'question, answer, answer'."),
        ("question,,answer\n", "quiz.csv has no header: its first line must name each column once, and reads 'question, , answer'."),
        ("question,answer\n", "quiz.csv has no rows; add some."),
        ("question,answer\n1?,2\n3, 4 and 5?,12\n", "quiz.csv, row 2 (line 3), has 3 fields and the header 2; put texts with commas between quotes."),
        ('question,answer\n"1?,2\n', "quiz.csv, line 2, is no CSV: unexpected end of data."),
    ],
)  # fmt: skip
def test_a_fault_in_a_csv_file(text: str, expected: str, quiz: Quiz) -> None:
    path = quiz(data="quiz.csv", choices=None, adapter="generation")
    path.with_name("quiz.csv").write_text(text)
    assert sentence(path) == expected


def test_a_file_that_is_not_utf8(quiz: Quiz) -> None:
    path = quiz()
    path.with_name("quiz.jsonl").write_bytes(b'{"question": "caf\xe9?"}')
    assert sentence(path) == "quiz.jsonl is not UTF-8 at byte 17; save it as UTF-8."


def test_a_damaged_parquet_file(quiz: Quiz) -> None:
    path = quiz(data="quiz.parquet")
    path.with_name("quiz.parquet").write_bytes(b"PAR1")
    assert sentence(path).startswith("quiz.parquet cannot be read as Parquet (")


def test_a_null_in_a_template(quiz: Quiz) -> None:
    said = sentence(quiz([row(), row(question=None)], input='"Now: {{ question }}"'))
    assert said == (
        "quiz.yaml, key 'input', line 2 of quiz.jsonl: a column that the template shows is empty here (null); "
        "write {{ column or '' }} to allow it."
    )


def test_a_fault_in_the_examples(quiz: Quiz) -> None:
    path = quiz(examples="shown.csv", shots="1")
    pd.DataFrame([{"question": "1?", "choices": "a", "answer": "a"}]).to_csv(path.with_name("shown.csv"), index=False)
    assert sentence(path).startswith("quiz.yaml, key 'choices', row 1 of shown.csv: it holds one str where a list is")


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_any_bytes_are_rows_or_one_sentence(data: bytes, quiz: Quiz) -> None:
    for suffix in ("jsonl", "csv", "parquet"):
        path = quiz(data=f"quiz.{suffix}")
        path.with_name(f"quiz.{suffix}").write_bytes(data)
        with pytest.raises(HarnessError) as caught:
            load_scenario_file(path)
        assert str(caught.value).count("\n") == 0


def test_an_empty_id_is_refused(quiz: Quiz) -> None:
    path = quiz([row(key="a"), row(key=" ")], id="key")
    assert sentence(path) == "quiz.yaml, key 'id', line 2 of quiz.jsonl: it is empty."
