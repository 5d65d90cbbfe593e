"""The numbers that shape a model, where llama.cpp asserts what it expects of them.

Numbers that only have to fit the tensors are left to llama.cpp, which compares every shape and tells.
"""

from __future__ import annotations

import math

from server.gguf_check.reader import Header, Problem

MAX_LAYERS = 512
MAX_EXPERTS = 1024
MAX_CONTEXT = 2**31 - 1
_ROPE_SCALINGS = ("none", "linear", "yarn", "longrope")
_ONE_EXPERT_IS_NONE = ("hunyuan_vl", "hunyuan-dense")
"""Architectures for which llama.cpp takes one expert as no experts."""


def check_hyperparameters(header: Header) -> None:
    """Raise :class:`Problem` for numbers that end llama.cpp, or leave nothing to compute."""
    architecture = header.text("general.architecture")
    layers = _number(header, f"{architecture}.block_count", 1, MAX_LAYERS, default=MAX_LAYERS)
    _number(header, f"{architecture}.context_length", 1, MAX_CONTEXT, default=1)
    for key in ("nextn_predict_layers", "posnet.block_count", "convnext.block_count"):
        _number(header, f"{architecture}.{key}", 0, layers)
    for key, value in header.fields.items():
        if key.endswith("epsilon") and isinstance(value, float) and not 0 <= value < 1:
            raise Problem(f"gives {key} as {value}, which is none")
    scaling = f"{architecture}.rope.scaling.type"
    if scaling in header.fields and header.text(scaling) not in _ROPE_SCALINGS:
        raise Problem(f"gives {scaling} as {header.text(scaling)[:40]!r}, not one of {', '.join(_ROPE_SCALINGS)}")
    _check_experts(header, architecture)
    if architecture == "llama":
        _check_heads(header)


def _number(header: Header, key: str, low: int, high: int, default: int = 0) -> int:
    """A whole number within its limits."""
    value = header.number(key, default)
    if not low <= value <= high:
        raise Problem(f"gives {key} as {value}, not {low} to {high}")
    return value


def _check_experts(header: Header, architecture: str) -> None:
    """How many experts there are, how many of them a token uses, and in how many groups they stand."""
    experts = _number(header, f"{architecture}.expert_count", 0, MAX_EXPERTS)
    if architecture in _ONE_EXPERT_IS_NONE and experts <= 1:
        return
    counts = header.numbers(f"{architecture}.expert_used_count")
    if not all(math.isfinite(value) for value in counts):
        raise Problem("gives its number of used experts as something that is no number")
    used = max(map(int, counts), default=0)
    if used > experts or (experts and used < 1):
        raise Problem(f"uses {used} of {experts} experts")
    groups = _number(header, f"{architecture}.expert_group_count", 0, max(experts - 1, 0))
    chosen = header.number(f"{architecture}.expert_group_used_count")
    if groups > 1 and (experts % groups or not 0 < chosen < groups):
        raise Problem(f"uses {chosen} of {groups} groups of {experts} experts")


def _check_heads(header: Header) -> None:
    """Keys and values of one length, as Llama has them."""
    heads = max(header.number("llama.attention.head_count", 1), 1)
    length = header.number("llama.embedding_length") // heads
    keys, values = (header.number(f"llama.attention.{kind}_length", length) for kind in ("key", "value"))
    if keys != values:
        raise Problem(f"gives heads of {keys} for keys and {values} for values, which Llama has alike")
