"""Layers whose rates must not be rounded: what S6 and the layers of S4 share."""

import torch
from torch import nn


class ExactModule(nn.Module):
    """Keeps some of its parameters in float32, and the notes on them, through casts, moves and copies.

    A subclass says which in `_exact()`, and in `_mark()` what it notes on its parameters for whoever trains it.
    `.to(torch.bfloat16)` and `.half()` pass by what `_exact` names: rounding a rate is felt again at every step.
    """

    def _exact(self):
        return ()

    def _mark(self):
        pass

    def __setstate__(self, state):
        super().__setstate__(state)
        self._mark()  # deepcopy copies a parameter without its marks

    def _apply(self, fn, recurse=True):
        kept = {name: self._parameters[name].detach() for name in self._exact()}
        super()._apply(fn, recurse)
        for name, value in kept.items():
            parameter = self._parameters[name]
            if parameter.dtype in (torch.bfloat16, torch.float16):
                parameter.data = value.to(parameter.device, torch.float32)
        self._mark()
        return self
