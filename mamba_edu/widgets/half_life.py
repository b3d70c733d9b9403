"""`HalfLife`, the contributors' example: after how many steps is half of a state gone?"""

import math

import torch
from traitlets import default

from ..scan import selective_scan
from ._figure import LiveFigure
from ._traits import Number, Whole

STEPS = 70


class HalfLife(LiveFigure):
    """One number of state that starts at 1 and hears nothing new (u = 0).

        h_t = exp(delta A) h_{t-1}, h_0 = 1 (Mamba eq. 2a)

    delta: the step, 0.01 to 1. A: the rate, -4 to -1. guess: the reader's, 0 to 70
    steps; -1 is none yet.
    """

    name = "half-life"
    delta = Number(0.05, 0.01, 1)
    A = Number(-1, -4, -1)
    guess = Whole(-1, -1, STEPS)

    @default("question")
    def _default_question(self):
        return "After how many steps is half of the state gone?"

    def data(self):
        """What is drawn, float64.

        h: (71), what is left after 0 to 70 steps. half: (), when it is 0.5.
        """
        one = torch.ones(1, STEPS, 1, dtype=torch.float64)  # (b, l, d), (b, l, n)
        A, h0 = one.new_full((1, 1), self.A), one.new_ones(1, 1, 1)
        delta = self.delta * one
        h = selective_scan(0 * one, delta, A, one, one, h0=h0, backend="reference")
        half = one.new_tensor(math.log(2) / (self.delta * -self.A))
        return {"h": torch.cat([h0, h], dim=1).flatten(), "half": half}

    def still(self):
        from ..plots.still_half_life import half_life_still

        return half_life_still(self.data(), self.delta, self.A)
