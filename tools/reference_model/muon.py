"""Muon for many small matrices on a CPU: momentum, orthogonalized by a Newton-Schulz iteration.

After Keller Jordan's description (https://kellerjordan.github.io/posts/muon/). torch.optim.Muon takes the matrices one
by one; 42 matrices of 256 rows in 15 products each then cost more than the training step itself. Here all matrices of
one shape go through each product together.
"""

from __future__ import annotations

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
STEPS = 5


def orthogonalize(matrices: Tensor) -> Tensor:
    """Roughly the nearest semi-orthogonal matrices: all singular values near 1. ``[n, rows <= columns, columns]``."""
    a, b, c = COEFFICIENTS
    x = matrices.bfloat16()
    x = x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)
    for _ in range(STEPS):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.float()


class Muon(torch.optim.Optimizer):
    """Muon over matrices, grouped by shape; tall ones are handled transposed."""

    def __init__(self, matrices: list[Tensor], rate: float, momentum: float = 0.95, decay: float = 0.01) -> None:
        super().__init__(matrices, {"lr": rate, "momentum": momentum, "decay": decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]  # noqa: ARG002
        """Apply one update; every parameter must have a gradient."""
        for group in self.param_groups:
            by_shape: dict[tuple[int, int], list[Tensor]] = {}
            for parameter in group["params"]:
                rows, columns = parameter.shape
                by_shape.setdefault((min(rows, columns), max(rows, columns)), []).append(parameter)
            for (rows, columns), parameters in by_shape.items():
                updates = orthogonalize(torch.stack([self._nesterov(p, group["momentum"]) for p in parameters]))
                # The size of an Adam update: its root mean square is about 0.2.
                rate = group["lr"] * 0.2 * max(rows, columns) ** 0.5
                for parameter, update in zip(parameters, updates, strict=True):
                    parameter.mul_(1 - group["lr"] * group["decay"])
                    parameter.sub_(update if parameter.shape[0] <= parameter.shape[1] else update.mT, alpha=rate)

    def _nesterov(self, parameter: Tensor, momentum: float) -> Tensor:
        """The look-ahead momentum of one parameter, rows <= columns."""
        assert parameter.grad is not None
        state = self.state[parameter]
        if "average" not in state:
            state["average"] = torch.zeros_like(parameter)
        average: Tensor = state["average"]
        average.lerp_(parameter.grad, 1 - momentum)
        ahead = parameter.grad.lerp(average, momentum)
        return ahead if ahead.shape[0] <= ahead.shape[1] else ahead.mT
