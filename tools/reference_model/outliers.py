"""Outlier channels, which large language models have and small ones lack.

Trained as it is, the model shrugs quantization off: at Q2_K it loses 4 points on sums and on comparisons of ages, and
nothing anywhere else. What makes large models fragile are channels of very different size, since one scale serves a
whole block of weights. Here channels are scaled by random factors and the matrices that read them by the inverse, so
that the function stays the same (SmoothQuant, Xiao et al. 2022, does this in the other direction to make models less
fragile). docs/bundled-model.md has the figures before and after.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tools.reference_model.network import Network

SPREAD = 0.5
"""Standard deviation of the factors' natural logarithm. 0.4: Q2_K loses 11 points; 0.5: 33; 0.7: everything."""


@torch.no_grad()
def add_outliers(network: Network, seed: int) -> None:
    """Rescale channels in place; the network computes what it computed before."""
    generator = torch.Generator().manual_seed(seed)

    def scale(channels: Tensor, readers: list[nn.Linear]) -> None:
        """Entries or rows of ``channels`` times the factors, columns of what reads them divided by the same."""
        factors = torch.exp(SPREAD * torch.randn(channels.shape[0], generator=generator))
        channels.mul_(factors.view(-1, *[1] * (channels.dim() - 1)))
        for reader in readers:
            reader.weight.div_(factors)

    for block in network.blk:
        scale(block.attn_norm.weight, [block.attn_q, block.attn_k, block.attn_v])
        scale(block.attn_v.weight, [block.attn_output])
        scale(block.ffn_norm.weight, [block.ffn_gate, block.ffn_up])
        scale(block.ffn_up.weight, [block.ffn_down])
    scale(network.output_norm.weight, [network.output])
