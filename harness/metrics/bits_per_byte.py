"""bits_per_byte: how many bits the model needs for a byte of the text."""

from __future__ import annotations

import math

from harness.metrics.base import Metric
from harness.types import Answer, Instance


def judge(_instance: Instance, answer: Answer) -> float:
    """-log2 P(text) / bytes, over the scored tokens (HELM's ``bits_per_byte``); NaN where nothing was scored."""
    return -answer.logprob / math.log(2) / answer.n_bytes if answer.n_bytes else math.nan


BITS_PER_BYTE = Metric("bits_per_byte", judge, is_binary=False, higher_is_better=False)
