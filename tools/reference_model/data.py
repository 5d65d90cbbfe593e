"""Training batches: the corpus as tokens, a pure function of seed and step, so that training can stop and go on."""

from __future__ import annotations

import itertools
import random

import numpy as np
import torch
from tokenizers import Tokenizer
from torch import Tensor

from harness.scenarios.world.corpus import Document, documents
from harness.scenarios.world.facts import World
from tools.reference_model.tokenizer import BOS, EOS

TOKENS_PER_STEP = 2048
LONG_EVERY = 8
"""Every eighth step is one window of 2,048 tokens instead of eight of 256, so that all positions are trained."""
FRAMED_FROM = 5000
"""From this step on the corpus has all its phrasings. Before, the model knew the facts in the phrasings it had seen
(80% at step 4,000) and hardly in some others (2%)."""
CONTEXT_WEIGHT = 0.25
"""Weight in the loss of a token that is not an answer (1.0): names drawn at random cannot be foreseen."""


def encode(tokenizer: Tokenizer, batch: list[Document]) -> tuple[list[int], list[float]]:
    """Token ids and loss weights of whole documents, each between BOS and EOS.

    A document is tokenized as one text, as a prompt is; a token is an answer's where it overlaps an answer's text.
    """
    bos, eos = tokenizer.token_to_id(BOS), tokenizer.token_to_id(EOS)
    ids: list[int] = []
    weights: list[float] = []
    texts = ["".join(piece.text for piece in document) for document in batch]
    for document, encoded in zip(batch, tokenizer.encode_batch(texts), strict=True):
        weight_of_character = [1.0 if piece.is_answer else CONTEXT_WEIGHT for piece in document for _ in piece.text]
        ids += [bos, *encoded.ids, eos]
        weights += [0.0, *(max(weight_of_character[start:end]) for start, end in encoded.offsets), CONTEXT_WEIGHT]
    return ids, weights


def batch(world: World, tokenizer: Tokenizer, seed: int, step: int) -> tuple[Tensor, Tensor, Tensor]:
    """Inputs, targets and loss weights of one step, each ``[windows, time]`` with windows x time = 2,048."""
    windows = 1 if step % LONG_EVERY == LONG_EVERY - 1 else 8
    stream = documents(world, random.Random(f"{seed}/{step}"), framed=step >= FRAMED_FROM)
    ids: list[int] = []
    weights: list[float] = []
    while len(ids) <= TOKENS_PER_STEP:
        more_ids, more_weights = encode(tokenizer, list(itertools.islice(stream, 16)))
        ids += more_ids
        weights += more_weights
    tokens = torch.from_numpy(np.array(ids[: TOKENS_PER_STEP + 1]))
    weight = torch.tensor(weights[1 : TOKENS_PER_STEP + 1])
    shape = (windows, TOKENS_PER_STEP // windows)
    return tokens[:-1].view(shape), tokens[1:].view(shape), weight.view(shape)
