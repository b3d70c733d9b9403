"""Chapter 6's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math

import torch
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401
from torch.nn.functional import softplus

from mamba_edu import checks


def is_lti(f, l, *, shift=True, add=True, tolerance=1e-4):
    generator = torch.Generator().manual_seed(0)
    u, v = torch.randn(2, l, generator=generator, dtype=torch.float64)
    same = True
    if add:
        same = same and torch.allclose(f(u + 2 * v), f(u) + 2 * f(v), atol=tolerance, rtol=0)
    for k in range(1, l) if shift else ():
        late = torch.cat([torch.zeros(k, dtype=u.dtype), u[:-k]])
        same = same and torch.allclose(f(late)[k:], f(u)[:-k], atol=tolerance, rtol=0)
    return same


def zoh_write(delta, A, B):
    x = torch.where(A == 0, -1.0, A)
    return torch.where(A == 0, delta * B, torch.expm1(delta * x) / x * B)


RIGHT = {
    "step_for_memory": [
        lambda kept, steps, A: math.log(kept) / (steps * A),
        lambda kept, steps, A: torch.tensor(-math.log(kept) / steps / abs(A), dtype=torch.float64),
    ],
    "gate": [
        lambda r, n: 1 - torch.sigmoid(-r) ** n,
        lambda r, n: 1 - torch.exp(-n * softplus(r)),
        lambda r, n: -torch.expm1(-n * torch.log1p(torch.exp(r))),
    ],
    "time_invariant": [is_lti, lambda f, l: torch.tensor(is_lti(f, l))],
    "bracket_rule": [
        lambda byte: 5.0 if byte in b"[]" else 0.002,
        lambda byte: torch.tensor(3.0 if byte in (91, 93) else 1e-6),
    ],
    "zoh_write": [
        zoh_write,
        lambda delta, A, B: torch.where(A == 0, delta, torch.expm1(delta * A) / torch.where(A == 0, 1, A)) * B,
    ],
}

WRONG = [
    ("step_for_memory", lambda kept, steps, A: -math.log(kept) / (steps * A), "a step is positive"),
    ("step_for_memory", lambda kept, steps, A: math.log(kept) / A, "each of them keeps its share"),
    ("step_for_memory", lambda kept, steps, A: -math.log(kept) / steps, "a faster rate needs a shorter step"),
    ("step_for_memory", lambda kept, steps, A: math.log2(kept) / (steps * A), "natural logarithm"),
    ("step_for_memory", lambda kept, steps, A: (1 - kept) / (steps * -A), "leave 0.905, not 0.9"),
    ("step_for_memory", lambda kept, steps, A: math.nan, "finite"),
    ("step_for_memory", lambda kept, steps, A: True, "should be a number"),
    ("step_for_memory", lambda kept, steps, A: 1j, "real number"),
    ("gate", lambda r, n: torch.sigmoid(-r) ** n, "what is kept, 1 - g"),
    ("gate", lambda r, n: torch.sigmoid(r), "where is n"),
    ("gate", lambda r, n: torch.sigmoid(r) ** n, "raised to the power"),
    ("gate", lambda r, n: n * torch.sigmoid(r), "your gate is"),
    ("gate", lambda r, n: torch.sigmoid(r)[:3], "shape"),
    ("gate", lambda r, n: r * math.nan, "NaN"),
    ("time_invariant", lambda f, l: True, "a gain that grows with t"),
    ("time_invariant", lambda f, l: False, "a decaying kernel is linear"),
    ("time_invariant", lambda f, l: is_lti(f, l, shift=False), "a gain that grows with t"),
    ("time_invariant", lambda f, l: is_lti(f, l, add=False), "a square"),
    ("time_invariant", lambda f, l: is_lti(f, l, tolerance=0.0), "rounding"),
    ("time_invariant", lambda f, l: 1, "True or False"),
    ("bracket_rule", lambda byte: 0.1, "one step for all bytes"),
    ("bracket_rule", lambda byte: 5.0 if byte in b"[]" else -1.0, "a step is positive"),
    ("bracket_rule", lambda byte: 5.0 if byte in b"[]" else 0.2, "while the link is open"),
    ("bracket_rule", lambda byte: 5.0 if byte in b"[" else 0.002, "once the link is closed"),
    ("bracket_rule", lambda byte: None, "should be a number"),
    ("zoh_write", lambda delta, A, B: delta * B, "Mamba's delta B"),
    ("zoh_write", lambda delta, A, B: torch.expm1(delta * A) / A * B, "0 by 0"),
    ("zoh_write", lambda delta, A, B: torch.where(A == 0, B, torch.expm1(delta * A) / A * B), "the limit is delta B"),
    (
        "zoh_write",
        lambda delta, A, B: torch.where(A == 0, delta, (torch.exp(delta * A) - 1) / A) * B,
        "torch.expm1(x) keeps them",
    ),
    ("zoh_write", lambda delta, A, B: zoh_write(delta, A, B) * 1.01, "values are off, by 1.0%"),
    ("zoh_write", lambda delta, A, B: zoh_write(delta, A, B)[0], "shape"),
]


def test_an_answer_may_change_what_it_is_given():
    def write(delta, A, B):
        y = zoh_write(delta.clone(), A.clone(), B.clone())
        for x in (delta, A, B):
            x.zero_()
        return y

    assert checks.check_zoh_write(write)
