"""Whole rows: how far each logit lies below the row's maximum, as float16.

The distribution is normalized over what is read back, so that it is one whatever was rounded. The head has the log of
the sum of what is read back, which shows a damaged row, and the actual token's log-probability before rounding.
"""

from __future__ import annotations

import math

import numpy as np

from server.divergence.half import LARGEST, from_half, to_half
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
from server.divergence.row_format import AGREES, DAMAGED, FINE, NOT_NUMBERS, Logits, Logprobs, Measures, Places, Targets
from server.divergence.whole_row import BEGIN, Codes, Heads
from server.engine.scoring import fast_exp, highest
from server.kernel_cache import summing_kernel


@summing_kernel()
def encode(logits: Logits, rows: Places, targets: Targets, heads: Heads, codes: Codes, logprobs: Logprobs) -> bool:
    """Write rows; False if one of the model's is not numbers."""
    n_vocab = logits.shape[1]
    for n in range(len(rows)):
        row, code = logits[rows[n]], codes[n, BEGIN:]
        peak = highest(row, 0, n_vocab)
        total = np.float64(0)
        rounded = np.float64(0)
        for i in range(n_vocab):
            distance = peak - row[i]
            total += fast_exp(-distance)
            code[i] = to_half(LARGEST if distance > LARGEST else distance)
            rounded += fast_exp(-from_half(code[i]))
        if not math.isfinite(total) or not math.isfinite(peak):
            return False
        for i in range(n_vocab, len(code)):
            code[i] = 0
        logprobs[n] = (np.float64(row[targets[n]]) - np.float64(peak)) - math.log(total)
        heads[n, 0] = math.log(rounded)
        heads[n, 1] = logprobs[n]
    return True


@summing_kernel()
def compare(logits: Logits, rows: Places, targets: Targets, heads: Heads, codes: Codes, measures: Measures) -> int:
    """Fill the measures; returns what :class:`server.divergence.row_format.RowFormat` says."""
    n_vocab = logits.shape[1]
    near = to_half(NEAR)
    for n in range(len(rows)):
        row, code, found = logits[rows[n]], codes[n, BEGIN:], measures[n]
        peak = highest(row, 0, n_vocab)
        least = np.uint16(0xFFFF)
        ties = 0
        for i in range(n_vocab):
            least = code[i] if code[i] < least else least
            ties += code[i] <= near
        p_total, q_total, forward, backward = np.float64(0), np.float64(0), np.float64(0), np.float64(0)
        for i in range(n_vocab):
            a = -from_half(code[i])
            b = row[i] - peak
            b = -LARGEST if b < -LARGEST else b
            p, q = fast_exp(a), fast_exp(b)
            p_total += p
            q_total += q
            forward += p * (a - b)
            backward += q * (b - a)
        if not math.isfinite(q_total) or not math.isfinite(peak):
            return NOT_NUMBERS
        p_log, q_log = math.log(p_total), math.log(q_total)
        if least != 0 or not abs(p_log - heads[n, 0]) < AGREES:
            return DAMAGED
        top, reference_top = 0, 0
        while row[top] != peak:
            top += 1
        while code[reference_top] != 0:
            reference_top += 1
        found[LOGPROB] = (np.float64(row[targets[n]]) - np.float64(peak)) - q_log
        found[REFERENCE_LOGPROB] = heads[n, 1]
        found[KLD] = max(forward / p_total - p_log + q_log, 0.0)
        found[KLD_BOUND] = 0
        found[KLD_REVERSE] = max(backward / q_total - q_log + p_log, 0.0)
        found[SAME_TOP] = top == reference_top
        found[REFERENCE_TOP] = 1 / p_total
        found[NEAR_TIE] = ties > 1
    return FINE
