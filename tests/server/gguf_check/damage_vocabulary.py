"""Damage to the vocabulary of a GGUF file, and to its chat template. Each function says what it did."""

from __future__ import annotations

import random
import struct

from gguf_parts import ARRAY, FORMATS, STRING, Gguf

TOKENIZERS = "llama bert gpt2 t5 rwkv plamo2 none no_vocab test whitespace hybriddna gemma4 nonsense".split()
PRETOKENIZERS = (
    "default llama-bpe deepseek-llm falcon gpt-2 qwen2 qwen35 kimi-k2 gpt-4o tekken chatglm-bpe bloom jina-v2-es "
    "superbpe gemma4 whitespace nonsense"
).split()
TOKENS = b"tokenizer.ggml.tokens"
TYPES = b"tokenizer.ggml.token_type"
SPECIALS = (
    "bos eos eot eom unknown seperator padding mask cls fim_pre fim_suf fim_mid fim_pad fim_rep fim_sep prefix suffix "
    "middle"
).split()


def of_the_tokenizer(chance: random.Random, gguf: Gguf) -> str:
    """Another kind of tokenizer over the same tokens."""
    model, pre = chance.choice(TOKENIZERS), chance.choice(PRETOKENIZERS)
    gguf.put(b"tokenizer.ggml.model", STRING, model.encode())
    if chance.random() < 0.7:
        gguf.put(b"tokenizer.ggml.pre", STRING, pre.encode())
    scores = chance.choice([None, 6, 5, 4, STRING])
    if scores is not None:
        size = len(gguf.array(TOKENS))
        count = chance.choice([size, size, size - 1, 0])
        gguf.put(b"tokenizer.ggml.scores", ARRAY, [-i for i in range(count)], scores)
    if chance.random() < 0.3:
        blob = chance.randbytes(chance.choice([0, 3, 4, 64, 3000]))
        charsmap = list(struct.pack("<I", chance.choice([0, 4, 60, 2**31])) + blob)
        gguf.put(b"tokenizer.ggml.precompiled_charsmap", ARRAY, charsmap, chance.choice([0, 1, 5]))
    if chance.random() < 0.5:
        give_byte_tokens(gguf, b"\\x%02x" if model == "rwkv" else b"<0x%02X>", chance.choice([256, 256, 255, 1]))
    return f"tokenizer {model} {pre}, scores {scores}"


def give_byte_tokens(gguf: Gguf, spelling: bytes, count: int) -> None:
    """Tokens for single bytes, as SentencePiece or RWKV spell them."""
    tokens, types = gguf.array(TOKENS), gguf.array(TYPES)
    tokens[200 : 200 + count] = [spelling % byte for byte in range(count)]
    types[200 : 200 + count] = [6] * count


def of_special_tokens(chance: random.Random, gguf: Gguf) -> str:
    """Ids of special tokens in and out of range, of every type."""
    changed = chance.sample(SPECIALS, chance.randint(1, 4))
    for name in changed:
        key = f"tokenizer.ggml.{name}_token_id".encode()
        gguf.put(
            key, chance.choice([4, 4, 5, 10]), chance.choice([0, 1, 511, 512, 1023, 1024, 2**31 - 1, 2**31, 2**32 - 1])
        )
    for name in ("add_bos_token", "add_eos_token", "add_sep_token", "add_space_prefix", "remove_extra_whitespaces"):
        if chance.random() < 0.3:
            gguf.put(f"tokenizer.ggml.{name}".encode(), 7, chance.random() < 0.5)
    return f"special tokens {changed}"


def of_a_token(chance: random.Random, gguf: Gguf) -> str:
    """One string of the vocabulary."""
    tokens = gguf.array(TOKENS) or [b""]
    i = chance.randrange(len(tokens))
    long = b"x" * chance.choice([1000, 100_000, 3_000_000])
    made = [tokens[i - 1], b"", chance.randbytes(chance.randint(1, 9)), b"a\0b", long, b"<0x0A>", b"</s>", b"<unk>"]
    tokens[i] = chance.choice([*made, b"<|eot_id|>", b"<|end|>", b"[EMPTY_7]", b"<oov>", b"\\x0", b"\\"])
    return f"tokens: {tokens[i]!r:.40} at {i}"


def of_the_tokens(chance: random.Random, gguf: Gguf) -> str:
    """How many tokens there are, of what type and in what order."""
    entry, tokens = gguf.get(TOKENS), gguf.array(TOKENS)
    how = chance.choice(["fewer", "more", "none", "numbers", "shuffled"])
    if how == "fewer":
        del tokens[-chance.choice([1, 500, len(tokens) - 1, len(tokens)]) :]
    elif how == "more":
        tokens += [b"token %d" % n for n in range(chance.choice([1, 1000]))]
    elif how == "none":
        tokens.clear()
    elif how == "numbers":
        entry.kind, entry.value, entry.element = ARRAY, list(range(len(tokens))), chance.choice([0, 4, 5, 6])
    else:
        chance.shuffle(tokens)
    return f"tokens: {how}"


def of_the_token_arrays(chance: random.Random, gguf: Gguf) -> str:
    """Types, scores and merges, of other lengths, types and values."""
    key = chance.choice([TYPES, b"tokenizer.ggml.scores", b"tokenizer.ggml.merges"])
    size = len(gguf.array(TOKENS))
    length = chance.choice([size, size, size - 1, size + 1, 1, 0])
    if key.endswith(b"merges"):
        made = [b"", b" ", b"a", b" a", b"a ", b"a b c", b"\xff \xfe", b"\0 \0", b"x" * 100_000 + b" y"]
        values: list[object] = [chance.choice(made) for _ in range(length)]
        kind = chance.choice([STRING, STRING, STRING, 5])
    else:
        kind = chance.choice([5, 5, 6, 4, 0, 10, STRING])
        values = [chance.choice([0, 1, 2, 3, 4, 5, 6, 7, -1, 2**31 - 1]) for _ in range(length)]
    if kind in FORMATS:
        values = [len(value) if isinstance(value, bytes) else value for value in values]
    gguf.put(key, ARRAY, values, kind)
    return f"{key!r}: {length} of type {kind}"


def of_the_template(chance: random.Random, gguf: Gguf) -> str:
    """A chat template of great length or depth."""
    length = chance.choice([1, 1000, 200_000, 2_000_000])
    made = {
        "long": b"x" * length,
        "nested": b"{% if a %}" * length,
        "brackets": b"{{ " + b"(" * length + b" }}",
        "bytes": chance.randbytes(min(length, 1000)),
    }
    how = chance.choice(list(made))
    key = chance.choice([b"tokenizer.chat_template", b"tokenizer.chat_template.rag"])
    gguf.put(key, STRING, made[how])
    return f"template: {how} of {length}"


DAMAGES = [
    *(of_the_tokenizer, of_the_tokenizer, of_special_tokens, of_a_token, of_the_tokens, of_the_token_arrays),
    of_the_template,
]
