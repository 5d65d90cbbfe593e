"""IFEval: whether a response follows instructions that a program can check."""

from harness.metrics.ifeval.metric import IFEVAL_METRICS

__all__ = ["IFEVAL_METRICS"]
