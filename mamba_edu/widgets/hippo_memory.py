"""`HippoMemory`: which part of the past do n numbers of state keep, and how well?"""

import math

import torch
from traitlets import default

from ..discretize import discretize_bilinear
from ..hippo import hippo_legs, s4d_real
from ._figure import LiveFigure
from ._traits import Number, Whole, Word

SAMPLES = 128
SIGNALS = ("chirp", "step", "bumps", "bracket")
MATRICES = ("legs", "fixed", "real", "random")
PRECISION = 1e-3  # each number of the state is read to three digits of its typical size
_SEED = 165  # every size from 1 to 64 is stable with it


class HippoMemory(LiveFigure):
    """A state of n numbers reads 128 samples; least squares reads the past back from the state.

    signal: "chirp", slow at first and ever faster; "step", 0 and from sample 40 on 1; "bumps", two of them; "bracket",
    1 at samples 12 and 13, where "[[" stands. matrix: "legs", HiPPO's own memory h' = (A h + B u) / t; "fixed", the
    same A and B not divided by t, as S4 begins; "real", S4D-Real, A = -1 ... -n on the diagonal and B = 1; "random",
    entries of variance 1, shifted until stable. n: the numbers of the state, 1 to 64. delta: the step from one sample
    to the next, 0.01 to 0.1; "legs" has none. time: the last sample that has come in, -1 for the end. guess: the
    quarter of the past, 0 the oldest to 3 the newest, that the reader expects to be read back worst; -1 is none yet.
    """

    name = "hippo-memory"
    signal = Word("chirp", SIGNALS)
    matrix = Word("legs", MATRICES)
    n = Whole(16, 1, 64)
    delta = Number(0.03, 0.01, 0.1)
    time = Whole(SAMPLES - 1, -1, SAMPLES - 1)
    guess = Whole(-1, -1, 3)

    @default("question")
    def _default_question(self):
        return "A few numbers must stand for 128 samples. Which part of the past do they lose?"

    def data(self):
        """What is drawn, float64, with t + 1 samples of the past at time t.

        u: (128), the signal. states: (128, n), after each sample. weights: (t + 1, n), the state at t as sums of the
        past, h[t] = weights^T u. history: (t + 1), what `read_back` makes of h[t]; kept: (t + 1), how much of each
        sample comes back. errors, shares: (4), by quarter, oldest first: the root mean square of history - u, the sum
        of kept.
        """
        t = self.time % SAMPLES
        u = signal(self.signal)
        states, weights = _run(u, *_steps(self.matrix, self.n, self.delta), t)
        history, kept = read_back(weights, states[t])
        square = (history - u[: t + 1]) ** 2
        quarters = [range(-(-q * (t + 1) // 4), -(-(q + 1) * (t + 1) // 4)) for q in range(4)]
        errors = torch.stack([square[list(q)].sum() / max(1, len(q)) for q in quarters]).sqrt()
        shares = torch.stack([kept[list(q)].sum() for q in quarters])
        arrays = {"u": u, "states": states, "weights": weights, "history": history, "kept": kept}
        return {**arrays, "errors": errors, "shares": shares}

    def still(self):
        from ..plots.still_hippo_memory import hippo_memory_still

        return hippo_memory_still(self.data(), self.signal, self.matrix, self.delta)


def signal(name):
    """One of SIGNALS, (128) float64."""
    s = torch.arange(SAMPLES, dtype=torch.float64)
    if name == "step":
        return (s >= 40).double()
    if name == "bracket":
        return ((s >= 12) & (s < 14)).double()
    if name == "bumps":
        return torch.exp(-(((s - 30) / 8) ** 2) / 2) + 0.7 * torch.exp(-(((s - 95) / 8) ** 2) / 2)
    x = s / SAMPLES
    return torch.cos(2 * math.pi * (x + 3.5 * x * x))  # from 1 to 8 turns in 128 samples


def read_back(weights, h, precision=PRECISION):
    """The past that a linear state stands for, by one rule for every memory: least squares, a little regularised.

    weights: (m, n), h = weights^T past. h: (n). Of all pasts (m) this is the one with the smallest
    |past|^2 + |misfit|^2 / precision^2. The misfit of each number of the state is counted in its typical size, the root
    of the sum of its squared weights, or a millionth of the largest such size where that is more: what is smaller may
    be the rounding of a zero. So a number is believed to three digits, and what the state can't tell from zero comes
    back as zero. Returns (history, kept), (m) each: kept[s] is how much of a lone 1 at s comes back at s, 0 to 1.
    """
    size = weights.norm(dim=0)  # (n)
    size = size.clamp(min=1e-6 * size.max().item() or 1.0)
    U, S, V = torch.linalg.svd(weights / size, full_matrices=False)  # (m, k), (k), (k, n)
    known = S**2 + precision**2
    return U @ (S / known * (V @ (h / size))), U**2 @ (S**2 / known)


def _system(matrix, n):
    """A (n, n) and B (n, 1) of one of MATRICES."""
    if matrix in ("legs", "fixed"):
        return hippo_legs(n)
    if matrix == "real":
        return torch.diag(s4d_real(n)), torch.ones(n, 1, dtype=torch.float64)
    drawn = _draws(n * n + n)
    shift = (1 + math.sqrt(n)) * torch.eye(n, dtype=torch.float64)  # the entries' eigenvalues fill a disc of sqrt(n)
    return drawn[: n * n].reshape(n, n) - shift, drawn[n * n :, None]


def _draws(count):
    """Evenly between ±sqrt(3), of variance 1, by Park and Miller's generator: the same draws in the page."""
    x, values = _SEED, []
    for _ in range(count + 8):
        x = x * 48271 % 2147483647
        values.append(2 * x / 2147483647 - 1)
    return math.sqrt(3) * torch.tensor(values[8:], dtype=torch.float64)


def _steps(matrix, n, delta):
    """A_bar (128, n, n) and B_bar (128, n, 1), sample by sample, by the trapezoid rule; `legs_memory`'s for "legs"."""
    A, B = _system(matrix, n)
    k = torch.arange(SAMPLES, dtype=torch.float64)
    steps = 1 / (k + 0.5) if matrix == "legs" else torch.full_like(k, delta)
    if n == 1:  # one number is a diagonal system
        A_bar, B_bar = discretize_bilinear(steps, A[0], B[0])
        return A_bar[..., None], B_bar[..., None]
    return discretize_bilinear(steps, A, B)


def _run(u, A_bar, B_bar, t):
    """States (128, n) of the recurrence h_k = A_bar_k h_{k-1} + B_bar_k u_k, and the weights (t + 1, n) of h_t."""
    h, states, columns = torch.zeros_like(B_bar[0, :, 0]), [], B_bar[0, :, :0]
    for k, (keep, write) in enumerate(zip(A_bar, B_bar)):
        h = keep @ h + write[:, 0] * u[k]  # (n)
        states.append(h)
        if k <= t:
            columns = torch.cat([keep @ columns, write], dim=1)  # (n, k + 1)
    return torch.stack(states), columns.mT
