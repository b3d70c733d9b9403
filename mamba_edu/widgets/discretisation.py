"""`Discretisation`, the figure of chapter 3: where a rule and a step take an eigenvalue, what the samples do there."""

import torch
from traitlets import default

from ..discretize import discretize_bilinear, discretize_euler, discretize_zoh
from ..lti import lti_recurrence
from ._figure import LiveFigure
from ._traits import Number, Whole, Word

SECONDS = 10.0  # what is drawn of the time
POINTS = 401  # of the curves that do not depend on the step
LONGEST = 2.0  # step
GUESSES = 40  # equal parts of LONGEST
RULES = {"zoh": discretize_zoh, "bilinear": discretize_bilinear, "euler": discretize_euler}


class Discretisation(LiveFigure):
    """One direction of a state, eigenvalue lambda = re + i im, left alone from 1 on; seen at all times and in steps.

        h(s) = exp(lambda s), and h_t = A_bar h_{t-1} with A_bar = exp(delta lambda) (ZOH, Mamba eq. 4),
        (1 + delta lambda / 2) / (1 - delta lambda / 2) (bilinear, S4 eq. 3) or 1 + delta lambda (Euler)

    It starts at 1 and hears nothing (u = 0): so B has no part in it, the samples are the powers of A_bar, and they fade
    if and only if A_bar lies in the unit disc. After a step of u they would run to -B / A instead, and hide it.

    re: per second, -4 to 0.5. im: radians per second, 0 to 5; a real system has the mirror image, too. delta: the step
    in seconds, 0.05 to 2. method: "zoh", "bilinear" or "euler". guess: the reader's, the step from which Euler's
    samples grow, in twentieths of a second, 0 to 40; -1 is none yet.
    """

    name = "discretisation"
    re = Number(-0.5, -4, 0.5)
    im = Number(2.0, 0, 5)
    delta = Number(0.3, 0.05, LONGEST)
    method = Word("euler", tuple(RULES))
    guess = Whole(-1, -1, GUESSES)

    @default("question")
    def _default_question(self):
        return "From which step on does Euler’s rule make a dying wave explode?"

    def data(self):
        """What is drawn, float64; l = floor(10 / delta).

        pole: (2), A_bar, its real and its imaginary part. h: (l + 1, 2), the samples, from h_0 = 1 on. true: (401), the
        real part of h(s), s = 0 to 10 s. wave: (401), the slowest wave through the real parts of all samples,
        |A_bar|^(s / delta) cos(|arg A_bar| s / delta). size, euler: (81), |A_bar| at the steps 0 to 2 s by this rule
        and by Euler's. holds: (), the longest step, 2 at most, at which Euler's samples do not grow.
        """
        rate = torch.tensor([complex(self.re, self.im)], dtype=torch.complex128)  # (1)
        pole = _factor(self.method, torch.tensor(self.delta, dtype=torch.float64), rate)
        one, silence = torch.ones(1, 1, dtype=pole.dtype), torch.zeros(1, int(SECONDS / self.delta + 1e-9), 1).double()
        h = lti_recurrence(silence, pole * one, one, one, h0=one[None])  # (1, l, 1)
        s = torch.linspace(0, SECONDS, POINTS, dtype=torch.float64)
        steps = torch.linspace(0, LONGEST, 2 * GUESSES + 1, dtype=torch.float64)
        return {
            "pole": torch.view_as_real(pole),
            "h": torch.view_as_real(torch.cat([one[0], h.flatten()])),
            "true": torch.exp(rate * s).real,
            "wave": pole.abs() ** (s / self.delta) * torch.cos(pole.angle().abs() * s / self.delta),
            "size": _factor(self.method, steps, rate).abs(),
            "euler": _factor("euler", steps, rate).abs(),
            "holds": s.new_tensor(self._holds()),
        }

    def _holds(self):
        """|1 + delta lambda| <= 1, solved for delta."""
        if self.re == self.im == 0:
            return LONGEST
        return min(LONGEST, max(0.0, -2 * self.re / (self.re**2 + self.im**2)))

    def still(self):
        from ..plots.still_discretisation import discretisation_still

        return discretisation_still(self.data(), complex(self.re, self.im), self.delta, self.method)


def _factor(method, delta, rate):
    """A_bar at each step. delta: (...), rate: (1). Returns (...)."""
    return RULES[method](delta, rate, torch.ones_like(rate))[0][..., 0]
