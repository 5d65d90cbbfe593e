"""The null run: the reference once more, decoded in other batches, which shows how far figures move by themselves.

llama.cpp promises no bit-identity: what is decoded together, and in how many pieces a prompt is, changes the order of
sums and so the last bits of logits. Whatever a quantization seems to lose, the null run may seem to lose too.
"""

from __future__ import annotations

from dataclasses import replace

from harness.models.candidates import Candidate

NULL = "null_run"
"""What tables call it; pandas reads a bare ``null`` in a CSV as a missing value."""
BATCH_SIZE = 64
"""Tokens decoded together at most: most prompts are then decoded in several pieces."""


def null_candidate(reference: Candidate) -> Candidate:
    """The reference's second run."""
    size = BATCH_SIZE if reference.serve.batch_size != BATCH_SIZE else 2 * BATCH_SIZE
    note = f"{NULL}: {reference.label} once more, in batches of {size} tokens, to show the noise floor."
    return replace(reference, label=NULL, serve=reference.serve.model_copy(update={"batch_size": size}), note=note)


def null_concurrency(concurrency: int) -> int:
    """Requests under way at once in the null run, other than in the others: half of theirs, and 2 where that is 1."""
    return concurrency // 2 if concurrency > 1 else 2
