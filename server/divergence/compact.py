"""The likeliest tokens of a row, as many as fit into a twentieth of two bytes a token, and what is known of the rest.

Of the rest (the tail) its probability P and its sum of p ln p are kept. With the model's whole row q at hand they bound
KL(p || q) from both sides: the tail taken as one event gives the least that its part can be, P ln(P / Q) (the log sum
inequality); the tail's least likely token under q the most, sum p ln p - P ln min q. Both hold for whichever tokens are
kept, and for the distribution as it is stored: rounding to float16 moves it by what it moves an exact store.

A row is 18 bytes (the log of the kept ones' sum as it is read back, the actual token's log-probability, P and the sum
of p ln p, each float32; then how many tokens are kept, uint16), then for each of these, in order of id, the distance of
its id from the one before in groups of seven bits, lowest first, and the float16 of its logit's distance from the
maximum; then zeros.
"""

from __future__ import annotations

import math
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from server.divergence.half import LARGEST, from_half, to_half
from server.divergence.kept_tokens import HEAD, LAST, border_of, bucket_of, first_of, length_of, unpack, write_token
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
from server.divergence.row_format import (
    AGREES,
    DAMAGED,
    FINE,
    NOT_NUMBERS,
    Logits,
    Logprobs,
    Measures,
    Places,
    Stored,
    Targets,
)
from server.engine.scoring import fast_exp, highest
from server.kernel_cache import summing_kernel

Heads: TypeAlias = NDArray[np.float32]
"""The first four values of each row, ``[rows, 4]``."""
Counts: TypeAlias = NDArray[np.uint16]
"""How many tokens are kept of each, ``[rows]``."""
SHORTEST = 64
"""Bytes of a row of a vocabulary of fewer than 720 tokens; there it is no twentieth."""
TOKEN = 4
"""Bytes that a store has for a token of the text beside its row; they count against the twentieth twice, since in
windows as ``llama-perplexity`` cuts them only every other token has a row."""
KEPT = np.float32(-1e30)
"""In a copy of the row: this one is no part of the tail."""
LEAST_TAIL = 1e-30


def stride(n_vocab: int) -> int:
    """Bytes of a row."""
    return max(SHORTEST, (n_vocab // 10 - 2 * TOKEN) // 4 * 4)


def encode(logits: Logits, rows: Places, targets: Targets, stored: Stored, logprobs: Logprobs) -> bool:
    """Write rows; False if one of the model's is not numbers."""
    stored[:] = 0
    heads = np.zeros((len(rows), 4), np.float32)
    counts = np.zeros(len(rows), np.uint16)
    fine: bool = _encode(logits, rows, targets, stored, heads, counts, logprobs)
    stored[:, :16] = heads.view(np.uint8)
    stored[:, 16:HEAD] = counts[:, None].view(np.uint8)
    return fine


def compare(logits: Logits, rows: Places, targets: Targets, stored: Stored, measures: Measures) -> int:
    """Fill the measures; returns what :class:`server.divergence.row_format.RowFormat` says."""
    heads = stored[:, :16].copy().view(np.float32)
    counts = stored[:, 16:HEAD].copy().view(np.uint16)[:, 0]
    status: int = _compare(logits, rows, targets, stored, heads, counts, measures)
    return status


@summing_kernel()
def _encode(
    logits: Logits, rows: Places, targets: Targets, stored: Stored, heads: Heads, counts: Counts, logprobs: Logprobs
) -> bool:
    n_vocab, size = logits.shape[1], stored.shape[1]
    most = length_of(n_vocab // 2)  # that a token takes between two others: it shortens the step to the next
    found = np.empty(LAST + 1, np.int32)
    for n in range(len(rows)):
        row, to = logits[rows[n]], stored[n]
        peak = highest(row, 0, n_vocab)
        total, weighted = np.float64(0), np.float64(0)
        for i in range(n_vocab):
            distance = peak - row[i]
            distance = LARGEST if distance > LARGEST else distance
            p = fast_exp(-distance)
            total += p
            weighted -= p * distance
        if not math.isfinite(total) or not math.isfinite(peak):
            return False
        first = first_of(row, peak, -1)
        second = first
        if n_vocab > 1:
            second = first_of(row, max(highest(row, 0, first), highest(row, first + 1, n_vocab)), first)
        border, left = border_of(row, peak, first, second, size - HEAD, found)
        left -= length_of(n_vocab) - most  # the last one shortens nothing, and its step may be any
        at, last, count = HEAD, -1, 0
        kept, kept_weighted, rounded = np.float64(0), np.float64(0), np.float64(0)
        for i in range(n_vocab):
            distance = peak - row[i]
            bucket = bucket_of(distance)
            if bucket > border and i != second:
                continue
            if bucket == border and i != first and i != second:
                if left < most:
                    continue
                left -= most
            distance = LARGEST if distance > LARGEST else distance
            code = to_half(distance)
            at = write_token(to, at, i - last, code)
            last = i
            count += 1
            p = fast_exp(-distance)
            kept += p
            kept_weighted -= p * distance
            rounded += fast_exp(-from_half(code))
        tail = max(total - kept, 0.0) / total if count < n_vocab else 0.0
        logprobs[n] = (np.float64(row[targets[n]]) - np.float64(peak)) - math.log(total)
        heads[n, 0] = math.log(rounded)
        heads[n, 1] = logprobs[n]
        heads[n, 2] = tail
        heads[n, 3] = min((weighted - kept_weighted) / total - tail * math.log(total), 0.0) if tail > 0 else 0.0
        counts[n] = count
    return True


@summing_kernel()
def _tail(rest: Any) -> tuple[float, float]:
    """What the tokens that were not kept weigh together, and how far the least likely one is below the maximum."""
    total = np.float64(0)
    furthest = np.int32(0)
    for i in range(len(rest)):
        total += fast_exp(rest[i])
        distance = np.float32(0) if rest[i] == KEPT else -rest[i]
        bits = np.float32(distance).view(np.int32)  # floats that are not negative are in the order of their bits
        furthest = bits if bits > furthest else furthest
    return total, np.float64(np.int32(furthest).view(np.float32))


@summing_kernel()
def _compare(
    logits: Logits, rows: Places, targets: Targets, stored: Stored, heads: Heads, counts: Counts, measures: Measures
) -> int:
    n_vocab = logits.shape[1]
    near = to_half(NEAR)
    rest = np.empty(n_vocab, np.float32)
    room = (stored.shape[1] - HEAD) // 3
    ids, codes = np.empty(room, np.int32), np.empty(room, np.uint16)
    for n in range(len(rows)):
        row, found = logits[rows[n]], measures[n]
        count = np.int64(counts[n])
        if count > room or not unpack(stored[n], count, n_vocab, ids, codes):
            return DAMAGED
        peak = highest(row, 0, n_vocab)
        for i in range(n_vocab):
            below = row[i] - peak
            rest[i] = -LARGEST if below < -LARGEST else below
        p_sum, q_top, forward, backward = np.float64(0), np.float64(0), np.float64(0), np.float64(0)
        ties = 0
        for j in range(count):
            a, b = -from_half(codes[j]), rest[ids[j]]
            p, q = fast_exp(a), fast_exp(b)
            p_sum += p
            q_top += q
            forward += p * (a - b)
            backward += q * (b - a)
            ties += codes[j] <= near
            rest[ids[j]] = KEPT
        q_rest, furthest = _tail(rest)
        q_total = q_top + q_rest
        if not math.isfinite(q_total) or not math.isfinite(peak):
            return NOT_NUMBERS
        p_tail: Any = np.float64(heads[n, 2])
        p_log_p = np.float64(heads[n, 3])
        if not (0 <= p_tail < 1 and p_log_p <= 0 and abs(math.log(p_sum) - heads[n, 0]) < AGREES):
            return DAMAGED
        q_log, share = math.log(q_total), (1 - p_tail) / p_sum
        together: Any = 0.0
        apart: Any = 0.0
        backward_tail: Any = 0.0
        if count < n_vocab:
            p_tail, q_tail = max(p_tail, LEAST_TAIL), max(q_rest / q_total, LEAST_TAIL)
            together = p_tail * math.log(p_tail / q_tail)
            apart = max(p_log_p + p_tail * (furthest + q_log), together)
            backward_tail = q_tail * math.log(q_tail / p_tail)
        known = share * (forward + p_sum * (math.log(share) + q_log))
        known_backward = (backward - q_top * (math.log(share) + q_log)) / q_total
        found[LOGPROB] = (np.float64(row[targets[n]]) - np.float64(peak)) - q_log
        found[REFERENCE_LOGPROB] = heads[n, 1]
        found[KLD] = max(known + together, 0.0)
        found[KLD_BOUND] = apart - together
        found[KLD_REVERSE] = max(known_backward + backward_tail, 0.0)
        found[SAME_TOP] = first_of(row, peak, -1) == ids[first_of(codes, 0, -1)]
        found[REFERENCE_TOP] = share
        found[NEAR_TIE] = ties > 1
    return FINE
