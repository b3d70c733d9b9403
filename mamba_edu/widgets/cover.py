"""`Cover`, the figure of the book's first page: one step for every byte keeps the bracket only with everything else."""

import torch
from traitlets import default

from ..plots import cover as drawn
from ..scan import selective_scan
from ._figure import LiveFigure
from ._traits import Number, Whole


class Cover(LiveFigure):
    """Sixty-six bytes of enwik8 in two layers of 22 states, a state for each letter and one for the bracket.

        h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t, with A = -1 (Mamba eq. 2a)

    u is 1 in the byte's own channel, else 0; a bracket counts when it is the second of a pair. In the first layer a
    rule set by hand reads the byte: from `[[` on everything is written and 0.99 of it kept, the second `]` clears,
    outside the link nothing is written. In the second, delta and B are the same for every byte. delta B = 1 where
    something is written, so that a byte enters at height 1.

    step: the last byte that has come in, 0 to 65; -1 is the last of all. keep: 0.5 to 0.999, how much of each state the
    fixed step leaves at every byte, exp(-delta).
    """

    name = "cover"
    step = Whole(drawn.STEP, -1, len(drawn.WIDE) - 1)
    keep = Number(drawn.FIXED, 0.5, 0.999)

    @default("question")
    def _default_question(self):
        return "Can a fixed step keep only the bracket?"

    def data(self):
        """What is drawn, float64; l = 66 bytes, d = 22 states, of the two layers the one that selects comes first:

        bytes, letters: (l), the latter how many letters outside the link have come in. u: (l, d). delta, B: (2, l).
        h: (2, l, d), from zero. bracket, outside: (2, l), what is left of the bracket, and of all letters outside the
        link, summed; every letter counts 1 when it comes in.
        """
        text, rows = drawn.WIDE, drawn.channels(drawn.WIDE)
        u = torch.tensor(drawn.one_hot(text, rows), dtype=torch.float64)  # (l, d)
        rules = drawn.selective_rule(text), drawn.fixed_rule(text, self.keep)
        delta, B = (torch.tensor([rule[i].tolist() for rule in rules], dtype=torch.float64) for i in (0, 1))  # (2, l)
        strangers = u * torch.tensor(drawn.outside(text), dtype=torch.float64)[:, None]  # (l, d)
        h = _scan(u, delta, B)  # (2, l, d)
        return {
            "bytes": torch.tensor(list(text.encode()), dtype=torch.float64),
            "letters": strangers.sum(-1).cumsum(0),
            "u": u,
            "delta": delta,
            "B": B,
            "h": h,
            "bracket": h[..., 0],
            "outside": _scan(strangers, delta, B).sum(-1),
        }

    def still(self):
        return drawn.CoverPicture(self.step if self.step >= 0 else len(drawn.WIDE) - 1, self.keep)


def _scan(u, delta, B):
    """u: (l, d), the same for every layer; delta, B: (layers, l). Returns h: (layers, l, d)."""
    layers, l = delta.shape
    u = u.expand(layers, *u.shape)  # (layers, l, d)
    A = -u.new_ones(u.shape[-1], 1)  # (d, 1)
    return selective_scan(
        u, delta[..., None].expand_as(u), A, B[..., None], u.new_ones(layers, l, 1), backend="reference"
    )
