"""Adam, without what torch's optimizers import."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.optim.adam import adam


class Adam:
    """Adam (Kingma and Ba 2015, arXiv:1412.6980) by torch's fused kernel.

    The same as `torch.optim.Adam`, to the bit. That imports torch's compiler when it is made, which
    takes seconds in every process that fits.

    Parameters
    ----------
    parameters : sequence of Tensor
    gains : sequence of float
        Of each of them, the multiple of the learning rate.

    Attributes
    ----------
    state : dict of Tensor to dict of str to Tensor
        Of each parameter that has had a gradient: ``step``, ``exp_avg`` and ``exp_avg_sq``.
    """

    def __init__(self, parameters: Sequence[Tensor], gains: Sequence[float]) -> None:
        self._parameters, self._gains = list(parameters), list(gains)
        self._rates: list[float] | Tensor = list(gains)
        if self._is_on_cuda:  # where the rates are read from the device, by recorded steps as well
            device = self._parameters[0].device
            self._rates = torch.ones(len(gains), dtype=torch.float32, device=device)
            self._gains_there = torch.tensor(gains, dtype=torch.float32, device=device)
        self.state: dict[Tensor, dict[str, Tensor]] = {}

    @property
    def _is_on_cuda(self) -> bool:
        return self._parameters[0].device.type == "cuda"

    def set_learning_rate(self, rate: float) -> None:
        """Set that of the next steps; a GPU is not waited for."""
        if isinstance(self._rates, Tensor):
            torch.mul(self._gains_there, rate, out=self._rates)
        else:
            self._rates = [gain * rate for gain in self._gains]

    @torch.no_grad()
    def step(self) -> None:
        """Move all parameters that have a gradient."""
        for parameter, rate in zip(self._parameters, self._rates, strict=True):
            if parameter.grad is None:
                continue
            if parameter not in self.state:
                self.state[parameter] = {
                    "step": torch.zeros((), dtype=torch.float32, device=parameter.device),
                    "exp_avg": torch.zeros_like(parameter),
                    "exp_avg_sq": torch.zeros_like(parameter),
                }
            state = self.state[parameter]
            adam(
                [parameter],
                [parameter.grad],
                [state["exp_avg"]],
                [state["exp_avg_sq"]],
                [],
                [state["step"]],
                fused=True,
                capturable=self._is_on_cuda,
                lr=rate,
                beta1=0.9,
                beta2=0.999,
                eps=1e-8,
                weight_decay=0.0,
                amsgrad=False,
                maximize=False,
            )
