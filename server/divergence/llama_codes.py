"""Rows as ``llama-perplexity`` stores them: log-probabilities in 65,536 steps, down to 16 nats below the maximum.

A row is a step and the least log-probability (float32 both), then a code for each token of the vocabulary (uint16): log
p = step x code + least. The sums are those of that tool: over tokens with log p above -16, not normalized again. So its
figures are met exactly, and what its rounding costs is in them (5e-4 nats on LLaMA 3, by its own documentation).
"""

from __future__ import annotations

import math

import numpy as np

from server.divergence.half import LARGEST
from server.divergence.measures import (
    KLD,
    KLD_BOUND,
    KLD_REVERSE,
    LOGPROB,
    NEAR,
    NEAR_TIE,
    REFERENCE_LOGPROB,
    REFERENCE_TOP,
    SAME_TOP,
)
from server.divergence.row_format import DAMAGED, FINE, NOT_NUMBERS, Logits, Logprobs, Measures, Places, Targets
from server.divergence.whole_row import BEGIN, Codes, Heads
from server.engine.scoring import fast_exp, highest
from server.kernel_cache import summing_kernel

DEPTH = np.float32(16)
"""Nats below the maximum, and log-probability, beyond which a token does not count."""
STEPS = np.float32(65535)
OFF = 0.1
"""What the stored probabilities may lack, or have too much, to 1."""


@summing_kernel()
def encode(logits: Logits, rows: Places, targets: Targets, heads: Heads, codes: Codes, logprobs: Logprobs) -> bool:
    """Write rows; False if one of the model's is not numbers."""
    n_vocab = logits.shape[1]
    for n in range(len(rows)):
        row, code = logits[rows[n]], codes[n, BEGIN:]
        peak = highest(row, 0, n_vocab)
        total = np.float64(0)
        furthest = np.float32(0)
        for i in range(n_vocab):
            total += fast_exp(row[i] - peak)
            furthest = max(furthest, min(peak - row[i], DEPTH))
        if not math.isfinite(total) or not math.isfinite(peak):
            return False
        lowest = np.float32(peak - furthest)
        log_total = np.float32(math.log(total))
        scale = np.float32((peak - lowest) / STEPS)
        inverse = np.float32(1) / scale if scale > 0 else np.float32(0)
        for i in range(n_vocab):
            above = max(row[i] - lowest, np.float32(0))
            code[i] = np.uint16(np.int32(np.rint(min(above * inverse, STEPS))))
        for i in range(n_vocab, len(code)):
            code[i] = 0
        logprobs[n] = (np.float64(row[targets[n]]) - np.float64(peak)) - math.log(total)
        heads[n, 0] = scale
        heads[n, 1] = np.float32(lowest - peak - log_total)
    return True


@summing_kernel()
def compare(logits: Logits, rows: Places, targets: Targets, heads: Heads, codes: Codes, measures: Measures) -> int:
    """Fill the measures; returns what :class:`server.divergence.row_format.RowFormat` says."""
    n_vocab = logits.shape[1]
    for n in range(len(rows)):
        row, code, found = logits[rows[n]], codes[n, BEGIN:], measures[n]
        scale, least = heads[n, 0], heads[n, 1]
        if not (0 <= scale < 1 and -1000 < least <= 0):
            return DAMAGED
        peak = highest(row, 0, n_vocab)
        most = np.uint16(0)
        for i in range(n_vocab):
            most = code[i] if code[i] > most else most
        p_total, q_total = np.float64(0), np.float64(0)
        forward, backward = np.float64(0), np.float64(0)
        for i in range(n_vocab):
            a = min(scale * np.float32(np.int32(code[i])) + least, np.float32(0))
            b = row[i] - peak
            b = -LARGEST if b < -LARGEST else b
            p, q = fast_exp(a), fast_exp(b)
            p = p if a > -DEPTH else np.float32(0)
            p_total += p
            q_total += q
            forward += p * (a - b)
            backward += q * (b - a)
        if not math.isfinite(q_total) or not math.isfinite(peak):
            return NOT_NUMBERS
        if not abs(p_total - 1) < OFF:
            return DAMAGED
        top, reference_top, ties = 0, 0, 0
        while row[top] != peak:
            top += 1
        while code[reference_top] != most:
            reference_top += 1
        for i in range(n_vocab):
            ties += np.float32(np.int32(most) - np.int32(code[i])) * scale <= NEAR
        q_log = math.log(q_total)
        found[LOGPROB] = (np.float64(row[targets[n]]) - np.float64(peak)) - q_log
        found[REFERENCE_LOGPROB] = scale * np.float32(np.int32(code[targets[n]])) + least
        found[KLD] = forward + p_total * q_log
        found[KLD_BOUND] = 0
        found[KLD_REVERSE] = backward / q_total - q_log
        found[SAME_TOP] = top == reference_top
        found[REFERENCE_TOP] = math.exp(np.float64(scale) * most + np.float64(least))
        found[NEAR_TIE] = ties > 1
    return FINE
