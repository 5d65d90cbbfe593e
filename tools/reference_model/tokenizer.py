"""The bundled model's vocabulary: byte-level BPE, learned on the corpus, every digit a token of its own."""

from __future__ import annotations

import itertools
import random

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from harness.scenarios.world.corpus import documents
from harness.scenarios.world.facts import World

BOS, EOS = "<s>", "</s>"
VOCABULARY = 1024
N_DOCUMENTS = 20_000

PRE_TOKENIZER = "qwen2"
"""llama.cpp's name (``tokenizer.ggml.pre``) for the splitting rule below."""
_SPLIT = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}|"
    r" ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
)


def learn(world: World, seed: int) -> Tokenizer:
    """A byte-level BPE tokenizer of :data:`VOCABULARY` tokens; ids 0 and 1 are BOS and EOS."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(_SPLIT), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=[BOS, EOS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    stream = itertools.islice(documents(world, random.Random(f"{seed}/tokenizer"), framed=False), N_DOCUMENTS)
    tokenizer.train_from_iterator(("".join(piece.text for piece in document) for document in stream), trainer)
    return tokenizer
