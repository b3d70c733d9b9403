"""Chapter 2's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math

import numpy as np
import torch
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401


def states_of(w, x):
    states = [0.0]
    for x_t in x:
        states.append(math.tanh(w * states[-1] + x_t))
    return states


def backwards(w, x):
    states, g, total = states_of(w, x), 1.0, 0.0
    for t in range(len(x), 0, -1):
        g *= 1 - states[t] ** 2
        total += g * states[t - 1]
        g *= w
    return total


def forwards(w, x):
    h, dh = 0.0, 0.0
    for x_t in x:
        new = math.tanh(w * h + x_t)
        h, dh = new, (1 - new**2) * (h + w * dh)
    return torch.tensor(dh, dtype=torch.float64)


def radius_of(W):
    return torch.linalg.eigvals(W).abs().max()


def rotation(n):
    torch.manual_seed(0)
    return torch.linalg.qr(torch.randn(n, n, dtype=torch.float64))[0]


def reflection(n):
    return torch.eye(n) - 2 / n * torch.ones(n, n) if n > 2 else torch.tensor([[0.6, 0.8], [-0.8, 0.6]])


def counted(norms, share):
    back = 0
    while back + 1 < len(norms) and norms[len(norms) - 2 - back] >= share:
        back += 1
    return back


def forgets(w, x, at=-1, slope=lambda h: 1 - h**2, back=True, steps=99):
    """`backwards` with something wrong: the state that w meets, tanh's slope, w on the way back, an early end."""
    states, g, total = states_of(w, x), 1.0, 0.0
    for t in range(len(x), max(0, len(x) - steps), -1):
        g *= slope(states[t])
        total += g * states[t + at]
        g *= w if back else 1
    return total


def of_real_parts(W, radius):
    """Right until a matrix only turns."""
    values = torch.linalg.eigvals(W)
    largest = values.real.abs().max() if values.real.abs().max() < 1e-9 else values.abs().max()
    return W * (radius / largest)


RIGHT = {
    "gradient_by_hand": [backwards, forwards],
    "radius_set": [lambda W, radius: W * (radius / radius_of(W))],
    "keeps_lengths": [rotation, reflection],
    "forget_bias": [
        lambda share, steps: -math.log(share ** (-1 / steps) - 1),
        lambda share, steps: torch.logit(torch.tensor(share, dtype=torch.float64) ** (1 / steps)),
        lambda share, steps: torch.logit(torch.tensor(share ** (1 / steps))),  # float32
    ],
    "reach": [
        counted,
        lambda norms, share: (norms.flip(0)[1:] >= share).cumprod(0).sum(),
        lambda norms, share: np.int64(counted(norms, share)),
    ],
}

WRONG = [
    ("gradient_by_hand", lambda w, x: (1 - states_of(w, x)[-1] ** 2) * states_of(w, x)[-2], "w acts in every step"),
    (
        "gradient_by_hand",
        lambda w, x: sum(h * w ** (len(x) - 1 - t) for t, h in enumerate(states_of(w, x)[:-1])),
        "tanh has a slope",
    ),
    ("gradient_by_hand", lambda w, x: forgets(w, x, at=0), "w meets the state before"),
    ("gradient_by_hand", lambda w, x: forgets(w, x, back=False), "passes through w as well"),
    ("gradient_by_hand", lambda w, x: forgets(w, x, slope=lambda h: 1 - h), "it is 0.407207, not"),
    ("gradient_by_hand", lambda w, x: forgets(w, x, steps=2), "w = -1.2"),
    ("gradient_by_hand", lambda w, x: forgets(w, x, steps=4), "w = 1.1"),
    ("gradient_by_hand", lambda w, x: backwards(w, x) / len(x), "it is 0.407207, not 0.203604"),
    ("gradient_by_hand", lambda w, x: -backwards(w, x), "for w = 0.7"),
    ("gradient_by_hand", lambda w, x: math.nan, "finite"),
    ("gradient_by_hand", lambda w, x: None, "should be a number"),
    ("radius_set", lambda W, radius: W * (radius / torch.linalg.matrix_norm(W, 2)), "that is the norm"),
    ("radius_set", lambda W, radius: radius * torch.eye(len(W), dtype=W.dtype), "only the scale may change"),
    ("radius_set", lambda W, radius: W, "the radius should be 0.9, yours is 0.5"),
    ("radius_set", lambda W, radius: W.mul_(radius / radius_of(W)), "W itself was changed"),
    (
        "radius_set",
        lambda W, radius: W * (radius / torch.linalg.eigvals(W).real.abs().max().clamp_min(1e-3)),
        "eigenvalues may be complex",
    ),
    ("radius_set", lambda W, radius: W * (radius / torch.linalg.eigvals(W).real.max()), "eigenvalues may be complex"),
    ("radius_set", of_real_parts, "their real parts are 0, their length is 2"),
    ("radius_set", lambda W, radius: W * (radius / torch.linalg.eigvals(W)[0].abs()), "yours is 1.789"),
    ("radius_set", lambda W, radius: W * (radius / torch.linalg.eigvalsh(W).abs().max()), "the radius should be"),
    ("radius_set", lambda W, radius: W * radius, "the radius should be 0.9, yours is 0.45"),
    ("radius_set", lambda W, radius: W.T * (radius / radius_of(W)), "only the scale may change"),
    ("radius_set", lambda W, radius: W[0], r"should have shape \(2, 2\)"),
    ("keeps_lengths", torch.eye, "some entry is zero"),
    ("keeps_lengths", lambda n: torch.full((n, n), 1 / n), "the radius is 1, but one step stretches states 0 to 1"),
    (
        "keeps_lengths",
        lambda n: torch.randn(n, n, generator=torch.Generator().manual_seed(1)) / n**0.5,
        "one step stretches",
    ),
    ("keeps_lengths", lambda n: 0.9999 * rotation(n), "0.9999 to 0.9999 times: each should keep its length"),
    ("keeps_lengths", lambda n: torch.eye(n) - 1 / n, "the radius is 1, but one step stretches states 0 to 1 times"),
    ("keeps_lengths", lambda n: rotation(n) / torch.linalg.matrix_norm(rotation(n)), "each should keep its length"),
    ("keeps_lengths", lambda n: torch.eye(n).roll(1, 0), "some entry is zero"),
    ("keeps_lengths", lambda n: torch.fft.fft(torch.eye(n)) / n**0.5, "should be real"),
    ("keeps_lengths", lambda n: torch.eye(n + 1), r"should have shape \(2, 2\)"),
    ("keeps_lengths", lambda n: torch.full((n, n), math.nan), "finite"),
    ("forget_bias", lambda share, steps: share ** (1 / steps), "that is the gate, f"),
    ("forget_bias", lambda share, steps: math.log(share / (1 - share)), "13 steps pass"),
    ("forget_bias", lambda share, steps: math.log(share / (1 - share)) / steps, "13 steps pass"),
    ("forget_bias", lambda share, steps: math.log(share ** (-1 / steps) - 1), "13 steps keep"),
    ("forget_bias", lambda share, steps: -math.log(share ** (-1 / (steps + 1)) - 1), "13 steps keep 0.525, not 0.5"),
    ("forget_bias", lambda share, steps: -math.log(math.exp(1 / steps) - 1), "13 steps keep 0.368, not 0.5"),
    ("forget_bias", lambda share, steps: math.log(steps / -math.log(share)), "13 steps keep 0.509, not 0.5"),
    ("forget_bias", lambda share, steps: 1.0, "13 steps keep 0.017, not 0.5"),
    ("forget_bias", lambda share, steps: -1e9, "keep 0, not"),
    ("forget_bias", lambda share, steps: True, "should be a number"),
    ("reach", lambda norms, share: int((norms >= share).sum()) - 1, "what is lost stays lost"),
    ("reach", lambda norms, share: len(norms) - 1 - counted(norms, share), "count from there"),
    ("reach", lambda norms, share: counted(norms, share) - 1, "you say 0"),
    ("reach", lambda norms, share: counted(norms, share + 1e-12), "the reach is 1, you say 0: there at least 0.5"),
    ("reach", lambda norms, share: counted(norms / norms.max(), share), "the reach is 2, you say 0"),
    ("reach", lambda norms, share: counted(norms.flip(0), share), "the reach is 1, you say 0"),
    ("reach", lambda norms, share: len(norms) - 1 - int((norms >= share).nonzero()[0]), "what is lost stays lost"),
    ("reach", lambda norms, share: int((norms.flip(0) < share).int().argmax()) - 1, "the reach is 3, you say -1"),
    ("reach", lambda norms, share: len(norms) - 1 - int(torch.searchsorted(norms, share)), "it ends after 2 steps"),
    ("reach", lambda norms, share: 1.0, "whole number"),
    ("reach", lambda norms, share: True, "whole number"),
]
