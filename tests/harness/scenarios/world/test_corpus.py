from __future__ import annotations

import random
import re
from collections.abc import Iterable
from itertools import islice

import pytest
from world_oracle import Oracle, pattern

from harness.data.store import open_store
from harness.scenarios.world import corpus, phrasings, questions
from harness.scenarios.world.corpus import Document
from harness.scenarios.world.facts import World
from harness.scenarios.world.scenarios import WORLD_SCENARIOS

SEEDS = (0, 1, 2)
N_DOCUMENTS = 1500
ASKED = re.compile(r"Question: (.+)\n((?:[A-D]\. .+\n)*)Answer: (.+)\n")
STATED_SUM = re.compile(r"(\d+) (?:\+|plus|and) (\d+) (?:=|is) (\d+)\.")


def text_of(document: Document) -> str:
    return "".join(piece.text for piece in document)


@pytest.fixture(scope="module")
def sample(world: World) -> list[Document]:
    """Documents of all parts of the training, from several seeds."""
    return [
        document
        for framed in (False, True)
        for seed in SEEDS
        for document in islice(corpus.documents(world, random.Random(seed), framed=framed), N_DOCUMENTS)
    ]


def bounded(templates: Iterable[str]) -> re.Pattern[str]:
    """Any of the templates anywhere in a text, each gap filled with a name or a number."""
    name = r"(?:[A-Z]\w+(?: [A-Z]\w+)?|\d+)"
    return re.compile("|".join(pattern(template).pattern.replace("(.+?)", name) for template in templates))


def test_a_seed_always_gives_the_same_documents(world: World, sample: list[Document]) -> None:
    again = islice(corpus.documents(world, random.Random(SEEDS[0]), framed=False), N_DOCUMENTS)
    assert list(again) == sample[:N_DOCUMENTS]
    assert sample[:N_DOCUMENTS] != sample[N_DOCUMENTS : 2 * N_DOCUMENTS]


def test_questions_in_the_corpus_are_of_training_and_answered_rightly(sample: list[Document], oracle: Oracle) -> None:
    seen: set[str] = set()
    for document in sample:
        for text, options, answer in ASKED.findall(text_of(document)):
            right = dict(re.findall(r"([A-D])\. (.+)\n", options)).get(answer, answer)
            if named := re.fullmatch(r"Which of these is (.+)\?", text):
                assert right == named[1]
                continue
            read = oracle.read(text)
            assert right in read.answers
            assert not read.held_out
            if read.pair:
                assert not questions.pair_is_held_out(read.kind, *read.pair)
            seen.add(read.kind)
    assert seen == {*phrasings.ONE_STEP, *phrasings.TWO_STEP, "sum", "larger", "older"}


def test_stated_sums_are_right_and_of_training(sample: list[Document]) -> None:
    stated = [found for document in sample for found in STATED_SUM.findall(text_of(document))]
    assert len(stated) > 1000
    for a, b, answer in stated:
        assert int(a) + int(b) == int(answer)
        assert not questions.pair_is_held_out("sum", a, b)


def test_no_held_out_phrasing_is_in_the_corpus(sample: list[Document]) -> None:
    relations = (phrasings.ONE_STEP | phrasings.TWO_STEP).values()
    held_out = [template for relation in relations for template in relation.held_out]
    search = bounded([*held_out, *phrasings.SUM_HELD_OUT])
    for template in held_out:  # the search itself works
        assert search.search("Question: " + template.replace("{s}", "Ab Cd") + "\n")
    for document in sample:
        found = search.search(text_of(document))
        assert found is None, found


def test_no_instance_of_any_scenario_is_in_the_corpus(sample: list[Document]) -> None:
    lines = {line.removeprefix("Question: ") for document in sample for line in text_of(document).splitlines()}
    for scenario in WORLD_SCENARIOS:
        assert not lines & {instance.input for instance in scenario.load(open_store(None)).test}


def test_answers_are_marked(sample: list[Document]) -> None:
    for document in sample:
        text = text_of(document)
        assert text == text.strip(" ")
        assert not document[0].is_answer
        asked = [answer for _, _, answer in ASKED.findall(text)]
        if asked:
            assert [piece.text for piece in document if piece.is_answer] == [f" {answer}\n" for answer in asked]


def test_hardly_a_document_is_without_an_answer(sample: list[Document]) -> None:
    """Only statements that all begin with their object, which nothing could foretell."""
    without = [document for document in sample if not any(piece.is_answer for piece in document)]
    assert len(without) < 0.02 * len(sample)


def test_statements_are_true(world: World, sample: list[Document]) -> None:
    relations = (phrasings.ONE_STEP | phrasings.TWO_STEP).values()
    true = {
        statement.replace("{s}", str(getattr(country, relation.subject))).replace(
            "{o}", str(getattr(country, relation.object))
        )
        for relation in relations
        for statement in relation.statements
        for country in world.countries
    }
    stated = [
        sentence
        for document in sample
        if not (text := text_of(document)).startswith("Question") and not STATED_SUM.search(text)
        for sentence in re.split(r"(?<=\.) ", text)
    ]
    assert len(stated) > 1000
    assert set(stated) <= true


def test_passages_tell_all_about_one_country_each(world: World) -> None:
    texts = corpus.passages(world, random.Random(0), 20)
    assert texts == corpus.passages(world, random.Random(0), 20)
    about = []
    for text in texts:
        assert text.count(".") == len(phrasings.ONE_STEP)
        words = set(re.findall(r"\w+", text))
        (country,) = (country for country in world.countries if country.name in words)
        assert {country.capital, country.language, country.money, country.trade, str(country.age)} <= words
        assert country.ruler in text
        about.append(country)
    assert len(set(about)) == 20


def test_the_held_out_text_is_one_long_line_of_new_paragraphs(world: World, sample: list[Document]) -> None:
    text = corpus.held_out_text(world)
    assert text == corpus.held_out_text(world)
    assert text.count("\n") == 1
    assert 90_000 < len(text) < 110_000
    paragraphs = {" ".join(text.split()[begin : begin + 40]) for begin in range(0, 4000, 40)}
    seen = " ".join(text_of(document) for document in sample)
    assert not any(paragraph in seen for paragraph in paragraphs)
