"""AdamW for embeddings, convolutions and norms; Muon for the matrices of the layers.

Muon as in torch.optim.Muon, with two differences that matter on a CPU without bfloat16 units: the
Newton-Schulz iteration runs in float32, and the processes of a run share the matrices out among
themselves. Muon: https://kellerjordan.github.io/posts/muon/
"""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)
_ITERATIONS = 5
_ADAMW_RMS = 0.2
_ADAMW_SHARE = 0.7


class Muon(torch.optim.Optimizer):
    """Momentum whose update is made orthogonal; scaled so that AdamW's rates and decay fit."""

    def __init__(
        self, params: list[dict[str, Any]], lr: float, rank: int = 0, world: int = 1
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": 0.95, "weight_decay": 0.02})
        self._rank, self._world = rank, world

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # noqa: ARG002 - the signature of every optimizer
        """One update; all processes must call it with the same gradients."""
        for group in self.param_groups:
            parameters = [p for p in group["params"] if p.grad is not None]
            for parameter in parameters:
                state = self.state[parameter]
                if "momentum" not in state:
                    state["momentum"] = torch.zeros_like(parameter)
                state["momentum"].lerp_(parameter.grad, 1 - group["momentum"])
            for parameter, update in zip(
                parameters, self._updates(parameters, group["momentum"]), strict=True
            ):
                scale = _ADAMW_RMS * max(parameter.shape) ** 0.5
                parameter.mul_(1 - group["lr"] * group["weight_decay"])
                parameter.add_(update, alpha=-group["lr"] * scale)

    def _updates(self, parameters: list[Tensor], momentum: float) -> list[Tensor]:
        updates: list[Tensor] = []
        for index, parameter in enumerate(parameters):
            if index % self._world == self._rank and parameter.grad is not None:
                ahead = parameter.grad.lerp(self.state[parameter]["momentum"], momentum)
                updates.append(orthogonal(ahead))
            else:
                updates.append(torch.zeros_like(parameter))
        if self._world == 1:
            return updates
        flat = torch.cat([update.flatten() for update in updates])
        dist.all_reduce(flat)
        pieces = flat.split([update.numel() for update in updates])
        return [piece.view_as(update) for piece, update in zip(pieces, updates, strict=True)]


def orthogonal(matrix: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrix, roughly (singular values 0.7 to 1.2)."""
    a, b, c = _NEWTON_SCHULZ
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.t() if tall else matrix
    x = x / x.norm().clamp(min=1e-7)
    for _ in range(_ITERATIONS):
        gram = x @ x.t()
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.t() if tall else x


def make(
    model: nn.Module, rate: float, rank: int = 0, world: int = 1, kind: str = "muon"
) -> list[torch.optim.Optimizer]:
    """Optimizers of a model; every group's `scale` multiplies the scheduled rate."""
    inner = [
        parameter
        for name, parameter in model.named_parameters()
        if kind == "muon" and name.startswith(("enc.", "dec.")) and parameter.ndim == 2
    ]
    taken = {id(parameter) for parameter in inner}
    rest = [parameter for parameter in model.parameters() if id(parameter) not in taken]
    scale = _ADAMW_SHARE if inner else 1.0
    groups = [
        {"params": [p for p in rest if p.ndim > 1], "weight_decay": 0.02, "scale": scale},
        {"params": [p for p in rest if p.ndim <= 1], "weight_decay": 0.0, "scale": scale},
    ]
    made: list[torch.optim.Optimizer] = [
        torch.optim.AdamW(groups, lr=rate, betas=(0.9, 0.98), fused=True)
    ]
    if inner:
        made.append(Muon([{"params": inner, "scale": 1.0}], rate, rank, world))
    return made
