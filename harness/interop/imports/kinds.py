"""What kind of figure a metric of another harness is: by its name, by what that harness says, or by its values."""

from __future__ import annotations

import math
from collections.abc import Collection

from harness.metrics.kinds import ForeignMetric, Kind
from harness.metrics.table import METRICS

RIGHT_OR_WRONG = ForeignMetric(is_binary=True, higher_is_better=True, is_share=True)
SHARE = ForeignMetric(is_binary=False, higher_is_better=True, is_share=True)
MORE = ForeignMetric(is_binary=False, higher_is_better=True, is_share=False)
LESS = ForeignMetric(is_binary=False, higher_is_better=False, is_share=False)

LESS_SHARE = ForeignMetric(is_binary=False, higher_is_better=False, is_share=True)

KNOWN: dict[str, Kind] = {
    **METRICS,
    **dict.fromkeys(
        (
            *("acc_mutual_info", "em", "exact", "exact_set_match", "quasi_contains", "exact_match_indicator"),
            *("quasi_leave_articles_exact_match", "unsorted_list_exact_match", "float_equiv", "omni_math_accuracy"),
            *("cleva_math_result_match", "execution_accuracy", "program_accuracy", "calculation_accuracy"),
            *("medcalc_bench_accuracy", "medec_error_flag_accuracy", "medec_error_sentence_accuracy"),
        ),
        RIGHT_OR_WRONG,
    ),
    **dict.fromkeys(
        (
            *("f1", "iou_set_match", "max_prob", "bleu", "chinese_bleu_1", "meteor", "code_eval_acc", "pass"),
            *("test_avg", "strict_acc", "air_score", "safety_score", "openai_mrcr_accuracy", "ruler_string_match_part"),
            *("chinese_rouge_1", "chinese_rouge_2", "chinese_rouge_l", "squad_exact_match_score", "squad_f1_score"),
            *(
                "RR",
                "NDCG",
                "Recall",
                "Success",
                "BERTScore-P",
                "BERTScore-R",
                "BERTScore-F",
                "wildbench_score_rescaled",
            ),
        ),
        SHARE,
    ),
    **dict.fromkeys(
        ("logprob", "num_output_tokens", "edit_distance", "cider", "summac", "QAFactEval", "wildbench_score"), MORE
    ),
    **dict.fromkeys(
        (
            *("toxic_frac", "expected_max_toxicity", "max_toxicity_probability", "wer_score", "mer_score", "cer_score"),
            *("chinese_wer_score", "chinese_mer_score", "chinese_cer_score", "decodingtrust_privacy_leakage_rate"),
        ),
        LESS_SHARE,
    ),
    **dict.fromkeys(
        (
            *("inference_runtime", "ln_perplexity", "ln_word_perplexity", "ln_byte_perplexity", "brier_score"),
            *("absolute_value_difference", "longest_common_prefix_length"),
        ),
        LESS,
    ),
}
"""Ours, many of which HELM and lm-eval call the same, and others of theirs.

What is better follows HELM's tables (static/schema_*.yaml): in a text that may be copied, much distance and short
common beginnings. ``edit_similarity`` is better high in one of them and low in another, so it is not here.
"""


def says_better(name: str, told: bool | None) -> bool:
    """Whether it is known what is better: the other harness says so, or the name does."""
    return told is not None or _known(name) is not None


def _known(name: str) -> Kind | None:
    return KNOWN.get(name.partition(",")[0].partition("@")[0])


def kind_of(name: str, values: Collection[float], higher_is_better: bool | None) -> ForeignMetric:
    """The kind of a metric.

    Args:
        name: such as ``exact_match``, ``exact_match@5`` (HELM: of five answers the best) or ``exact_match,strict``
            (lm-eval: after a filter).
        values: all of them; NaN where there is none.
        higher_is_better: as the other harness says; None where it does not, and more of an unknown one is better.

    Returns:
        Right or wrong if its name says so and no value lies outside 0 and 1; of an unknown name if all are one of the
        two. A share if all lie between 0 and 1.
    """
    known = _known(name)
    seen = [value for value in values if not math.isnan(value)]
    within = all(0 <= value <= 1 for value in seen)
    better = higher_is_better if higher_is_better is not None else known is None or known.higher_is_better
    is_binary = within and (known.is_binary if known else set(seen) <= {0.0, 1.0})
    return ForeignMetric(is_binary, better, is_share=within and (known is None or known.is_share))
