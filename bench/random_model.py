"""Write a Llama of real shape with random weights: for speed and memory, where what the weights say does not matter.

``python -m bench.random_model VOCAB.gguf OUT.gguf`` makes the models of docs/benchmarks.md. The tokenizer comes from a
vocabulary-only GGUF, of which llama.cpp's sources carry several.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, NamedTuple

import gguf
import numpy as np
import typer


class Shape(NamedTuple):
    """Size of a Llama. Row widths are multiples of 256, so that every quantization applies."""

    embedding: int
    layers: int
    heads: int
    kv_heads: int
    feed_forward: int


SHAPES = {"125m": Shape(768, 12, 12, 4, 2048), "20m": Shape(256, 6, 4, 4, 768)}
CONTEXT = 8192


def write_random_model(vocab: Path, out: Path, shape: Shape, *, seed: int = 0) -> int:
    """Write the model: matrices in Q8_0, norms in F32.

    Args:
        vocab: a GGUF whose tokenizer the model gets.
        out: where to write it.
        shape: its size, without the vocabulary.
        seed: of the weights.

    Returns:
        The number of parameters.
    """
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(shape.embedding)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_rope_dimension_count(shape.embedding // shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    n_vocab = _copy_tokenizer(vocab, writer)
    writer.add_vocab_size(n_vocab)
    rng = np.random.default_rng(seed)
    parameters = 0
    for name, dimensions in _tensors(shape, n_vocab):
        parameters += int(np.prod(dimensions))
        if len(dimensions) == 1:
            writer.add_tensor(f"{name}.weight", np.ones(dimensions, np.float32))
            continue
        # Unit variance in gives unit variance out, so that activations stay in range through all layers.
        values = rng.standard_normal(dimensions, dtype=np.float32) * np.float32(dimensions[1] ** -0.5)
        kind = gguf.GGMLQuantizationType.Q8_0
        writer.add_tensor(f"{name}.weight", gguf.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return parameters


def _tensors(shape: Shape, n_vocab: int) -> Iterator[tuple[str, tuple[int, ...]]]:
    """Name and dimensions of every tensor, rows first."""
    width, hidden = shape.embedding, shape.feed_forward
    kv_width = width // shape.heads * shape.kv_heads
    yield "token_embd", (n_vocab, width)
    for layer in range(shape.layers):
        for name, dimensions in (
            ("attn_norm", (width,)),
            ("attn_q", (width, width)),
            ("attn_k", (kv_width, width)),
            ("attn_v", (kv_width, width)),
            ("attn_output", (width, width)),
            ("ffn_norm", (width,)),
            ("ffn_gate", (hidden, width)),
            ("ffn_up", (hidden, width)),
            ("ffn_down", (width, hidden)),
        ):
            yield f"blk.{layer}.{name}", dimensions
    yield "output_norm", (width,)
    yield "output", (n_vocab, width)


def _copy_tokenizer(vocab: Path, writer: gguf.GGUFWriter) -> int:
    """Copy all fields of a tokenizer; return the size of its vocabulary."""
    fields = gguf.GGUFReader(vocab).fields
    for name, field in fields.items():
        if name.startswith("tokenizer."):
            element = field.types[-1] if len(field.types) > 1 else None
            writer.add_key_value(name, field.contents(), field.types[0], element)
    return len(fields["tokenizer.ggml.tokens"].data)


app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def main(
    vocab: Annotated[Path, typer.Argument(help="GGUF file to take the tokenizer from", exists=True, dir_okay=False)],
    out: Annotated[Path, typer.Argument(help="GGUF file to write")],
    shape: Annotated[str, typer.Option(help=f"size: {' or '.join(SHAPES)}")] = "125m",
    seed: Annotated[int, typer.Option(help="seed of the weights")] = 0,
) -> None:
    """Write a Llama with random Q8_0 weights over the vocabulary of another GGUF file."""
    if shape not in SHAPES:
        raise typer.BadParameter(f"{shape!r} is not one of {', '.join(SHAPES)}", param_hint="--shape")
    try:
        parameters = write_random_model(vocab, out, SHAPES[shape], seed=seed)
    except (OSError, ValueError, KeyError) as error:  # the last two: what gguf says of another kind of file
        raise typer.BadParameter(f"{error}; VOCAB must be a GGUF with a tokenizer, OUT a new file.") from error
    print(f"{out}: {parameters / 1e6:.0f} million parameters, {out.stat().st_size / 2**20:.0f} MiB")


if __name__ == "__main__":
    app(prog_name="python -m bench.random_model")
