"""Damage to the metadata of a GGUF file, apart from its vocabulary. Each function says what it did."""

from __future__ import annotations

import random

from gguf_parts import ARRAY, EXTREMES, FORMATS, STRING, Field, Gguf

ARCHITECTURES = (
    "bert bloom chatglm clip cohere2 command-r dbrx deci deepseek2 dream eagle3 falcon falcon-h1 gemma gemma2 gemma3 "
    "gemma3n gpt-oss gpt2 gptneox granite granitehybrid grok hunyuan-moe jamba lfm2 llada llama-embed llama4 mamba "
    "mamba2 minicpm3 mistral3 modern-bert mpt nomic-bert olmo2 olmoe openelm phi2 phi3 plamo plamo2 qwen2 qwen2moe "
    "qwen2vl qwen3 qwen35 qwen3moe qwen3next rwkv6 rwkv7 smollm3 stablelm starcoder t5 t5encoder wavtokenizer-dec "
    "xverse nonsense (unknown)"
).split()


def of_a_number(chance: random.Random, gguf: Gguf) -> str:
    """A number becomes another."""
    entry = chance.choice([entry for entry in gguf.fields if entry.kind in FORMATS])
    was = entry.value
    assert isinstance(was, int | float)
    near = [was + 1, was - 1, was * 2, was // 2, -was, was * 1.5, float("nan"), float("inf")]
    entry.value = chance.choice([*EXTREMES, *near])
    return f"{entry.key!r} from {was} to {entry.value}"


def of_a_type(chance: random.Random, gguf: Gguf) -> str:
    """A value keeps its meaning as far as its new type allows."""
    entry = chance.choice([entry for entry in gguf.fields if entry.kind != ARRAY])
    entry.kind = chance.choice([*FORMATS, STRING])
    return f"{entry.key!r} as type {entry.kind}"


def of_a_shape(chance: random.Random, gguf: Gguf) -> str:
    """A value becomes an array, or an array one value."""
    entry = chance.choice(gguf.fields)
    if entry.kind == ARRAY:
        entry.kind, entry.value = entry.element, next(iter(gguf.array(entry.key)), 0)
        return f"{entry.key!r} as its first element"
    length = chance.choice([0, 1, 2, 5, 6, 7, 512, 513])
    entry.element, entry.kind, entry.value = entry.kind, ARRAY, [entry.value] * length
    return f"{entry.key!r} as an array of {length}"


def of_the_keys(chance: random.Random, gguf: Gguf) -> str:
    """A field goes, comes twice, or gets another name."""
    entry = chance.choice(gguf.fields)
    how = chance.choice(["drop", "double", "rename", "swap"])
    if how == "drop":
        gguf.fields.remove(entry)
    elif how == "double":
        gguf.fields.insert(chance.randrange(len(gguf.fields)), Field(entry.key, entry.kind, entry.value, entry.element))
    elif how == "rename":
        entry.key = chance.choice([b"", b"\xff\xfe", entry.key + b"\0", entry.key[:-1], b"k" * 70_000])
    else:
        other = chance.choice(gguf.fields)
        entry.key, other.key = other.key, entry.key
    return f"{how} {entry.key[:60]!r}"


ADDED = [
    *((key, 4) for key in ("expert_count", "expert_used_count", "expert_group_count", "expert_group_used_count")),
    *((key, 4) for key in ("expert_shared_count", "expert_feed_forward_length", "leading_dense_block_count")),
    *((key, 4) for key in ("attention.key_length", "attention.value_length", "attention.sliding_window")),
    *((key, 4) for key in ("attention.sliding_window_pattern", "attention.key_length_swa", "rope.dimension_count_swa")),
    *((key, 4) for key in ("pooling_type", "nextn_predict_layers", "embedding_length_out", "router_layer")),
    *((key, 4) for key in ("rope.scaling.original_context_length", "attention.kv_lora_rank", "ssm.conv_kernel")),
    *((key, 7) for key in ("attention.causal", "use_parallel_residual", "rope.scaling.finetuned")),
    *((key, 6) for key in ("rope.scaling.factor", "rope.scaling.attn_factor", "logit_scale", "attention.clamp_kqv")),
    *((key, 6) for key in ("attention.max_alibi_bias", "attention.scale", "residual_scale", "embedding_scale")),
    *((key, 6) for key in ("final_logit_softcapping", "rope.scaling.yarn_log_multiplier", "rope.scale_linear")),
    ("rope.scaling.type", STRING),
    ("rope.dimension_sections", ARRAY),
    ("classifier.output_labels", ARRAY),
]


def of_more_keys(chance: random.Random, gguf: Gguf) -> str:
    """A key that llama.cpp reads and this file does not have."""
    key, kind = chance.choice(ADDED)
    value: object = chance.choice([0, 1, 2, 3, 4, 8, 64, 256, 1024, 1025, 2**31, 2**32 - 1])
    element = 0
    if kind == STRING:
        value = chance.choice([b"none", b"linear", b"yarn", b"longrope", b"nonsense", b""])
    elif kind == 6:
        value = chance.choice([0.0, 1.0, -1.0, 1e30, float("nan"), float("inf"), 1e-30])
    elif kind == ARRAY:
        element = chance.choice([4, 5, 6, STRING])
        value = [chance.choice([0, 1, 2**31])] * chance.choice([0, 1, 3, 4, 5, 512])
    gguf.put(b"llama." + key.encode(), kind, value, element)
    return f"llama.{key} = {value}"


def of_the_whole(chance: random.Random, gguf: Gguf) -> str:
    """Keys about the file as a whole."""
    key = chance.choice(["general.alignment", "split.count", "split.no", "general.type", "general.file_type"])
    kind, value = chance.choice(
        [(4, 32), (4, 64), (4, 8), (4, 1), (4, 2**31), (4, 0), (2, 2), (2, 9), (2, 65535), (3, -1), (8, b"x")]
    )
    gguf.put(key.encode(), kind, value)
    if key == "general.alignment" and kind == 4 and 0 < int(value) <= 4096:  # type: ignore[call-overload]
        gguf.alignment = int(value)  # type: ignore[call-overload]
    return f"{key} = {value!r}"


def of_the_architecture(chance: random.Random, gguf: Gguf) -> str:
    """The same tensors under another architecture, its keys renamed with it."""
    name = chance.choice(ARCHITECTURES).encode()
    gguf.put(b"general.architecture", STRING, name)
    for entry in gguf.fields:
        entry.key = entry.key.replace(b"llama.", name + b".") if entry.key.startswith(b"llama.") else entry.key
    rms = gguf.get(name + b".attention.layer_norm_rms_epsilon")
    gguf.put(name + b".attention.layer_norm_epsilon", 6, rms.value)
    return f"architecture {name!r}"


def of_the_counts(chance: random.Random, gguf: Gguf) -> str:
    """Version and counts of the front."""
    tensors, fields = len(gguf.tensors), len(gguf.fields)
    if chance.random() < 0.3:
        gguf.version = chance.choice([0, 1, 2, 4, 2**31, 3 << 24])
    else:
        wrong = [0, 1, tensors - 1, tensors + 1, 2**16, 2**31, 2**63, 2**64 - 1]
        gguf.counts = (chance.choice(wrong), fields) if chance.random() < 0.5 else (tensors, chance.choice(wrong))
    return f"version {gguf.version}, counts {gguf.counts}"


DAMAGES = [
    *(of_a_number, of_a_number, of_a_type, of_a_shape, of_the_keys, of_more_keys, of_more_keys, of_the_whole),
    *(of_the_architecture, of_the_counts),
]
