"""The rules by which rows are chosen, cut, cleaned and divided."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import datasets
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.data.table import Row, Store, Table
from harness.errors import MissingTable
from harness.scenarios.hub.mathematics import MATHEMATICS
from harness.scenarios.hub.msmarco import as_example
from harness.scenarios.hub.natural_questions import short_answers
from harness.scenarios.hub.open_questions import set_apart
from harness.scenarios.hub.raft import layout, split
from harness.scenarios.hub.raft_tasks import RAFT_TASKS
from harness.scenarios.hub.running_text import EMPTY_LINE, articles
from harness.scenarios.hub.summarization import is_example_length, is_good_xsum
from harness.scenarios.hub.text import TEXT_SCENARIOS
from harness.scenarios.loading import load_data
from harness.types import Instance, Reference

BY_NAME = {scenario.name: scenario for scenario in TEXT_SCENARIOS}


class Rows:
    """A store with these rows in every table."""

    def __init__(self, *rows: Row) -> None:
        self._rows = rows

    def rows(self, _table: Table) -> Iterable[Row]:
        return self._rows

    def has(self, _table: Table) -> bool:
        return True


def dialogue(name: str, n_turns: int, *, answer: str = "here") -> Row:
    numbers = range(n_turns)
    return {
        "dialogue_id": name,
        "wikipedia_page_title": "Pell",
        "background": "A town.",
        "section_title": "Ferry",
        "context": "The ferry is blue. CANNOTANSWER",
        "questions": [f"q{i}?" for i in numbers],
        "answers": {"texts": [[answer, answer] for _ in numbers]},
        "orig_answers": {"texts": [f"a{i}" for i in numbers]},
    }


@given(st.integers(3, 12), st.text("ab", min_size=1, max_size=6))
def test_quac_shows_all_turns_but_the_last_before_the_question(n_turns: int, name: str) -> None:
    (found,) = BY_NAME["quac"].load(Rows(dialogue(name, n_turns))).test
    shown = [line.removeprefix("Question: q") for line in found.input.split("\n") if line.startswith("Question: ")]
    asked = int(shown[-1].rstrip("?"))
    assert 2 <= asked < n_turns
    assert [int(number.rstrip("?")) for number in shown[:-1]] == list(range(asked - 1))
    assert f"a{asked - 2}\n\nQuestion: q{asked}?" in found.input
    assert "CANNOTANSWER" not in found.input


def test_quac_accepts_other_words_where_there_is_no_answer() -> None:
    (found,) = BY_NAME["quac"].load(Rows(dialogue("d", 4, answer="CANNOTANSWER"))).test
    assert found.golds == ("CANNOTANSWER", "Not enough information", "Cannot answer", "Do not know")


def test_narrative_qa_asks_one_question_a_story(invented: Store) -> None:
    data = BY_NAME["narrative_qa"].load(invented)
    assert [one.id for one in data.train] == ["narrative_qa-ts1", "narrative_qa-ts2"]
    assert [one.id for one in data.test] == ["narrative_qa-s3", "narrative_qa-s4"]


def test_natural_qa_leaves_out_questions_without_a_short_answer(invented: Store) -> None:
    data = BY_NAME["natural_qa_closedbook"].load(invented)
    assert [one.id.rsplit("-", 1)[1] for one in (*data.train, *data.test)] == ["0", "3", "2"]


def test_natural_qa_reads_bytes_of_the_page_and_takes_the_markup_out() -> None:
    page = "é <p>An &eacute;clair\u00a0or <b>two</b></p>"
    begin, end = 3, len(page.encode())
    annotation = {"start_byte": begin, "end_byte": end}
    both = {"start_byte": [begin, 6], "end_byte": [end, 6]}
    row = {"document": {"html": page}, "annotations": {"long_answer": [annotation], "short_answers": [both]}}
    # The second answer has no letters, so it is none.
    assert short_answers(row) == [("An éclair or two", "An éclair or two")]


def test_summaries_cut_articles_and_leave_out_the_empty_one(invented: Store) -> None:
    (found,) = BY_NAME["summarization_cnndm"].load(invented).test
    words = found.input.split(" ")
    assert len(words) == 512
    assert words[:4] == ["Bakers", "in", "Vell", "went"]
    assert [one.id for one in BY_NAME["summarization_xsum"].load(invented).test] == ["summarization_xsum-0"]


def test_examples_of_summaries_are_chosen_as_helm_does(invented: Store) -> None:
    assert [n for n in (49, 50, 150, 151) if is_example_length("word " * n)] == [50, 150]
    article, summary = "word " * 60, "word " * 11
    assert is_good_xsum(article, summary)
    assert not is_good_xsum(article, "word " * 10)
    assert not is_good_xsum("word " * 54, summary)
    assert is_good_xsum("word " * 55, summary)
    assert not is_good_xsum(f"Last updated at noon {article}", summary)
    assert [one.id for one in BY_NAME["summarization_xsum"].load(invented).train] == ["summarization_xsum-t0"]


def test_civil_comments_counts_a_comment_for_each_group(invented: Store) -> None:
    data = BY_NAME["civil_comments"].load(invented)
    assert [one.id for one in data.test] == [
        "civil_comments-6-all",
        "civil_comments-6-male",
        "civil_comments-6-female",
        "civil_comments-7-all",
    ]
    assert [one.gold for one in data.train if one.kind == "female"] == ["False", "True"]
    assert not [one for one in data.train if one.id.startswith("civil_comments-t4-")], "the empty comment"


@pytest.mark.parametrize("count", [5, 6, 50, 51])
def test_raft_is_divided_as_the_library_does_it_for_helm(count: int) -> None:
    rows = datasets.Dataset.from_dict({"number": list(range(count))})
    wanted = rows.train_test_split(test_size=0.8, seed=42)
    data = split([Instance(str(i), "text") for i in range(count)])
    assert [int(one.id) for one in data.train] == wanted["train"]["number"][:]
    assert [int(one.id) for one in data.test] == wanted["test"]["number"][:]


def test_raft_numbers_its_labels_as_the_table_does() -> None:
    (banking,) = (task for task in RAFT_TASKS if task.name == "banking_77")
    assert len(banking.labels) == 77
    assert layout(banking).instructions.endswith("\n77. wrong_exchange_rate_for_cash_withdrawal\n")
    # The column's names are in alphabetical order, by character codes.
    assert all(list(task.labels) == sorted(task.labels) for task in RAFT_TASKS)


def test_math_is_in_the_order_in_which_helm_draws_examples() -> None:
    problems = ["Find 2.", "find 1.", "É?", "Add.", "find 10.", "$x$"]
    rows = [{"problem": text, "level": "Level 1", "solution": "s"} for text in problems]
    # Of seven subjects, all but the first have no rows here.
    (math,) = (scenario for scenario in MATHEMATICS if scenario.name == "math")

    class OneSubject:
        def rows(self, table: Table) -> Iterable[Row]:
            return rows if table.config == "algebra" else []

        def has(self, _table: Table) -> bool:
            return True

    # Dataset.sort is Arrow's too, but warns with some versions of it.
    by_text = datasets.Dataset.from_dict({"problem": pa.array(problems).sort().to_pylist()})
    wanted = by_text.shuffle(seed=42)["problem"][:]
    data = math.load(OneSubject())
    assert [one.input for one in data.train] == [one.input for one in data.test] == wanted


LINE = st.sampled_from([EMPTY_LINE, " = Title = \n", " = = Section = = \n", " Words . \n", " = no title \n"])


@given(st.lists(LINE, max_size=30))
def test_articles_joined_are_the_file(lines: list[str]) -> None:
    found = articles(lines)
    assert "".join(found) == "".join(lines)
    assert all(found)
    for text in found[1:]:
        assert text.startswith(" \n = Title = \n \n")


def test_articles_begin_at_titles_and_not_at_sections(invented: Store) -> None:
    found = [one.input for one in BY_NAME["wikitext"].load(invented).test]
    assert [text.split("\n")[1] for text in found] == [" = Omra = ", " = Tesk ( river ) = "]
    assert " = = History = = \n" in found[0]


def test_an_example_of_a_ranking_has_one_right_and_one_wrong_passage() -> None:
    passages = [("a", False), ("b", True), ("c", True), ("d", False)]
    query = Instance("q", "who?", tuple(Reference(*passage) for passage in passages))
    example = as_example(query)
    assert example is not None
    assert [one.text for one in example.references] == ["a", "b"]
    assert as_example(Instance("q", "who?", (Reference("b", True),))) is None


def test_msmarco_leaves_out_questions_that_no_passage_answers(invented: Store) -> None:
    data = BY_NAME["msmarco"].load(invented)
    assert "msmarco-1" not in {one.id for one in (*data.train, *data.test)}
    assert [len(one.references) for one in data.train] == [2, 2]


@given(st.integers(0, 45))
def test_every_tenth_is_set_apart(count: int) -> None:
    train, test = set_apart([Instance(str(i), "text") for i in range(count)])
    assert [one.id for one in train] == [str(i) for i in range(0, count, 10)]
    assert sorted(int(one.id) for one in (*train, *test)) == list(range(count))


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("boolq", {"question": None}, "no column 'question'"),
        ("boolq_closed_book", {"question": 7}, "no attribute 'strip'"),
        ("quac", {"context": "No ending."}, "its context does not end with CANNOTANSWER"),
        ("quac", {"questions": ["q0?", "q1?"]}, "its dialogue has 2 questions, fewer than 3"),
        ("narrative_qa", {"answers": [{"text": " "}]}, "its answer is empty"),
        ("babi_qa", {"answer": ""}, "its answer is empty"),
        ("msmarco", {"query": ""}, "its query is empty"),
        ("imdb", {"label": -1}, "its label is -1, neither 0 nor 1"),
        ("imdb", {"text": " \n"}, "its text is empty"),
        ("raft", {"Label": 0}, "its label is 0, none of 1 to 2"),
        ("legalbench", {"text": None}, "no column 'text'"),
        ("math", {"level": "Level"}, "its level is 'Level'"),
        ("wmt_14", {"translation": {"cs": "Zvon."}}, "no column 'en'"),
        ("lambada", {"text": "word"}, "it is a single word"),
        ("ifeval", {"kwargs": []}, "it has 1 instructions, and arguments for 0"),
        ("wikitext", {"text": None}, "no column 'text'"),
    ],
)
def test_a_row_that_cannot_be_used_is_named(name: str, change: dict[str, Any], problem: str, invented: Store) -> None:
    scenario = BY_NAME[name]
    first = scenario.tables[0]

    class Changed:
        """The last row of the first table is changed; None takes the column away."""

        def rows(self, table: Table) -> Iterable[Row]:
            rows = list(invented.rows(table))
            if table == first:
                rows[-1] = {key: value for key, value in {**rows[-1], **change}.items() if value is not None}
            return rows

        def has(self, table: Table) -> bool:
            return invented.has(table)

    with pytest.raises(MissingTable) as caught:
        load_data(scenario, Changed())
    sentence = str(caught.value)
    assert sentence.startswith(f"{name}: row {len(list(invented.rows(first)))} of {first} ")
    assert problem in sentence
