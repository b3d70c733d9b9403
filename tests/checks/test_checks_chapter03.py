"""Chapter 3's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math

import torch
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401

from mamba_edu import checks, discretize_bilinear, discretize_euler


def hand(period, half_life, turn=2 * math.pi, leak=0.6931471805599453, sign=-1):
    alpha, omega = leak / half_life, turn / period
    return torch.tensor([[sign * alpha, -omega], [omega, sign * alpha]], dtype=torch.float64)


def spring(period, half_life):
    """Position and speed: the same eigenvalues, on an ellipse."""
    alpha, omega = math.log(2) / half_life, 2 * math.pi / period
    return torch.tensor([[0, 1], [-(alpha**2) - omega**2, -2 * alpha]], dtype=torch.float64)


def largest(A):
    rates = torch.linalg.eigvals(A)
    if rates.abs().min() == 0 or rates.real.max() >= 0:
        return 0
    return (-2 * rates.real / rates.abs() ** 2).min()


def by_search(A):
    """Doubling, then halving: knows no formula."""
    inside = lambda step: bool((torch.linalg.eigvals(torch.eye(len(A)) + step * A).abs() < 1).all())  # noqa: E731
    if not inside(1e-6):
        return 0.0
    low, high = 1e-6, 100.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) else (low, middle)
    return low


def of_each(f):
    """Applied to the eigenvalues, whether or not that is right."""
    return lambda A: f(torch.linalg.eigvals(A))


def ramp(delta, A):
    x = delta * A
    both, new = math.expm1(x) / A, (math.expm1(x) - x) / (A * x)
    return math.exp(x), both - new, new


def ramp_by_sums(delta, A, parts=200_000):
    """The integrals over the step as sums over its middle points."""
    s = (torch.arange(parts, dtype=torch.float64) + 0.5) / parts
    leaked = torch.exp(A * delta * (1 - s)) * delta / parts
    return math.exp(delta * A), ((1 - s) * leaked).sum(), (s * leaked).sum()


def one(A):
    return torch.eye(len(A), dtype=A.dtype)


RIGHT = {
    "half_life_rate": [
        lambda steps, delta: -math.log(2) / (steps * delta),
        lambda steps, delta: torch.tensor(math.log(0.5) / steps / delta, dtype=torch.float64),
    ],
    "bilinear_rule": [
        discretize_bilinear,
        lambda delta, A, B: [
            torch.linalg.inv(one(A) - delta / 2 * A) @ (one(A) + delta / 2 * A),
            torch.linalg.inv(one(A) - delta / 2 * A) @ B * delta,
        ],
    ],
    "largest_euler_step": [largest, by_search],
    "oscillator": [hand, spring, lambda p, t: hand(p, t).T, lambda p, t: hand(p, t).float()],
    "ramp_rule": [ramp, ramp_by_sums, lambda delta, A: [torch.tensor(v, dtype=torch.float64) for v in ramp(delta, A)]],
}

WRONG = [
    ("half_life_rate", lambda steps, delta: math.log(2) / (steps * delta), "doubles the state"),
    ("half_life_rate", lambda steps, delta: -1 / (steps * delta), "leaves 1/e"),
    ("half_life_rate", lambda steps, delta: -math.log(2) / steps, "a rate is per second"),
    ("half_life_rate", lambda steps, delta: -math.log(2) / delta, "32 steps pass"),
    ("half_life_rate", lambda steps, delta: 0.5 ** (1 / steps), "steps of 1 s leave 3.97768e+13"),
    ("half_life_rate", lambda steps, delta: (0.5 ** (1 / steps) - 1) / delta, "leave 0.503741, not 0.5"),
    (
        "half_life_rate",
        lambda steps, delta: 2 / delta * (0.5 ** (1 / steps) - 1) / (0.5 ** (1 / steps) + 1),
        "leave 0.500014, not 0.5",
    ),
    ("half_life_rate", lambda steps, delta: -math.log(2) / (steps * delta**2), "13 steps of 0.01 s leave"),
    ("half_life_rate", lambda steps, delta: math.nan, "finite"),
    ("half_life_rate", lambda steps, delta: 1j, "real number"),
    ("bilinear_rule", lambda d, A, B: ((1 + d / 2 * A) / (1 - d / 2 * A), B), "1 is the identity matrix"),
    (
        "bilinear_rule",
        lambda d, A, B: ((one(A) + d / 2 * A) / (one(A) - d / 2 * A), B),
        "1 is the identity, but you divide",
    ),
    ("bilinear_rule", lambda d, A, B: (torch.linalg.solve(one(A) - d * A, one(A) + d * A), B), "half each"),
    ("bilinear_rule", lambda d, A, B: (torch.linalg.inv(one(A) - d * A), B), "half each"),
    ("bilinear_rule", discretize_euler, "half each"),
    ("bilinear_rule", lambda d, A, B: (discretize_bilinear(-d, A, B)[0], B), "upside down"),
    ("bilinear_rule", lambda d, A, B: (discretize_bilinear(d, A, B)[0].T, B), "A_bar is transposed"),
    ("bilinear_rule", lambda d, A, B: (torch.matrix_exp(d * A), B), "A_bar is off by 14.7%"),
    ("bilinear_rule", lambda d, A, B: discretize_bilinear(d / 2, A, B), "A_bar is off by"),
    ("bilinear_rule", lambda d, A, B: discretize_bilinear(1.0, A, B), "A_bar is off by"),
    (
        "bilinear_rule",
        lambda d, A, B: (discretize_bilinear(d, A, B)[0], discretize_bilinear(d, A, B)[1] / d),
        "delta is missing",
    ),
    (
        "bilinear_rule",
        lambda d, A, B: (discretize_bilinear(d, A, B)[0], discretize_bilinear(-d, A, -B)[1]),
        "B_bar is off by",
    ),
    ("bilinear_rule", lambda d, A, B: (discretize_bilinear(d, A, B)[0], d * B), "B_bar is Euler's"),
    ("bilinear_rule", lambda d, A, B: (discretize_bilinear(d, A, B)[0], discretize_bilinear(d, A, B)[1] / 2), "again"),
    ("bilinear_rule", lambda d, A, B: (discretize_bilinear(d, A, B)[0], B), "A_bar is right, B_bar is off by"),
    ("bilinear_rule", lambda d, A, B: discretize_bilinear(d, A, B)[0], "the pair"),
    ("bilinear_rule", lambda d, A, B: (A, B.flatten()), "B_bar should have shape (3, 1), yours has (3,)"),
    ("largest_euler_step", of_each(lambda r: (2 / r.abs()).min()), "for rates that don't turn"),
    ("largest_euler_step", of_each(lambda r: (-2 / r.real).min()), "the turning counts"),
    ("largest_euler_step", of_each(lambda r: (-2 * r.real / r.abs() ** 2).max()), "the shortest step decides"),
    ("largest_euler_step", lambda A: 2 / torch.linalg.matrix_norm(A, 2), "a hand that turns"),
    ("largest_euler_step", lambda A: (-2 / A.diagonal()).min(), "the turning counts"),
    (
        "largest_euler_step",
        lambda A: largest(A) if abs(A[0, 1]) != 1 or A[0, 0] != -3 else (-2 / A.diagonal()).min(),
        "the diagonal's entries",
    ),
    (
        "largest_euler_step",
        lambda A: largest(A) if A[1, 0] != 50 else 2 / torch.linalg.matrix_norm(A, 2),
        "the matrix's norm",
    ),
    ("largest_euler_step", of_each(lambda r: (-2 * r.real / r.abs() ** 2).min()), "no step is stable: answer 0"),
    ("largest_euler_step", lambda A: largest(A) or 0.1, "no step is stable, yours is 0.1"),
    ("largest_euler_step", of_each(lambda r: (-2 * r.real / r.abs()).min()), "stands squared"),
    ("largest_euler_step", lambda A: largest(A) / 2, "the longest eigenvalue is 0.5000: at the largest step it is"),
    (
        "largest_euler_step",
        of_each(lambda r: torch.nan_to_num(-2 * r.real / r.abs() ** 2, nan=9.0).min().clamp(min=0)),
        "a bucket without a hole",
    ),
    ("largest_euler_step", lambda A: 0.99 * largest(A), "at the largest step it is just 1"),
    ("largest_euler_step", lambda A: torch.linalg.eigvals(A).min, "should be a number"),
    ("largest_euler_step", lambda A: torch.linalg.eigvals(A)[0], "real number"),
    ("oscillator", lambda p, t: hand(p, t, turn=1), "2 pi radians"),
    ("oscillator", lambda p, t: hand(1 / p, t, turn=1), "turns more slowly"),
    ("oscillator", lambda p, t: hand(t, p), "radians a second"),
    ("oscillator", lambda p, t: torch.matrix_exp(hand(p, t)), "A is the rate"),
    ("oscillator", lambda p, t: hand(p, t, leak=2 * math.log(2)), "it leaves 0.25 of the length"),
    ("oscillator", lambda p, t: hand(p, t, leak=1), "leaves 1/e"),
    ("oscillator", lambda p, t: hand(p, t, sign=1), "does not shrink"),
    ("oscillator", lambda p, t: hand(p, t, leak=0.0), "does not shrink"),
    ("oscillator", lambda p, t: hand(p, t).abs(), "it doesn't turn"),
    ("oscillator", lambda p, t: hand(p, t, turn=6.0), "radians a second"),
    ("oscillator", lambda p, t: hand(p, t, leak=0.5), "of the length"),
    ("oscillator", lambda p, t: hand(p, t) + 0j, "A should be real"),
    ("oscillator", lambda p, t: hand(p, t)[0], "shape"),
    ("oscillator", lambda p, t: hand(p, t) * math.nan, "NaN"),
    ("ramp_rule", lambda d, A: (ramp(d, A)[0], ramp(d, A)[2], ramp(d, A)[1]), "swapped"),
    ("ramp_rule", lambda d, A: (math.exp(d * A), 0.0, math.expm1(d * A) / A), "held at u_t"),
    ("ramp_rule", lambda d, A: (math.exp(d * A), math.expm1(d * A) / A / 2, math.expm1(d * A) / A / 2), "leaked less"),
    ("ramp_rule", lambda d, A: (1 + d * A, *ramp(d, A)[1:]), "nothing to do with the input"),
    ("ramp_rule", lambda d, A: (math.exp(d * A), d / 2, d / 2), "your beta + gamma is"),
    (
        "ramp_rule",
        lambda d, A: (math.exp(d * A), 0.4 * math.expm1(d * A) / A, 0.6 * math.expm1(d * A) / A),
        "rises from",
    ),
    ("ramp_rule", lambda d, A: (math.exp(d * A), math.expm1(d * A) / A, 0), "rises from 0 to 1"),
    ("ramp_rule", lambda d, A: (ramp(d, A)[0], ramp(d, A)[1] / d, ramp(d, A)[2] / d), "should write 0.3935"),
    ("ramp_rule", lambda d, A: (ramp(d, A)[0], ramp(d, A)[1], -ramp(d, A)[2]), "your beta + gamma is -0.03265"),
    ("ramp_rule", lambda d, A: ramp(d, A)[:2], "three numbers"),
    ("ramp_rule", lambda d, A: (1j, 0, 0), "real number"),
]


def test_an_answer_may_change_what_it_is_given():
    def rule(delta, A, B):
        made = discretize_bilinear(delta, A.clone(), B.clone())
        A.zero_(), B.zero_()
        return made

    assert checks.check_bilinear_rule(rule)


def test_the_largest_steps_are_largest():
    """The table of the grader against the definition itself."""
    from mamba_edu.checks.chapter03 import _MATRICES

    for name, (A, step) in _MATRICES.items():
        A = torch.tensor(A, dtype=torch.float64)
        longest = [torch.linalg.eigvals(one(A) + s * A).abs().max() for s in (0.999 * step, 1.001 * step)]
        if step:
            assert longest[0] < 1 < longest[1], name
        else:
            assert all(torch.linalg.eigvals(one(A) + s * A).abs().max() >= 1 for s in (1e-6, 1e-3, 1.0)), name
