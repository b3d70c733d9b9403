"""Graders of chapter 5: a past from its coefficients, an inverse, a kernel to mend, a range of steps, two numbers."""

import math

import torch

from ..hippo import hippo_legs, legs_basis, s4d_lin
from ._answers import expect_number, expect_values
from ._result import expect, grader


def _same(got, wanted):
    return bool((got - wanted).abs().max() <= 1e-6 * wanted.abs().max())


def _off(got, wanted):
    return f"{((got - wanted).abs().max() / wanted.abs().max()).item():.1%}"


def _random(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(seed))


@grader
def check_past_from_coefficients(past):
    """`past(c, x) -> (m)`: the curve that coefficients c (n), n up to 3, stand for, at places x (m) in [0, 1]."""
    x = torch.linspace(0, 1, 13, dtype=torch.float64)
    for n in (3, 1, 2):
        c = _random(n, seed=n)
        wanted = legs_basis(n, x) @ c
        got = expect_values(past(c.clone(), x.clone()), (13,), "the past")
        if _same(got, wanted):
            continue
        roots = torch.sqrt(2 * torch.arange(n, dtype=torch.float64) + 1)
        mirrored = legs_basis(n, 1 - x) @ c
        expect(not _same(got, mirrored), "time runs backwards: x = 1 is now, and there every curve is positive")
        expect(not _same(got, legs_basis(n, x) @ (c / roots)), "P_i without its root: L_i is sqrt(2i + 1) P_i")
        expect(not _same(got, legs_basis(n, x) @ (c * roots)), "sqrt(2i + 1) is there twice")
        z = (x + 1) / 2  # the basis at z is P_i(2z - 1) = P_i(x)
        expect(not _same(got, legs_basis(n, z) @ c), "x goes from 0 to 1, P_i from -1 to 1: put 2x - 1 into it")
        expect(not _same(got, legs_basis(n, z) @ (c / roots)), "P_i wants 2x - 1, and its root is missing, too")
        expect(n > 1, f"one coefficient stands for a constant, its own value: {_off(got, wanted)} off")
        expect(False, f"for n = {n} the past is off by {_off(got, wanted)} of its largest value")
    return "three numbers, a whole past"


def _solution(Lambda, P, B, alpha, beta, correction):
    """v of (alpha - beta Lambda + correction) v = B, by an explicit matrix; correction: (n, n)."""
    return torch.linalg.solve(torch.diag(alpha - beta * Lambda) + correction, B)


@grader
def check_corrected_inverse(solve):
    """`solve(Lambda, P, B, alpha, beta) -> v (n)`: the v of (alpha - beta (Lambda - P P*)) v = B.

    Lambda, P, B: (n), complex; alpha, beta: complex numbers. In products of n numbers, without a matrix.
    """
    for n in (4, 1, 7):
        Lambda, P, B = (_random(n, seed=seed, dtype=torch.complex128) for seed in (n, n + 1, n + 2))
        alpha, beta = complex(1.3 + n, -0.4), complex(0.7, 0.2)
        given = Lambda, P, B, alpha, beta
        star, plain = torch.outer(P, P.conj()), torch.outer(P, P)
        wanted = _solution(*given, beta * star)
        got = expect_values(solve(*(x.clone() for x in given[:3]), alpha, beta), (n,), "v", complex_too=True)
        if _same(got, wanted):
            continue
        expect(not _same(got, B / (alpha - beta * Lambda)), "that is the inverse without P")
        expect(not _same(got, _solution(*given, -beta * star)), "the sign: A has *minus* P P*, and so -beta A plus")
        expect(not _same(got, _solution(*given, star)), "the correction comes with a beta, too")
        expect(not _same(got, _solution(*given, beta * plain)), "the star conjugates: a column times a conjugated row")
        dropped = B / (alpha - beta * Lambda) - beta * (wanted * P.conj()).sum() * P
        expect(not _same(got, dropped), "what q brings goes through R, too: beta q R P")
        expect(False, f"for n = {n} v is off by {_off(got, wanted)} of its largest number: does it solve the equation?")
    try:
        solve(*(_random(400_000, dtype=torch.complex128) for _ in range(3)), 1 + 1j, 0.5 + 0j)
    except RuntimeError:  # two terabytes
        expect(False, "right for small n, but at n = 400,000 a matrix has no room: lists of n numbers alone")
    return "an inverse, and no matrix"


@grader
def check_mended_kernel(kernel):
    """`kernel(rates, B, C, delta, l) -> (l)`, real: of a diagonal system whose pairs (n / 2) are given by one half."""
    for n, delta, l in ((8, 0.05, 20), (2, 0.3, 7), (64, 0.01, 50)):
        half = n // 2
        rates = s4d_lin(n)[:half]
        B, C = (_random(half, seed=n + k, dtype=torch.complex128) for k in range(2))
        A_bar = torch.exp(delta * rates)
        held = (A_bar - 1) / rates
        B_bar = held * B
        powers = A_bar[:, None] ** torch.arange(l + 1)  # (n / 2, l + 1)
        sums = (C * B_bar) @ powers  # (l + 1)
        wanted = 2 * sums.real[:l]
        given = kernel(rates.clone(), B.clone(), C.clone(), delta, l)
        got = expect_values(given, (l,), "the kernel")
        if _same(got, wanted):
            continue
        late = 2 * sums.real[1:]
        expect(
            not _same(got, late / 2), "still both: K_0 has no power of A_bar yet, and of each pair a half is missing"
        )
        expect(not _same(got, late), "the factor is right, the kernel one step late: K_0 = C B_bar, without A_bar")
        expect(not _same(got, wanted / 2), "on time, and half of what it should be: what does a pair's other half add?")
        expect(not _same(got, 2 * wanted), "twice too much: each pair counts twice, not four times")
        expect(
            not _same(got, 2 * sums.abs()[:l]),
            "the imaginary parts cancel in a pair: take the real part, not the length",
        )
        turned = (C.conj() * B_bar @ powers, C * held * B.conj() @ powers, C * held.conj() * B @ powers.conj())
        turned = any(_same(got, 2 * made.real[:l]) for made in turned)
        expect(not turned, "a conjugate has crept in: the half that is given has none, in rates, B or C")
        expect(not _same(got, wanted / delta), "B_bar, not B: divide by nothing")
        expect(False, f"for n = {n} the kernel is off by {_off(got, wanted)} of its largest value")
    return "the same kernel as with both halves of each pair"


@grader
def check_step_range(steps):
    """`steps(l, n) -> (dt_min, dt_max)` for S4D-Lin: half is left after l steps; the fastest pair turns pi a step."""
    for l, n in ((1000, 64), (64, 32), (16_000, 256)):
        got = steps(l, n)
        expect(isinstance(got, (tuple, list)) and len(got) == 2, "return the pair dt_min, dt_max")
        low, high = (expect_number(value, name) for name, value in zip(("dt_min", "dt_max"), got))
        expect(low > 0 and high > 0, f"steps are positive, yours are {low:.3g} and {high:.3g}")
        near = lambda a, b: abs(a - b) <= 1e-6 * b  # noqa: E731
        here = f"l = {l}, n = {n}"
        right = 2 * math.log(2) / l
        expect(not (near(high, right) and low > high), f"{here}: the smaller step comes first")
        expect(not near(low, right / 2), f"{here}: every real part is -1/2, not -1")
        expect(not near(low, 2 / l), f"{here}: that leaves 1/e of it: for a half the logarithm of 2 goes in")
        rounded = near(low, float(f"{right:.2g}")) and not near(low, right)
        expect(not rounded, f"{here}: {low:g} is rounded: hand in all digits")
        left = math.exp(-min(low / 2 * l, 700.0))
        expect(
            near(low, right), f"{here}: with dt_min = {low:.4g} the share {left:.6g} is left after {l} steps, not 0.5"
        )
        fastest = n // 2 - 1
        expect(not near(high, 1 / (n // 2)), f"{here}: the pairs are counted from 0, the fastest is n / 2 - 1")
        expect(not near(high, 1 / (n - 1)), f"{here}: n numbers are n / 2 pairs")
        expect(not near(high, math.pi / fastest), f"{here}: the fastest rate is pi (n / 2 - 1), with its pi")
        expect(not near(high, 2 / fastest), f"{here}: that is a whole turn a step; half a turn is pi")
        turn = high * math.pi * fastest
        expect(
            near(high, 1 / fastest),
            f"{here}: with dt_max = {high:.3g} the fastest pair turns {turn:.3g} a step, not pi",
        )
    return "slow enough to hold, fast enough to tell neighbours apart"


@grader
def check_mean_and_tilt(system):
    """`system = (A, B)`: h' = (A h + B u) / t for h_0 the mean of the past, h_1 = (1 / t) int u (2 s / t - 1) ds."""
    expect(isinstance(system, (tuple, list)) and len(system) == 2, "give the pair A, B")
    made = [torch.tensor(x, dtype=torch.float64) if isinstance(x, (list, tuple)) else x for x in system]
    made = [x.double() if isinstance(x, torch.Tensor) and not x.is_complex() else x for x in made]
    A = expect_values(made[0], (2, 2), "A")
    flat = isinstance(made[1], torch.Tensor) and made[1].shape == (2,)
    B = expect_values(made[1][:, None] if flat else made[1], (2, 1), "B")
    A, B = A.tolist(), B[:, 0].tolist()
    legs_A, legs_B = hippo_legs(2)
    near = lambda a, b: abs(a - b) < 1e-6  # noqa: E731
    scaled = near(A[1][0], legs_A[1, 0].item()) or near(B[1], legs_B[1].item())
    expect(not scaled, "that has the sqrt(3) of L_1 in it: here the tilt is not scaled")
    expect(not (near(A[0][0], 1) and near(A[1][1], 2)), "the signs of A: without input both numbers must shrink")
    expect(not (near(A[0][1], -1) and near(A[1][0], 0)), "A is transposed: row 1 says how the tilt changes")
    expect(near(A[0][1], 0), f"the mean asks the tilt for nothing: A[0, 1] is 0, yours {A[0][1]:.4g}")
    expect(near(A[0][0], -1), f"the mean of one more second: t h_0 grows by u, so A[0, 0] is not {A[0][0]:.4g}")
    expect(not near(B[1], -1), "u comes in *now*, at s = t, and there 2 s / t - 1 is 1")
    for name, value in zip(("B[0]", "B[1]"), B):
        expect(near(value, 1), f"{name} is what u meets at s = t, yours {value:.4g}")
    expect(not near(A[1][1], -1), "t stands in two places, in 1 / t and in 2 s / t: the second one moves as well")
    expect(not near(A[1][0], 0), "the tilt is 2 s / t - 1: what became of the 1? It brings the mean in")
    still = A[1][0] + B[1]  # h_1' t for a constant u = 1, whose mean is 1 and whose tilt is 0
    expect(
        near(still, 0),
        f"u = 1 for ever has mean 1 and tilt 0; with your second row the tilt leaves 0 at {still:.4g} / t",
    )
    expect(near(A[1][1], -2), f"A[1, 1] is {A[1][1]:.4g}: try u that came as 2 s / t - 1 and then stopped")
    return "LegS for two numbers, without its roots"
