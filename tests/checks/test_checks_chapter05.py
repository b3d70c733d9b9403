"""Chapter 5's graders: right answers of several kinds pass, each likely mistake gets the hint meant for it."""

import math

import torch
from graders import test_each_mistake_gets_its_own_hint, test_right_answers_pass  # noqa: F401
from torch import tensor

from mamba_edu import checks, diagonal_kernel, discretize_zoh, hippo_legs, legs_basis, legs_reconstruct


def past(c, x):
    z = 2 * x - 1
    curves = [z**0, 3**0.5 * z, 5**0.5 * (3 * z**2 - 1) / 2]
    return sum(c_i * curve for c_i, curve in zip(c, curves))


def half_kernel(rates, B, C, delta, l, start=0):
    A_bar, B_bar = discretize_zoh(delta, rates, B)
    return (C * B_bar) @ A_bar[:, None] ** torch.arange(start, start + l)


def by_both_halves(rates, B, C, delta, l):
    rates, B, C = (torch.cat([x, x.conj()]) for x in (rates, B, C))
    return half_kernel(rates, B, C, delta, l).real


def as_a_recurrence(rates, B, C, delta, l):
    A_bar, B_bar = discretize_zoh(delta, rates, B)
    h, K = B_bar, []
    for _ in range(l):
        K.append(2 * (C * h).sum().real)
        h = A_bar * h
    return torch.stack(K)


def steps(l, n):
    return 2 * math.log(2) / l, 1 / (n // 2 - 1)


def corrected(Lambda, P, B, alpha, beta, *, sign=1, star=True, with_beta=True, through_R=True):
    R, row = 1 / (alpha - beta * Lambda), P.conj() if star else P
    beta = sign * (beta if with_beta else 1)
    q = (row * R * B).sum() / (1 + beta * (row * R * P).sum())
    return R * B - beta * q * (R * P if through_R else P)


def by_matrix(Lambda, P, B, alpha, beta):
    A = torch.diag(Lambda) - torch.outer(P, P.conj())
    return torch.linalg.solve(alpha * torch.eye(len(P)) - beta * A, B)


def wrongly(**options):
    return lambda *system: corrected(*system, **options)


def of_range(low=1.0, high=1.0, turn=lambda low, high: (low, high)):
    return lambda l, n: turn(low * 2 * math.log(2) / l, high / (n // 2 - 1))


RIGHT = {
    "past_from_coefficients": [
        past,
        lambda c, x: legs_basis(len(c), x) @ c,
        lambda c, x: legs_reconstruct(c, positions=x).float(),
    ],
    "corrected_inverse": [
        corrected,
        lambda Lambda, P, B, alpha, beta: corrected(Lambda, -1j * P, B, alpha, beta),
    ],
    "mended_kernel": [
        lambda *system: 2 * half_kernel(*system).real,
        by_both_halves,
        as_a_recurrence,
        lambda rates, B, C, delta, l: diagonal_kernel(rates, B, C, delta, l),
    ],
    "step_range": [
        steps,
        lambda l, n: [tensor(-2 * math.log(0.5) / l, dtype=torch.float64), math.pi / (math.pi * (n / 2 - 1))],
    ],
    "mean_and_tilt": [
        (tensor([[-1.0, 0.0], [-1.0, -2.0]]), tensor([[1.0], [1.0]])),
        ([[-1, 0], [-1, -2]], [1, 1]),
        [tensor([[-1.0, 0], [-1, -2]], dtype=torch.float64), torch.ones(2, dtype=torch.float64)],
    ],
}


def tilt(A, B=(1.0, 1.0)):
    return tensor(A), tensor(B)


WRONG = [
    ("past_from_coefficients", lambda c, x: past(c, 1 - x), "time runs backwards"),
    ("past_from_coefficients", lambda c, x: past(c / tensor([1, 3**0.5, 5**0.5])[: len(c)], x), "without its root"),
    ("past_from_coefficients", lambda c, x: past(c * tensor([1, 3, 5])[: len(c)] ** 0.5, x), "is there twice"),
    ("past_from_coefficients", lambda c, x: past(c, (x + 1) / 2), "put 2x - 1 into it"),
    (
        "past_from_coefficients",
        lambda c, x: past(c / tensor([1.0, 3, 5], dtype=x.dtype)[: len(c)] ** 0.5, (x + 1) / 2),
        "root is missing, too",
    ),
    (
        "past_from_coefficients",
        lambda c, x: past(c, x) + c[2:].sum() * 5**0.5 * x**0 / 2,
        "for n = 3 the past is off by",
    ),
    ("past_from_coefficients", lambda c, x: past(c, x**2), "for n = 3 the past is off by"),
    ("past_from_coefficients", lambda c, x: past(c, x) if len(c) > 1 else 2 * past(c, x), "stands for a constant"),
    ("past_from_coefficients", lambda c, x: c, "should have shape (13,), yours has (3,)"),
    ("past_from_coefficients", lambda c, x: past(c, x) * math.nan, "finite"),
    ("past_from_coefficients", lambda c, x: past(c, x) + 0j, "should be real"),
    ("corrected_inverse", lambda L, P, B, alpha, beta: B / (alpha - beta * L), "without P"),
    ("corrected_inverse", wrongly(sign=-1), "*minus* P P*"),
    ("corrected_inverse", wrongly(with_beta=False), "with a beta, too"),
    ("corrected_inverse", wrongly(star=False), "the star conjugates"),
    ("corrected_inverse", wrongly(through_R=False), "goes through R, too"),
    ("corrected_inverse", lambda *system: 2 * corrected(*system), "for n = 4 v is off by 100.0%"),
    ("corrected_inverse", lambda *system: corrected(*system).conj(), "does it solve the equation?"),
    ("corrected_inverse", lambda *system: corrected(*system).sum(), "should have shape (4,)"),
    ("corrected_inverse", by_matrix, "a matrix has no room"),
    ("mended_kernel", lambda *system: half_kernel(*system, start=1).real, "still both"),
    ("mended_kernel", lambda *system: 2 * half_kernel(*system, start=1).real, "one step late"),
    ("mended_kernel", lambda *system: half_kernel(*system).real, "other half"),
    ("mended_kernel", lambda *system: 4 * half_kernel(*system).real, "twice too much"),
    ("mended_kernel", lambda *system: 2 * half_kernel(*system).abs(), "not the length"),
    ("mended_kernel", lambda *system: 2 * half_kernel(*system).real / system[3], "divide by nothing"),
    ("mended_kernel", lambda r, B, C, *rest: 2 * half_kernel(r, B, C.conj(), *rest).real, "a conjugate has crept in"),
    ("mended_kernel", lambda r, B, C, *rest: 2 * half_kernel(r, B.conj(), C, *rest).real, "a conjugate has crept in"),
    ("mended_kernel", lambda r, *rest: 2 * half_kernel(r.conj(), *rest).real, "a conjugate has crept in"),
    (
        "mended_kernel",
        lambda r, B, C, delta, l: 2 * half_kernel(r, B, C, 1.0, l).real,
        "for n = 8 the kernel is off by",
    ),
    ("mended_kernel", lambda *system: 2 * half_kernel(*system).imag, "for n = 8 the kernel is off by"),
    ("mended_kernel", lambda *system: 2 * half_kernel(*system), "should be real"),
    ("mended_kernel", lambda *system: 2 * half_kernel(*system)[:-1].real, "should have shape (20,)"),
    ("step_range", of_range(turn=lambda low, high: (high, low)), "the smaller step comes first"),
    ("step_range", of_range(low=0.5), "every real part is -1/2"),
    ("step_range", of_range(low=1 / math.log(2)), "leaves 1/e"),
    ("step_range", of_range(low=3), "share 0.125 is left after 1000 steps"),
    ("step_range", lambda l, n: (steps(l, n)[0], 1 / (n // 2)), "counted from 0"),
    ("step_range", lambda l, n: (steps(l, n)[0], 1 / (n - 1)), "n numbers are n / 2 pairs"),
    ("step_range", lambda l, n: (2 * math.log(2) / (l - 1), steps(l, n)[1]), "the share 0.499653 is left"),
    ("step_range", of_range(low=2), "share 0.25 is left"),
    ("step_range", lambda l, n: tuple(float(f"{step:.2g}") for step in steps(l, n)), "hand in all digits"),
    ("step_range", of_range(high=1 / math.pi), "turns 1 a step, not pi"),
    ("step_range", of_range(high=math.pi), "with its pi"),
    ("step_range", of_range(high=2), "half a turn is pi"),
    ("step_range", of_range(high=1.5), "turns 4.71 a step"),
    ("step_range", lambda l, n: steps(l, n)[0], "the pair"),
    ("step_range", of_range(low=-1), "positive"),
    ("step_range", of_range(high=math.nan), "dt_max should be finite"),
    ("step_range", lambda l, n: ("a", 1), "should be a number"),
    ("mean_and_tilt", hippo_legs(2), "sqrt(3)"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-1, -2]], (1, 3**0.5)), "sqrt(3)"),
    ("mean_and_tilt", tilt([[1.0, 0], [1, 2]]), "both numbers must shrink"),
    ("mean_and_tilt", tilt([[-1.0, -1], [0, -2]]), "transposed"),
    ("mean_and_tilt", tilt([[-1.0, 0.5], [-1, -2]]), "A[0, 1] is 0, yours 0.5"),
    ("mean_and_tilt", tilt([[-2.0, 0], [-1, -2]]), "A[0, 0] is not -2"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-1, -2]], (1, -1)), "comes in *now*"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-1, -2]], (0.5, 1)), "B[0] is what u meets at s = t, yours 0.5"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-1, -2]], (1, 2)), "B[1] is what u meets at s = t, yours 2"),
    ("mean_and_tilt", tilt([[-1.0, 0], [0, -1]]), "the second one moves as well"),
    ("mean_and_tilt", tilt([[-1.0, 0], [0, -2]]), "what became of the 1"),
    ("mean_and_tilt", tilt([[-1.0, 0], [1, -2]]), "the tilt leaves 0 at 2 / t"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-2, -2]]), "the tilt leaves 0 at -1 / t"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-0.5, -1]], (1, 0.5)), "B[1] is what u meets at s = t, yours 0.5"),
    ("mean_and_tilt", tilt([[-1.0, 0], [-1, -3]]), "A[1, 1] is -3"),
    ("mean_and_tilt", torch.eye(2), "the pair A, B"),
    ("mean_and_tilt", tilt([[math.nan, 0], [-1, -3]]), "finite"),
]


def test_an_answer_may_change_what_it_is_given():
    def kernel(rates, B, C, delta, l):
        made = 2 * half_kernel(rates, B, C, delta, l).real
        rates.zero_(), B.zero_(), C.zero_()
        return made

    assert checks.check_mended_kernel(kernel)


def test_mean_and_tilt_by_their_sums():
    """The right answer against the integrals themselves, through a small step of time."""
    A, B = (x.double() for x in RIGHT["mean_and_tilt"][0])
    u = lambda s: torch.sin(3 * s) + 0.5  # noqa: E731

    def numbers(t):
        s = (torch.arange(200_000, dtype=torch.float64) + 0.5) / 200_000 * t
        return torch.stack([u(s).mean(), (u(s) * (2 * s / t - 1)).mean()])

    t, small = 2.0, 1e-4
    moved = (numbers(t + small) - numbers(t - small)) / (2 * small)
    wanted = (A @ numbers(t) + B[:, 0] * u(torch.tensor(t, dtype=torch.float64))) / t
    assert (moved - wanted).abs().max() < 1e-6 * wanted.abs().max()
