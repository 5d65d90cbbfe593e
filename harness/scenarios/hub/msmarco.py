"""msmarco: which of the passages that a search engine found answers the question (Bajaj et al. 2016, v2.1)."""

from __future__ import annotations

from dataclasses import replace

from harness.data.table import Row, Store, Table
from harness.layout import RANKING
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import set_apart
from harness.scenarios.hub.rows import Unusable, read
from harness.types import Instance, Reference

_TABLE = Table("microsoft/ms_marco", "v2.1", "validation", "a47ee7aae8d7d466ba15f9f0bfac3b3681087b3a")


def _query(name: str, row: Row) -> list[Instance]:
    """The passages are the references; a question that none of them answers is left out."""
    passages = row["passages"]
    references = tuple(
        Reference(text, bool(is_selected))
        for text, is_selected in zip(passages["passage_text"], passages["is_selected"], strict=True)
    )
    if not row["query"].strip():
        raise Unusable("its query is empty")
    return [Instance(name, row["query"], references)] if any(one.is_correct for one in references) else []


def as_example(query: Instance) -> Instance | None:
    """A question with its first relevant and its first other passage, in their order; None where it has no other."""
    right = next(one for one in query.references if one.is_correct)
    wrong = next((one for one in query.references if not one.is_correct), None)
    if wrong is None:
        return None
    return replace(query, references=tuple(one for one in query.references if one is right or one is wrong))


def _load(store: Store) -> Data:
    train, test = set_apart(read(store, _TABLE, "msmarco-", _query))
    return Data([example for query in train if (example := as_example(query))], test)


MSMARCO = Scenario(
    name="msmarco",
    description=(
        "passages ranked by whether they answer a question: of 101,093 questions the 55,578 that one answers, "
        "every tenth as an example"
    ),
    adapters=(AdapterSpec(method="ranking_binary", layout=RANKING, n_shots=2),),
    metrics=("rr_at_10", "ndcg_at_10"),
    load=_load,
    tables=(_TABLE,),
    n_instances=None,
)
