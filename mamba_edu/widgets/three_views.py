"""`ThreeViews`, the figure of chapter 4: one layer as a recurrence, as a kernel that slides, and both outputs."""

from numbers import Real

import torch
from traitlets import TraitType, default

from ..discretize import discretize_zoh
from ..lti import fft_convolution, lti_kernel, lti_recurrence
from ._figure import LiveFigure
from ._traits import Number, Whole, Word

STEPS = 24
HIGHEST = 2.0  # input
INPUTS = ("impulse", "step", "drawn")
OPENING = {0: 1.0, 10: -2.0, 13: 1.5}  # the pokes of the chapter


class Signal(TraitType):
    """A list of 24 finite numbers from -2 to 2, kept as floats; never changed in place."""

    low, high = [-HIGHEST] * STEPS, [HIGHEST] * STEPS
    info_text = f"a list of {STEPS} numbers from {-HIGHEST:g} to {HIGHEST:g}"

    def __init__(self, default):
        super().__init__(default)
        self.tag(sync=True)

    def validate(self, obj, value):
        if not isinstance(value, list | tuple) or len(value) != STEPS:
            self.error(obj, value)
        for one in value:
            if not isinstance(one, Real) or isinstance(one, bool) or not -HIGHEST <= one <= HIGHEST:
                self.error(obj, value)
        return [float(one) for one in value]


class ThreeViews(LiveFigure):
    """A system of two numbers, sampled by ZOH (Mamba eq. 4), read as a recurrence and as a convolution (S4 eq. 3, 5).

        h_t = A_bar h_{t-1} + B_bar u_t,  y_t = C h_t        and        y_t = sum_j K_j u_{t-j},  K_j = C A_bar^j B_bar

    poles: "pair", A = [[re, -im], [im, re]], B = (1, 0), or "real", A = diag(re, re2), B = (1, 1). re, re2: per second,
    -2 to 0. im: radians per second, 0 to 3. c1, c2: C, -1 to 1. delta: the step in seconds, 0.25 to 2. input:
    "impulse" (1 at step 0), "step" (1 at all 24) or "drawn", which is u: 24 numbers from -2 to 2. t: the marked step,
    0 to 23. guess: the reader's, the step at which |y| is largest, 0 to 23; -1 is none yet.
    """

    name = "three-views"
    poles = Word("pair", ("pair", "real"))
    re = Number(-0.105, -2, 0)
    im = Number(0.785, 0, 3)
    re2 = Number(-0.5, -2, 0)
    c1 = Number(0, -1, 1)
    c2 = Number(1, -1, 1)
    delta = Number(1, 0.25, 2)
    input = Word("drawn", INPUTS)
    u = Signal([OPENING.get(t, 0.0) for t in range(STEPS)])
    t = Whole(12, 0, STEPS - 1)
    guess = Whole(-1, -1, STEPS - 1)

    @default("question")
    def _default_question(self):
        return "At which step is the output furthest from zero, and does it matter who adds it up?"

    def data(self):
        """What is drawn, float64.

        heard: (24), the input. h: (24, 2), the state after each step. kernel: (24). recurrence, convolution: (24), y
        by `lti_recurrence` and by `fft_convolution`. products: (24), what each input puts into y_t, 0 after t.
        """
        A_bar, B_bar, C = self._system()
        heard = torch.tensor(self._heard(), dtype=torch.float64)
        rows = torch.eye(2, dtype=torch.float64)
        K = lti_kernel(A_bar, B_bar, C, STEPS)
        products = torch.zeros(STEPS, dtype=torch.float64)
        products[: self.t + 1] = K[: self.t + 1].flip(0) * heard[: self.t + 1]
        return {
            "heard": heard,
            "h": torch.stack([lti_recurrence(heard[None], A_bar, B_bar, row[None])[0] for row in rows], dim=1),
            "kernel": K,
            "recurrence": lti_recurrence(heard[None], A_bar, B_bar, C)[0],
            "convolution": fft_convolution(heard[None], K)[0],
            "products": products,
        }

    def _system(self):
        """A_bar (2, 2), B_bar (2, 1), C (1, 2)."""
        pair = self.poles == "pair"
        A = [[self.re, -self.im], [self.im, self.re]] if pair else [[self.re, 0.0], [0.0, self.re2]]
        A, B, C = (
            torch.tensor(x, dtype=torch.float64) for x in (A, [[1.0], [0.0 if pair else 1.0]], [[self.c1, self.c2]])
        )
        return (*discretize_zoh(self.delta, A, B), C)

    def _heard(self):
        return {"impulse": [1.0] + [0.0] * (STEPS - 1), "step": [1.0] * STEPS, "drawn": self.u}[self.input]

    def still(self):
        from ..plots.still_three_views import three_views_still

        return three_views_still(self.data(), self.t)
