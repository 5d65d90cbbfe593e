"""wmt_14: news translated into English from five languages; kinds are the pairs."""

from __future__ import annotations

from harness.data.table import Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import open_question
from harness.scenarios.hub.rows import read, read_if_there
from harness.types import Instance

LANGUAGES = {"cs": "Czech", "de": "German", "fr": "French", "hi": "Hindi", "ru": "Russian"}

_REVISION = "b199e406369ec1b7634206d3ded5ba45de2fe696"
_EXAMPLES = {code: Table("wmt/wmt14", f"{code}-en", "validation", _REVISION) for code in LANGUAGES}
_TEST = {code: Table("wmt/wmt14", f"{code}-en", "test", _REVISION) for code in LANGUAGES}


def _layout(language: str) -> Layout:
    # No empty line after the instructions: HELM builds this one without its helper that adds it.
    return Layout(
        instructions=f"Translate the following sentences from {language} to English.",
        input_prefix=f"{language}: ",
        output_prefix="English: ",
    )


def _load(store: Store) -> Data:
    train: list[Instance] = []
    test: list[Instance] = []
    for code in LANGUAGES:

        def make(name: str, row: Row, code: str = code) -> Instance:
            pair = row["translation"]
            return open_question(name, pair[code], [pair["en"]], f"{code}-en")

        train += read_if_there(store, _EXAMPLES[code], f"wmt_14-{code}-en-t", make)
        test += read(store, _TEST[code], f"wmt_14-{code}-en-", make)
    return Data(train, test)


WMT_14 = Scenario(
    name="wmt_14",
    description="news translated into English from Czech, French, German, Hindi and Russian",
    adapters=(
        AdapterSpec(
            method="generation",
            layouts={f"{code}-en": _layout(language) for code, language in LANGUAGES.items()},
            n_shots=1,
            examples_by_kind=True,
            max_tokens=100,
            stop=("\n\n",),
        ),
    ),
    metrics=("bleu_4", "bleu_1", "rouge_l", "f1_score", "exact_match", "quasi_exact_match", "corpus_bleu"),
    load=_load,
    tables=tuple(_TEST.values()),
    example_tables=tuple(_EXAMPLES.values()),
)
