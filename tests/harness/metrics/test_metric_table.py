from __future__ import annotations

import subprocess
import sys

import pytest

from harness.metrics.table import METRICS, SET_METRICS

HELM_NAMES = (
    "exact_match quasi_exact_match prefix_exact_match quasi_prefix_exact_match exact_match_indicator "
    "final_number_exact_match f1_score f1_set_match rouge_1 rouge_2 rouge_l bleu_1 bleu_4 math_equiv "
    "math_equiv_chain_of_thought chain_of_thought_correctness bits_per_byte perplexity ifeval_strict_accuracy "
    "ece_10_bin ece_1_bin selective_acc@10 selective_cov_acc_area bbq_metric_ambiguous_bias bbq_metric_unambiguous_bias"
).split()


def test_metrics_go_by_their_names() -> None:
    assert all(metric.name == name for name, metric in METRICS.items())
    assert all(metric.name == name for name, metric in SET_METRICS.items())
    assert not METRICS.keys() & SET_METRICS.keys()
    assert set(HELM_NAMES) <= METRICS.keys() | SET_METRICS.keys()


def test_what_is_no_share_and_where_lower_is_better() -> None:
    all_metrics = [*METRICS.values(), *SET_METRICS.values()]
    no_share = {metric.name for metric in all_metrics if not metric.is_share}
    assert {"bits_per_byte", "perplexity", "bbq_metric_ambiguous_bias", "bbq_metric_unambiguous_bias"} <= no_share
    assert not no_share & {"exact_match", "f1_score", "corpus_bleu", "ece_10_bin", "toxic_word_share"}
    lower = {metric.name for metric in all_metrics if not metric.higher_is_better}
    assert {"bits_per_byte", "perplexity", "ece_10_bin", "ece_1_bin", "brier", "toxic_word_share"} <= lower
    assert not lower & {"exact_match", "selective_acc@10", "corpus_bleu"}


@pytest.mark.parametrize("heavy", ["sklearn", "sacrebleu", "nltk", "rouge_score", "langdetect"])
def test_the_table_does_not_load_what_a_run_may_never_need(heavy: str) -> None:
    code = f"import sys; import harness.metrics.table; sys.exit({heavy!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
