"""Damage to the tensors of a GGUF file: their table, and their data. Each function says what it did."""

from __future__ import annotations

import math
import random

from gguf.constants import GGMLQuantizationType
from gguf_parts import LONG_EXTREMES, Gguf, Tensor, size_of


def of_the_table(chance: random.Random, gguf: Gguf) -> str:
    """Names and order of tensors, and those that are missing or there twice."""
    tensor = chance.choice(gguf.tensors)
    how = chance.choice(["drop", "double", "name", "swap", "more"])
    if how == "drop":
        gguf.tensors.remove(tensor)
    elif how == "double":
        gguf.tensors.append(Tensor(tensor.name, tensor.shape, tensor.kind, tensor.data))
    elif how == "name":
        names = [b"", b"x" * 63, b"x" * 64, b"x" * 100_000, b"blk.6.attn_q.weight", b"blk.600.ffn_up.weight", b"\xff"]
        names += [b"rope_freqs.weight", b"blk.0.attn_q.bias", b"token_embd.bias", tensor.name + b"\0"]
        tensor.name = chance.choice(names)
    elif how == "swap":
        other = chance.choice(gguf.tensors)
        tensor.name, other.name = other.name, tensor.name
    else:
        names = [b"rope_freqs.weight", b"blk.0.attn_q.bias", b"blk.0.ffn_up.bias", b"blk.0.attn_rot.weight", b"extra"]
        gguf.tensors.append(Tensor(chance.choice(names), tensor.shape, tensor.kind, tensor.data))
    return f"tensor {tensor.name[:60]!r}: {how}"


def of_a_tensor(chance: random.Random, gguf: Gguf) -> str:
    """Dimensions, type or offset that the data do not bear out."""
    tensor = chance.choice(gguf.tensors)
    how = chance.choice(["dimension", "dimensions", "type", "offset"])
    if how == "dimension":
        tensor.shape = list(tensor.shape)
        tensor.shape[chance.randrange(len(tensor.shape))] = chance.choice(LONG_EXTREMES)
    elif how == "dimensions":
        tensor.shape = [chance.choice([0, 1, 2, 256, 2**32, 2**62]) for _ in range(chance.randint(0, 6))]
    elif how == "type":
        tensor.kind = chance.choice([*range(44), 99, 2**31, -1])
    else:
        tensor.offset = chance.choice([*LONG_EXTREMES, 32, 64, 4096, 11_000_000, 2**64 - 32])
    return f"tensor {tensor.name!r}: {how} {tensor.shape} {tensor.kind} {tensor.offset}"


def of_a_laid_out_tensor(chance: random.Random, gguf: Gguf) -> str:
    """Other types and dimensions, the data being random and of the right length."""
    tensor = chance.choice(gguf.tensors)
    how = chance.choice(["type", "type", "all types", "dimension", "flat", "rank"])
    if how == "type":
        tensor.kind = chance.choice([kind.value for kind in GGMLQuantizationType])
    elif how == "all types":
        kind = chance.choice([kind.value for kind in GGMLQuantizationType])
        for other in gguf.tensors:
            if len(other.shape) == 2:
                refill(chance, other, kind)
        return f"all matrices of type {kind}"
    elif how == "dimension":
        tensor.shape = list(tensor.shape)
        tensor.shape[chance.randrange(len(tensor.shape))] = chance.choice([0, 1, 2, 32, 255, 256, 257, 512, 768, 1024])
    elif how == "flat":
        tensor.shape = [math.prod(tensor.shape)]
    else:
        tensor.shape = [*tensor.shape, 1, 1][: chance.randint(1, 4)]
    refill(chance, tensor, tensor.kind)
    return f"tensor {tensor.name!r} laid out: {how} {tensor.shape} {tensor.kind}"


def refill(chance: random.Random, tensor: Tensor, kind: int) -> None:
    """Random data of a type, as long as it says; of one that says too much, none."""
    tensor.kind, size = kind, size_of(tensor.shape, kind)
    tensor.data = memoryview(chance.randbytes(size if 0 <= size < 2**24 else 0))


def of_the_weights(chance: random.Random, gguf: Gguf) -> str:
    """Weights that are noise, zero or no numbers."""
    tensor = chance.choice(gguf.tensors)
    made = {
        "noise": chance.randbytes(len(tensor.data)),
        "zero": bytes(len(tensor.data)),
        "nan": b"\xff" * len(tensor.data),
    }
    how = chance.choice(list(made))
    tensor.data = memoryview(made[how])
    return f"tensor {tensor.name!r}: {how}"


DAMAGES = [of_the_table, of_a_tensor, of_a_laid_out_tensor, of_a_laid_out_tensor, of_the_weights]
