"""A model that only embeds."""

from __future__ import annotations

from pathlib import Path

import gguf
import numpy as np

CONTEXT = 64
WIDTH = 32
WORDS = [*(f"▁{word}" for word in ("hello", "world", "the", "a", "b", ".")), *"abcdefgh"]


def write_random_bert(path: Path) -> Path:
    """Write a Bert of two layers with random weights and a WordPiece vocabulary of a few words; it pools by CLS."""
    rng = np.random.default_rng(0)
    specials = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    writer = gguf.GGUFWriter(path, "bert")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_block_count(2)
    writer.add_head_count(4)
    writer.add_layer_norm_eps(1e-12)
    writer.add_causal_attention(False)
    writer.add_pooling_type(gguf.PoolingType.CLS)
    writer.add_tokenizer_model("bert")
    writer.add_token_list([*specials, *WORDS])
    writer.add_token_types([gguf.TokenType.CONTROL] * len(specials) + [gguf.TokenType.NORMAL] * len(WORDS))
    writer.add_token_type_count(2)
    writer.add_pad_token_id(0)
    writer.add_unk_token_id(1)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_mask_token_id(4)

    def add(name: str, *shape: int) -> None:
        writer.add_tensor(name, rng.normal(0, 1, shape).astype(np.float32))

    add("token_embd.weight", len(specials) + len(WORDS), WIDTH)
    add("token_types.weight", 2, WIDTH)
    add("position_embd.weight", CONTEXT, WIDTH)
    shapes = dict.fromkeys(("attn_q", "attn_k", "attn_v", "attn_output"), (WIDTH, WIDTH))
    shapes |= {"ffn_up": (2 * WIDTH, WIDTH), "ffn_down": (WIDTH, 2 * WIDTH)}
    for layer in ("blk.0", "blk.1"):
        for name, shape in shapes.items():
            add(f"{layer}.{name}.weight", *shape)
            add(f"{layer}.{name}.bias", shape[0])
    for norm in ("token_embd_norm", *(f"blk.{i}.{part}_output_norm" for i in (0, 1) for part in ("attn", "layer"))):
        add(f"{norm}.weight", WIDTH)
        add(f"{norm}.bias", WIDTH)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
