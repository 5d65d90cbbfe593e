"""The bundled model's network: Llama as llama.cpp computes it, small enough to read at one sitting.

RMSNorm before each block, rotary positions on interleaved pairs (llama.cpp's NORM type), SwiGLU, untied output.
Every row width is a multiple of 256, so every k-quant applies to every matrix.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of the network."""

    vocabulary: int = 1024
    width: int = 256
    layers: int = 6
    heads: int = 4
    feed_forward: int = 768
    context: int = 2048
    rope_base: float = 10_000.0
    norm_epsilon: float = 1e-5


def rotary_table(shape: Shape) -> Tensor:
    """cos and sin of every position and frequency, ``[2, context, head // 2]``."""
    head = shape.width // shape.heads
    frequency = shape.rope_base ** (-torch.arange(0, head, 2).float() / head)
    angle = torch.outer(torch.arange(shape.context).float(), frequency)
    return torch.stack((angle.cos(), angle.sin()))


def rotate(x: Tensor, table: Tensor) -> Tensor:
    """Turn each pair (2i, 2i+1) of ``x [batch, heads, time, head]`` by its position's angle."""
    cos, sin = table[:, : x.shape[-2]].to(x.dtype)
    even, odd = x[..., 0::2], x[..., 1::2]
    return torch.stack((even * cos - odd * sin, even * sin + odd * cos), dim=-1).flatten(-2)


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and around a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads = shape.heads
        self.attn_norm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        self.attn_q = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_k = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_v = nn.Linear(shape.width, shape.width, bias=False)
        self.attn_output = nn.Linear(shape.width, shape.width, bias=False)
        self.ffn_norm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        self.ffn_gate = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_up = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.ffn_down = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor, table: Tensor) -> Tensor:
        """``[batch, time, width]`` to the same."""
        batch, time, width = x.shape
        h = self.attn_norm(x)
        q, k, v = (
            layer(h).view(batch, time, self.heads, -1).transpose(1, 2)
            for layer in (self.attn_q, self.attn_k, self.attn_v)
        )
        mixed = functional.scaled_dot_product_attention(rotate(q, table), rotate(k, table), v, is_causal=True)
        x = x + self.attn_output(mixed.transpose(1, 2).reshape(batch, time, width))
        h = self.ffn_norm(x)
        return x + self.ffn_down(functional.silu(self.ffn_gate(h)) * self.ffn_up(h))


class Network(nn.Module):
    """Token ids ``[batch, time]`` to logits ``[batch, time, vocabulary]``. Module names follow GGUF's tensor names."""

    table: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.token_embd = nn.Embedding(shape.vocabulary, shape.width)
        self.blk = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.output_norm = nn.RMSNorm(shape.width, shape.norm_epsilon)
        self.output = nn.Linear(shape.width, shape.vocabulary, bias=False)
        self.register_buffer("table", rotary_table(shape), persistent=False)
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("attn_output.weight", "ffn_down.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * shape.layers) ** 0.5 if residual else 0.02)

    def forward(self, tokens: Tensor) -> Tensor:
        """``[batch, time]`` to ``[batch, time, vocabulary]``."""
        x = self.token_embd(tokens)
        for block in self.blk:
            x = block(x, self.table)
        logits: Tensor = self.output(self.output_norm(x))
        return logits
