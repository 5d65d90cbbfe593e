"""Questions about a text: boolq, narrative_qa, quac, babi_qa; and BoolQ's questions without their texts."""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Callable

from harness.data.table import CONVERTED, MIRROR_ONLY, Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import (
    BIAS,
    LABELS,
    MATCHES,
    OPEN_ENDED,
    OVERLAP,
    n_not_set_apart,
    open_question,
    passage_question,
    set_apart,
    with_question_mark,
)
from harness.scenarios.hub.rows import Make, Unusable, grouped, read, read_if_there
from harness.types import Instance

PASSAGE = Layout(input_prefix="Passage: ")
NO_ANSWER = "CANNOTANSWER"
"""What QuAC calls the answer to a question that its text does not answer; every text ends with this word."""
NO_ANSWERS = ("Not enough information", "Cannot answer", "Do not know")
"""What else HELM accepts where that is the right answer."""
FEWEST_TURNS = 3
"""Questions of a dialogue, of which the last drawn one is asked."""
PATHS_TASK = 19
STORY_SENTENCES = 2
"""Before the first question of most of bAbI's stories."""
DIRECTIONS = {"n": "north", "s": "south", "e": "east", "w": "west"}

_BOOLQ_REVISION = "35b264d03638db9f4ce671b711558bf7ff0f80d5"
_BOOLQ_TRAIN = Table("google/boolq", "default", "train", _BOOLQ_REVISION)
_BOOLQ = Table("google/boolq", "default", "validation", _BOOLQ_REVISION)
_BOOLQ_NO_PASSAGE = Table("boolq-no-passage", "default", "validation", MIRROR_ONLY)
_NARRATIVE_QA_REVISION = "2e643e7363944af1c33a652d1c87320d0871c4e4"
_NARRATIVE_QA_TRAIN = Table("deepmind/narrativeqa", "default", "train", _NARRATIVE_QA_REVISION)
_NARRATIVE_QA = Table("deepmind/narrativeqa", "default", "test", _NARRATIVE_QA_REVISION)
_QUAC_TRAIN = Table("allenai/quac", "plain_text", "train", CONVERTED)
_QUAC = Table("allenai/quac", "plain_text", "validation", CONVERTED)
# No public code was found that pins a commit of this copy; lm-eval reads its main branch.
_BABI_TRAIN = Table("Muennighoff/babi", "default", "train", "main")
_BABI = Table("Muennighoff/babi", "default", "test", "main")


def _loaded(name: str, train: Table, test: Table, make: Make) -> Callable[[Store], Data]:
    def load(store: Store) -> Data:
        return Data(read_if_there(store, train, f"{name}-t", make), read(store, test, f"{name}-", make))

    return load


def _boolq(name: str, row: Row) -> Instance:
    question = with_question_mark(row["question"].strip().capitalize())
    asked = open_question(name, passage_question(row["passage"], question), ["Yes" if row["answer"] else "No"])
    return grouped(asked, row["passage"])


def _boolq_closed_book(name: str, row: Row) -> Instance:
    return open_question(
        name, with_question_mark(row["question"].strip().capitalize()), ["Yes" if row["answer"] else "No"]
    )


def _load_boolq_closed_book(store: Store) -> Data:
    return set_apart(read(store, _BOOLQ_NO_PASSAGE, "boolq_closed_book-", _boolq_closed_book))


def _narrative_qa(_number: str, row: Row) -> Instance:
    """A question, named by its story; a story has about thirty."""
    document = row["document"]
    question = with_question_mark(row["question"]["text"].strip())
    text = passage_question(document["summary"]["text"].strip(), question)
    return open_question(document["id"], text, [answer["text"] for answer in row["answers"]])


def _one_a_story(prefix: str, questions: list[Instance]) -> list[Instance]:
    """One question of each story, drawn by the story's id alone."""
    stories: dict[str, list[Instance]] = defaultdict(list)
    for question in questions:
        stories[question.id].append(question)
    drawn = [random.Random(f"narrative_qa/{story}").choice(asked) for story, asked in stories.items()]
    return [Instance(f"{prefix}{one.id}", one.input, one.references) for one in drawn]


def _load_narrative_qa(store: Store) -> Data:
    train = read_if_there(store, _NARRATIVE_QA_TRAIN, "", _narrative_qa)
    test = read(store, _NARRATIVE_QA, "", _narrative_qa)
    return Data(_one_a_story("narrative_qa-t", train), _one_a_story("narrative_qa-", test))


def _quac(name: str, row: Row) -> Instance:
    """A dialogue up to a question, drawn by the dialogue's id. As in HELM, the turn just before it is left out."""
    passage = row["context"].removesuffix(f" {NO_ANSWER}")
    if passage == row["context"]:
        raise Unusable(f"its context does not end with {NO_ANSWER}")
    questions, answers = row["questions"], row["orig_answers"]["texts"]
    if len(questions) < FEWEST_TURNS:
        raise Unusable(f"its dialogue has {len(questions)} questions, fewer than {FEWEST_TURNS}")
    asked = random.Random(f"quac/{row['dialogue_id']}").randrange(FEWEST_TURNS - 1, len(questions))
    turns = [f"Question: {questions[i]}\nAnswer: {answers[i]}\n\n" for i in range(asked - 1)]
    text = (
        f"Title: {row['wikipedia_page_title']}\n\nBackground: {row['background']}\n\n"
        f"Section: {row['section_title']}\nPassage: {passage}\n\n"
    )
    golds = list(dict.fromkeys(row["answers"]["texts"][asked]))
    more = NO_ANSWERS if golds == [NO_ANSWER] else ()
    found = open_question(name, f"{text}{''.join(turns)}Question: {questions[asked]}", [*golds, *more])
    return grouped(found, row["wikipedia_page_title"])


def _babi(name: str, row: Row) -> Instance:
    answer = row["answer"].strip()
    steps = answer.split(",")
    if row["task"] == PATHS_TASK and all(step in DIRECTIONS for step in steps):
        answer = " ".join(DIRECTIONS[step] for step in steps)
    passage = "".join(f"{line}\n" for line in row["passage"].splitlines())
    kind = f"task_{row['task']}"
    asked = open_question(name, passage_question(passage, row["question"].strip(), ""), [answer], kind)
    # A story goes on from question to question; its first sentences tell it from others.
    return grouped(asked, f"{kind}: {' '.join(passage.splitlines()[:STORY_SENTENCES])}")


READING_COMPREHENSION = (
    Scenario(
        name="boolq",
        description="yes or no questions about a passage from Wikipedia",
        adapters=(AdapterSpec(method="generation", layout=PASSAGE),),
        metrics=LABELS,
        load=_loaded("boolq", _BOOLQ_TRAIN, _BOOLQ, _boolq),
        tables=(_BOOLQ,),
        example_tables=(_BOOLQ_TRAIN,),
        guess_rate=0.5,
    ),
    Scenario(
        name="boolq_closed_book",
        description="BoolQ's questions without their passages; every tenth is an example",
        adapters=(AdapterSpec(method="generation"),),
        metrics=LABELS,
        load=_load_boolq_closed_book,
        tables=(_BOOLQ_NO_PASSAGE,),
        n_instances=n_not_set_apart,
        guess_rate=0.5,
    ),
    Scenario(
        name="narrative_qa",
        description="questions about the summary of a book or film, one a story",
        adapters=(AdapterSpec(method="generation", layout=PASSAGE, max_tokens=100),),
        metrics=(*OPEN_ENDED, *BIAS),
        load=_load_narrative_qa,
        tables=(_NARRATIVE_QA,),
        n_instances=None,
        example_tables=(_NARRATIVE_QA_TRAIN,),
    ),
    Scenario(
        name="quac",
        description="a question in the course of a dialogue about an article, one a dialogue",
        adapters=(AdapterSpec(method="generation", layout=Layout(input_prefix=""), max_tokens=100),),
        metrics=(*OVERLAP, *BIAS),
        load=_loaded("quac", _QUAC_TRAIN, _QUAC, _quac),
        tables=(_QUAC,),
        example_tables=(_QUAC_TRAIN,),
    ),
    Scenario(
        name="babi_qa",
        description="questions about made-up events, 20 kinds of reasoning: HELM's task=all",
        adapters=(AdapterSpec(method="generation", layout=PASSAGE),),
        metrics=MATCHES,
        load=_loaded("babi_qa", _BABI_TRAIN, _BABI, _babi),
        tables=(_BABI,),
        example_tables=(_BABI_TRAIN,),
    ),
)
