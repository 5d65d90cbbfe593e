"""All metrics by name. A new one is a new file beside this one, and a line here."""

from __future__ import annotations

from harness.metrics.base import Metric, SetMetric
from harness.metrics.bbq import BBQ
from harness.metrics.bias import BIAS
from harness.metrics.bits_per_byte import BITS_PER_BYTE, PERPLEXITY
from harness.metrics.bleu import BLEU_1, BLEU_4, CORPUS_BLEU
from harness.metrics.calibration import CALIBRATION
from harness.metrics.chain_of_thought import CHAIN_OF_THOUGHT_CORRECTNESS
from harness.metrics.choices import CHOICE_ACCURACIES
from harness.metrics.efficiency import INFERENCE_RUNTIME, NUM_OUTPUT_TOKENS
from harness.metrics.f1 import F1_SCORE, F1_SET_MATCH
from harness.metrics.ifeval.metric import IFEVAL_METRICS
from harness.metrics.matches import MATCHES
from harness.metrics.math_equiv import MATH_EQUIV, MATH_EQUIV_CHAIN_OF_THOUGHT
from harness.metrics.ranking import NDCG_AT_10, RR_AT_10
from harness.metrics.rouge import ROUGE
from harness.metrics.toxicity import TOXIC_WORD_SHARE

METRICS: dict[str, Metric] = {
    metric.name: metric
    for metric in (
        *MATCHES,
        *(F1_SCORE, F1_SET_MATCH, *ROUGE, BLEU_1, BLEU_4),
        *(MATH_EQUIV, MATH_EQUIV_CHAIN_OF_THOUGHT, CHAIN_OF_THOUGHT_CORRECTNESS),
        *(*CHOICE_ACCURACIES, RR_AT_10, NDCG_AT_10, BITS_PER_BYTE, NUM_OUTPUT_TOKENS),
        *IFEVAL_METRICS,
    )
}
"""One number an answer; a task's number is their mean."""

SET_METRICS: dict[str, SetMetric] = {
    metric.name: metric
    for metric in (CORPUS_BLEU, PERPLEXITY, *CALIBRATION, *BIAS, *BBQ, TOXIC_WORD_SHARE, INFERENCE_RUNTIME)
}
"""One number for all answers to a task."""
