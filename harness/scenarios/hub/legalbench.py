"""LegalBench (Guha et al. 2023, arXiv 2308.11462): the five of its tasks that HELM Lite asks; kinds are the tasks."""

from __future__ import annotations

from typing import NamedTuple

from harness.data.table import Row, Store, Table
from harness.layout import Layout
from harness.scenarios.base import AdapterSpec, Data, Scenario
from harness.scenarios.hub.open_questions import LABELS, open_question
from harness.scenarios.hub.rows import grouped, read, read_if_there
from harness.types import Instance


class LegalTask(NamedTuple):
    """One task. The instructions are word for word what HELM tells the model."""

    name: str
    fields: dict[str, str]
    """What is shown of a row: its name in the prompt, and its column."""
    instructions: str
    output_noun: str


LEGAL_TASKS = (
    LegalTask(
        "abercrombie",
        {"Description": "text"},
        "A mark is generic if it is the common name for the product. A mark is descriptive if it describes a purpose, "
        "nature, or attribute of the product. A mark is suggestive if it suggests or implies a quality or "
        "characteristic of the product. A mark is arbitrary if it is a real English word that has no relation to the "
        "product. A mark is fanciful if it is an invented word. Label the type of mark for the following products.",
        "Type",
    ),
    LegalTask(
        "corporate_lobbying",
        {
            "Official title of bill": "bill_title",
            "Official summary of bill": "bill_summary",
            "Company name": "company_name",
            "Company business description": "company_description",
        },
        "You are a lobbyist analyzing Congressional bills for their impacts on companies. Given the title and summary "
        "of the bill, plus information on the company from its 10K SEC filing, it is your job to determine if a bill "
        "is at least somewhat relevant to a company in terms of whether it could impact the company's bottom-line if "
        "it was enacted (by saying Yes or No).",
        "Label",
    ),
    LegalTask(
        "international_citizenship_questions",
        {"Question": "question"},
        "Answer the following questions considering the state of international law on January 1st, 2020. "
        "Answer Yes or No.",
        "Answer",
    ),
    LegalTask(
        "function_of_decision_section",
        {"Text": "Paragraph"},
        "Classify the following text using the following definitions.\n\n"
        "- Facts: The paragraph describes the factual background that led up to the present lawsuit.\n"
        "- Procedural History: The paragraph describes the course of litigation that led to the current proceeding "
        "before the court.\n"
        "- Issue: The paragraph describes the legal or factual issue that must be resolved by the court.\n"
        "- Rule: The paragraph describes a rule of law relevant to resolving the issue.\n"
        "- Analysis: The paragraph analyzes the legal issue by applying the relevant legal principles to the facts of "
        "the present dispute.\n"
        "- Conclusion: The paragraph presents a conclusion of the court.\n"
        "- Decree: The paragraph constitutes a decree resolving the dispute.",
        "Function",
    ),
    LegalTask(
        "proa",
        {"Statute": "text"},
        "A private right of action is when a regular person, a private citizen, is legally entitled to enforce their "
        "rights under a given statute. Does the clause specify a private right of action? Answer Yes or No.",
        "Answer",
    ),
)

# The commit that HELM pins is a script, which no library runs any more; this one has the same rows as tables.
_REVISION = "daec8237410aa23e3faf4bc41ad8b3a7e1696826"
_TRAIN = {task.name: Table("nguha/legalbench", task.name, "train", _REVISION) for task in LEGAL_TASKS}
_TEST = {task.name: Table("nguha/legalbench", task.name, "test", _REVISION) for task in LEGAL_TASKS}


def _layout(task: LegalTask) -> Layout:
    return Layout(instructions=f"{task.instructions}\n", input_prefix="", output_prefix=f"{task.output_noun}: ")


def _load(store: Store) -> Data:
    train: list[Instance] = []
    test: list[Instance] = []
    for task in LEGAL_TASKS:

        def make(name: str, row: Row, task: LegalTask = task) -> Instance:
            text = "\n".join(f"{shown}: {row[column]}" for shown, column in task.fields.items())
            return grouped(open_question(name, text, [row["answer"]], task.name), task.name)

        train += read_if_there(store, _TRAIN[task.name], f"legalbench-{task.name}-t", make)
        test += read(store, _TEST[task.name], f"legalbench-{task.name}-", make)
    return Data(train, test)


LEGALBENCH = Scenario(
    name="legalbench",
    description="five kinds of questions of law: HELM Lite's",
    adapters=(
        AdapterSpec(
            method="generation",
            layouts={task.name: _layout(task) for task in LEGAL_TASKS},
            examples_by_kind=True,
            max_tokens=30,
        ),
    ),
    metrics=LABELS,
    load=_load,
    tables=tuple(_TEST.values()),
    example_tables=tuple(_TRAIN.values()),
)
