"""BLiMP (Warstadt et al. 2020, arXiv 1912.00582): which of two sentences is grammatical; nothing is asked.

HELM compares mean log-probabilities per token (``exact_match``), the paper and lm-eval whole sentences' (``acc``).
"""

from __future__ import annotations

import dataclasses

from harness.data.table import Row, Store, Table
from harness.scenarios.base import Data, Scenario
from harness.scenarios.hub.asking import EMPTY, SEPARATE
from harness.scenarios.hub.rows import Unusable, grouped, read, references
from harness.types import Instance

_REVISION = "877fba0801ffb7cbd8c39c1ff314a46f053f6036"

PARADIGMS: dict[str, str] = {
    "island_effects": "left_branch_island_simple_question sentential_subject_island wh_island "
    "coordinate_structure_constraint_object_extraction coordinate_structure_constraint_complex_left_branch "
    "adjunct_island complex_NP_island left_branch_island_echo_question",
    "anaphor_agreement": "anaphor_gender_agreement anaphor_number_agreement",
    "argument_structure": "animate_subject_passive animate_subject_trans transitive passive_1 intransitive passive_2 "
    "causative drop_argument inchoative",
    "determiner_noun_agreement": "determiner_noun_agreement_with_adj_irregular_2 determiner_noun_agreement_1 "
    "determiner_noun_agreement_with_adj_irregular_1 determiner_noun_agreement_irregular_1 "
    "determiner_noun_agreement_irregular_2 determiner_noun_agreement_with_adjective_1 determiner_noun_agreement_2 "
    "determiner_noun_agreement_with_adj_2",
    "subject_verb_agreement": "distractor_agreement_relative_clause irregular_plural_subject_verb_agreement_2 "
    "irregular_plural_subject_verb_agreement_1 regular_plural_subject_verb_agreement_1 "
    "distractor_agreement_relational_noun regular_plural_subject_verb_agreement_2",
    "ellipsis": "ellipsis_n_bar_1 ellipsis_n_bar_2",
    "control_raising": "expletive_it_object_raising tough_vs_raising_1 existential_there_subject_raising "
    "tough_vs_raising_2 existential_there_object_raising",
    "quantifiers": "existential_there_quantifiers_1 superlative_quantifiers_1 superlative_quantifiers_2 "
    "existential_there_quantifiers_2",
    "irregular_forms": "irregular_past_participle_verbs irregular_past_participle_adjectives",
    "npi_licensing": "sentential_negation_npi_licensor_present matrix_question_npi_licensor_present "
    "sentential_negation_npi_scope only_npi_licensor_present only_npi_scope npi_present_2 npi_present_1",
    "binding": "principle_A_domain_2 principle_A_domain_3 principle_A_case_1 principle_A_case_2 "
    "principle_A_reconstruction principle_A_c_command principle_A_domain_1",
    "filler_gap_dependency": "wh_vs_that_with_gap wh_vs_that_no_gap wh_questions_object_gap "
    "wh_vs_that_no_gap_long_distance wh_questions_subject_gap wh_questions_subject_gap_long_distance "
    "wh_vs_that_with_gap_long_distance",
}
"""By phenomenon, as HELM groups them: the Hub's configs."""

_TABLES = {
    Table("nyu-mll/blimp", paradigm, "train", _REVISION): phenomenon
    for phenomenon, paradigms in PARADIGMS.items()
    for paradigm in paradigms.split()
}


def _pairs(store: Store, table: Table, phenomenon: str) -> list[Instance]:
    def make(name: str, row: Row) -> Instance:
        if row["sentence_good"] == row["sentence_bad"]:
            raise Unusable("its two sentences are the same")
        pair = Instance(name, "", references([row["sentence_good"], row["sentence_bad"]], 0), phenomenon)
        return grouped(pair, table.config)

    return read(store, table, f"blimp-{table.config}-", make)


def _load(store: Store) -> Data:
    return Data([], [pair for table, phenomenon in _TABLES.items() for pair in _pairs(store, table, phenomenon)])


BLIMP = Scenario(
    name="blimp",
    description="which of two sentences is grammatical, in 12 phenomena of English and 67 paradigms",
    adapters=(dataclasses.replace(SEPARATE, layout=EMPTY),),
    metrics=("exact_match", "acc"),
    load=_load,
    tables=tuple(_TABLES),
    guess_rate=1 / 2,
)
