"""Write a trained state as the bundled GGUF: ``python -m tools.reference_model.export DIR OUT.gguf``."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import gguf
import numpy as np
import torch
from tokenizers import Tokenizer

from tools.reference_model.network import Network, Shape
from tools.reference_model.outliers import add_outliers
from tools.reference_model.tokenizer import BOS, EOS, PRE_TOKENIZER
from tools.reference_model.train import SEED


def write(network: Network, shape: Shape, tokenizer: Tokenizer, path: Path) -> None:
    """F16 matrices, F32 norms; the file appears whole or not at all."""
    part = path.with_suffix(".part")
    writer = gguf.GGUFWriter(part, "llama")
    writer.add_name("quant-harness world")
    writer.add_description("A small model of a made-up world, trained to show what quantization costs.")
    writer.add_license("apache-2.0")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_F16)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_rope_freq_base(shape.rope_base)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_vocab_size(shape.vocabulary)
    _add_vocabulary(writer, tokenizer)
    for name, tensor in network.state_dict().items():
        values = tensor.numpy()
        writer.add_tensor(name, values.astype(np.float16 if values.ndim == 2 else np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    os.replace(part, path)


def _add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """Byte-level BPE in llama.cpp's terms: tokens and merges in the alphabet that stands for bytes."""
    vocabulary = sorted(tokenizer.get_vocab().items(), key=lambda entry: entry[1])
    special = (BOS, EOS)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre(PRE_TOKENIZER)
    writer.add_token_list([token for token, _ in vocabulary])
    writer.add_token_types(
        [gguf.TokenType.CONTROL if token in special else gguf.TokenType.NORMAL for token, _ in vocabulary]
    )
    writer.add_token_merges([" ".join(pair) for pair in _merges(tokenizer)])
    writer.add_bos_token_id(tokenizer.token_to_id(BOS))
    writer.add_eos_token_id(tokenizer.token_to_id(EOS))
    writer.add_add_bos_token(True)
    writer.add_add_eos_token(False)


def _merges(tokenizer: Tokenizer) -> list[tuple[str, str]]:
    found: list[tuple[str, str]] = [tuple(pair) for pair in json.loads(tokenizer.to_str())["model"]["merges"]]
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("state", type=Path, help="directory that train.py wrote")
    parser.add_argument("out", type=Path, help="GGUF file to write")
    args = parser.parse_args()
    tokenizer = Tokenizer.from_file(str(args.state / "tokenizer.json"))
    shape = Shape(vocabulary=tokenizer.get_vocab_size())
    network = Network(shape)
    network.load_state_dict(torch.load(args.state / "state.pt")["network"])
    add_outliers(network, SEED)
    write(network, shape, tokenizer, args.out)
    print(f"{args.out}: {args.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
