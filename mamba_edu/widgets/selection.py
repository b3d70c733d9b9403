"""`Selection`, the figure of chapter 6: what a step that looks at its byte keeps, and what a fixed one loses."""

import torch
from torch.nn.functional import softplus
from traitlets import default

from ..discretize import discretize_mixed
from ..scan import selective_scan
from ._figure import LiveFigure
from ._text_marks import TextMarks
from ._traits import Bytes, Flag, Number, Whole

MOST_BYTES = 24
STATES = 4  # A = -1, -2, -3, -4: state n forgets n times as fast as the first
_BRACKETS = {ord("["): 1.0, ord("]"): -1.0}


class Selection(TextMarks, LiveFigure):
    """One channel of S6 with four states over a few bytes, its delta set by two numbers.

        delta_t = softplus(weight f_t + bias), or softplus(bias) at every byte where not selective (Mamba algorithm 2)
        h_t = exp(delta_t A) h_{t-1} + delta_t u_t, with A = -1 ... -4 and B = 1 (Mamba eq. 2a)

    f_t is 1 at a bracket, else 0. u_t, the input, is 1 at `[`, -1 at `]`, else ((byte mod 7) - 3) / 6.

    text: 1 to 24 bytes of UTF-8. selective: whether delta looks at its byte. weight: -8 to 8, bias: -8 to 4.
    state: n, 1 to 4, whose matrix is shown. step: the marked t, from 0; -1 is the last. guess: the reader's, which byte
    is left at the end; -1 is none yet. Shorter text takes a step or a guess beyond its end back to -1.
    """

    name = "selection"
    text = Bytes("by [[Johann Most", most=MOST_BYTES)
    selective = Flag(False)
    weight = Number(6.0, -8, 8)
    bias = Number(-1.5, -8, 4)
    state = Whole(1, 1, STATES)
    step = Whole(-1, -1, MOST_BYTES - 1)
    guess = Whole(-1, -1, MOST_BYTES - 1)

    @default("question")
    def _default_question(self):
        return "Which byte is still in the state when the last one has come in?"

    def data(self):
        """What is drawn, float64, in the notation of the class:

        bytes, u, delta: (l). decay: (l, 4), exp(delta_t A_n). h: (l, 4), from zero. left: (l, l), the coefficient of
        u_s in h[t, n] for n = `state`, rows t, columns s; 0 where s > t. bytes are whole numbers, in float64 as well.
        """
        data = torch.tensor(list(self.text.encode("utf-8")), dtype=torch.float64)  # (l)
        sign = torch.tensor([_BRACKETS.get(int(byte), 0.0) for byte in data], dtype=torch.float64)  # (l)
        u = torch.where(sign != 0, sign, (data % 7 - 3) / 6)
        looked = self.weight * sign.abs() if self.selective else torch.zeros_like(u)
        delta = softplus(looked + self.bias)  # (l)
        A = -torch.arange(1, STATES + 1, dtype=torch.float64)  # (4)
        decay, _ = discretize_mixed(delta, A, torch.ones_like(A))  # (l, 4)
        h = _scan(u[None, :, None].expand(-1, -1, STATES), delta, A)[0]  # (l, 4)
        # one impulse a row: what the scan makes of it is its column of `left`
        impulses = torch.eye(len(u), dtype=torch.float64)[..., None]  # (l, l, 1)
        left = _scan(impulses, delta, A[self.state - 1 : self.state])[..., 0].T  # (l, l)
        return {"bytes": data, "u": u, "delta": delta, "decay": decay, "h": h, "left": left}

    def still(self):
        from ..plots.stills import selection_still

        return selection_still(self.data(), self.text, self.selective, self.weight, self.bias, self.state, self.step)


def _scan(u, delta, A):
    """u: (b, l, d), delta: (l), A: (d), one state a channel. Returns h: (b, l, d)."""
    b, l, _ = u.shape
    one = u.new_ones(b, l, 1)  # B and C
    return selective_scan(u, delta[None, :, None].expand_as(u), A[:, None], one, one, backend="reference")
