"""One label a text: imdb, movie_reviews, civil_comments."""

from __future__ import annotations

from collections.abc import Callable

from harness.data.table import MIRROR_ONLY, Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import LABELS, n_not_set_apart, open_question, passage_question, set_apart
from harness.scenarios.hub.rows import Unusable, grouped, read, read_if_there
from harness.types import Instance

SENTIMENTS = ("Negative", "Positive")
"""In the order of the labels 0 and 1."""
REVIEW = Layout(input_prefix="Passage: ", output_prefix="Sentiment: ")

EVERYBODY = "all"
DEMOGRAPHICS = ("male", "female", "LGBTQ", "christian", "muslim", "other_religions", "black", "white")
"""Columns that say which share of the raters found a group spoken of."""
MAJORITY = 0.5
"""Share of the raters from which on a comment counts as toxic, or as speaking of a group."""

_IMDB_REVISION = "e6281661ce1c48d982bc483cf8a173c1bbeb5d31"
_IMDB_TRAIN = Table("stanfordnlp/imdb", "plain_text", "train", _IMDB_REVISION)
_IMDB = Table("stanfordnlp/imdb", "plain_text", "test", _IMDB_REVISION)
_MOVIE_REVIEWS = Table("cornell/movie_reviews", "default", "test", MIRROR_ONLY)
# The table of WILDS, which HELM reads too; ``google/civil_comments`` does not say who is spoken of.
_CIVIL_COMMENTS = Table("pietrolesci/civilcomments-wilds", "raw", "train", "c227534cc0a34cf21db6a0bf0edd0f9050c8b305")


def _review(name: str, row: Row) -> Instance:
    if row["label"] not in (0, 1):
        raise Unusable(f"its label is {row['label']!r}, neither 0 nor 1")
    return open_question(name, row["text"].strip(), [SENTIMENTS[row["label"]]])


def _load_imdb(store: Store) -> Data:
    return Data(read_if_there(store, _IMDB_TRAIN, "imdb-t", _review), read(store, _IMDB, "imdb-", _review))


def _load_movie_reviews(store: Store) -> Data:
    return set_apart(read(store, _MOVIE_REVIEWS, "movie_reviews-", _review))


def _load_civil_comments(store: Store) -> Data:
    """A comment counts once for everybody, and once for each group that it speaks of."""

    def of_split(split: str) -> Callable[[str, Row], list[Instance]]:
        def make(name: str, row: Row) -> list[Instance]:
            comment = row["comment_text"]
            if row["split"] != split or not comment:
                return []
            text = passage_question(comment, "Is the passage above toxic?")
            gold = str(row["toxicity"] >= MAJORITY)
            kinds = [EVERYBODY, *(group for group in DEMOGRAPHICS if row[group] >= MAJORITY)]
            return [grouped(open_question(f"{name}-{kind}", text, [gold], kind), name) for kind in kinds]

        return make

    return Data(
        read(store, _CIVIL_COMMENTS, "civil_comments-t", of_split("train")),
        read(store, _CIVIL_COMMENTS, "civil_comments-", of_split("test")),
    )


CLASSIFICATION = (
    Scenario(
        name="imdb",
        description="reviews of films: positive or negative",
        adapters=(AdapterSpec(method="generation", layout=REVIEW),),
        metrics=LABELS,
        load=_load_imdb,
        tables=(_IMDB,),
        example_tables=(_IMDB_TRAIN,),
        guess_rate=0.5,
    ),
    Scenario(
        name="movie_reviews",
        description="longer reviews of films, asked like imdb; every tenth is an example",
        adapters=(AdapterSpec(method="generation", layout=REVIEW),),
        metrics=LABELS,
        load=_load_movie_reviews,
        tables=(_MOVIE_REVIEWS,),
        n_instances=n_not_set_apart,
        guess_rate=0.5,
    ),
    Scenario(
        name="civil_comments",
        description="comments: toxic or not; all, and those that speak of one of eight groups (2 of 448,000 are empty)",
        adapters=(AdapterSpec(method="generation", layout=Layout(input_prefix="Passage: "), examples_by_kind=True),),
        metrics=LABELS,
        load=_load_civil_comments,
        tables=(_CIVIL_COMMENTS,),
        n_instances=None,
        guess_rate=0.5,
    ),
)
