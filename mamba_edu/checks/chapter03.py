"""Graders of chapter 3: a half-life, the bilinear rule, the largest Euler step, a hand that turns, exact slopes."""

import math

import torch

from ._answers import expect_number, expect_values
from ._result import expect, grader


def _near(got, wanted):
    return abs(got - wanted) <= 1e-6 * abs(wanted)


def _same(got, wanted):
    return bool((got - wanted).abs().max() <= 1e-6 * wanted.abs().max())


@grader
def check_half_life_rate(rate):
    """`rate(steps, delta) -> A`: half of the state is left after `steps` steps of length `delta`."""
    for steps, delta in ((32, 1.0), (13, 0.01), (1, 5.0)):
        got, wanted = expect_number(rate(steps, delta), "the rate"), -math.log(2) / (steps * delta)
        expect(not _near(got, -wanted), "a positive rate doubles the state: what leaks has a negative one")
        expect(not _near(got, wanted / math.log(2)), "that leaves 1/e, or 0.37: for a half the logarithm of 2 goes in")
        expect(delta == 1 or not _near(got, wanted * delta), f"a step lasts {delta:g} s: a rate is per second")
        expect(steps == 1 or not _near(got, wanted * steps), f"{steps} steps pass, each of them keeps its share")
        left = math.exp(max(-700.0, min(700.0, got * steps * delta)))
        expect(_near(got, wanted), f"with A = {got:.6g}, {steps} steps of {delta:g} s leave {left:.6g}, not 0.5")
    return "half of it is left"


def _systems():
    """Two full systems; the second has an eigenvalue that is zero, so that its A has no inverse."""
    A = torch.tensor([[-1.0, 2.0, 0.1], [-0.5, -1.5, 0.3], [0.2, 1.0, -4.0]], dtype=torch.float64)
    position = torch.tensor([[0.0, 1.0], [0.0, -0.5]], dtype=torch.float64)
    B = torch.tensor([[1.0], [-2.0], [0.5]], dtype=torch.float64)
    return ((0.4, A, B), (1.5, A, B), (0.5, position, B[:2]))


@grader
def check_bilinear_rule(rule):
    """`rule(delta, A, B) -> (A_bar, B_bar)`, the bilinear rule for a full A (n, n) and a column B (n, 1)."""
    for delta, A, B in _systems():
        n = len(A)
        one, half = torch.eye(n, dtype=A.dtype), delta * A / 2
        got = rule(delta, A.clone(), B.clone())
        expect(isinstance(got, (tuple, list)) and len(got) == 2, "return the pair A_bar, B_bar")
        A_bar = expect_values(got[0], (n, n), "A_bar")
        B_bar = expect_values(got[1], (n, 1), "B_bar")
        entries = (1 + half) / (1 - half)
        expect(not _same(A_bar, entries), "you divide entry by entry: 1 is the identity matrix, and division a solve")
        expect(not _same(A_bar, (one + half) / (one - half)), "1 is the identity, but you divide entry by entry")
        ends = torch.linalg.inv(one - 2 * half)
        wrong = any(_same(A_bar, made) for made in (ends, ends @ (one + 2 * half), one + 2 * half))
        expect(not wrong, "the speeds at both ends count by half each: delta / 2 on both sides")
        wanted = torch.linalg.solve(one - half, one + half)
        upside_down = torch.linalg.inv(wanted) if torch.linalg.det(wanted).abs() > 1e-9 else one
        expect(not _same(A_bar, upside_down), "A_bar is upside down: h_{t-1} stands beside 1 + delta A / 2")
        expect(not _same(A_bar, wanted.T), "A_bar is transposed: row i says where h_i comes from, as in A")
        off = ((A_bar - wanted).abs().max() / wanted.abs().max()).item()
        expect(_same(A_bar, wanted), f"A_bar is off by {off:.1%} of its largest entry at delta = {delta:g}")
        expect(not _same(B_bar, delta * B), "that B_bar is Euler's: the input goes through the same solve")
        wanted_B = torch.linalg.solve(one - half, delta * B)
        expect(not _same(B_bar, wanted_B / 2), "u_t stands at both ends of the step, so half of it and half again")
        expect(not _same(B_bar, wanted_B / delta), "delta is missing from B_bar: u_t flows in for so long")
        off = ((B_bar - wanted_B).abs().max() / wanted_B.abs().max()).item()
        expect(_same(B_bar, wanted_B), f"A_bar is right, B_bar is off by {off:.1%} at delta = {delta:g}")
    return "the trapezoid, for any matrix"


# what it is: (A, the largest stable Euler step)
_MATRICES = {
    "two buckets": ([[-2.0, 0.0], [0.0, -4.0]], 0.5),
    "a hand that turns": ([[-0.1, -0.8], [0.8, -0.1]], 0.2 / 0.65),
    "a bucket that feeds a slower one": ([[-2.0, 0.0], [50.0, -0.5]], 1.0),
    "rows that aren't rates": ([[-3.0, 1.0], [1.0, -3.0]], 0.5),
    "a fast bucket and a slow hand": ([[-5.0, 0.0, 0.0], [0.0, -0.1, -0.2], [0.0, 0.2, -0.1]], 0.4),
    "a hand that never shrinks": ([[0.0, -1.0], [1.0, 0.0]], 0.0),
    "a hand that grows": ([[0.2, -1.0], [1.0, 0.2]], 0.0),
    "a bucket without a hole": ([[-1.0, 0.0], [0.0, 0.0]], 0.0),
}


@grader
def check_largest_euler_step(largest):
    """`largest(A) -> float` for a real A (n, n): below it all eigenvalues of 1 + delta A are inside the unit disc."""
    for name, (A, wanted) in _MATRICES.items():
        A = torch.tensor(A, dtype=torch.float64)
        rates = torch.linalg.eigvals(A)
        got = expect_number(largest(A.clone()), f"the step for {name}")
        if wanted > 0 and abs(got - wanted) > 1e-6 * wanted:
            steps = -2 * rates.real / rates.abs() ** 2
            mistakes = [
                ((2 / rates.abs()).min(), "2 over the length of the rate is for rates that don't turn"),
                ((-2 / rates.real).min(), "the turning counts, too: look at (3.8) again"),
                ((-2 * rates.real / rates.abs()).min(), "in (3.8) the length below stands squared"),
                (steps.max(), "the eigenvalue that allows the shortest step decides"),
                ((-2 / A.diagonal()).min(), "the diagonal's entries are not the eigenvalues"),
                (2 / torch.linalg.matrix_norm(A, 2), "the matrix's norm is not an eigenvalue's length"),
            ]
            for value, hint in mistakes:
                expect(not _near(got, value.item()), f"for {name}, {A.tolist()}: {hint}")
        expect(got >= 0, f"for {name}, {A.tolist()}, no step is stable: answer 0, yours is {got:.4g}")
        if wanted == 0:
            expect(abs(got) < 1e-9, f"for {name}, {A.tolist()}, no step is stable, yours is {got:.4g}")
        longest = (1 + got * rates).abs().max().item()
        at = f"for {name}, {A.tolist()}, with your step {got:.4g} the longest eigenvalue is {longest:.4f}"
        expect(wanted == 0 or _near(got, wanted), f"{at}: at the largest step it is just 1")
    return "one step shorter and it fades, one longer and it explodes"


@grader
def check_oscillator(hand):
    """`hand(period, half_life) -> A`, real (2, 2): one turn in `period`, half of the length gone in `half_life`."""
    for period, half_life in ((8.0, 6.0), (0.5, 20.0), (3.0, 1.0)):
        A = expect_values(hand(period, half_life), (2, 2), "A")
        alpha, omega = math.log(2) / half_life, 2 * math.pi / period
        rate = max(torch.linalg.eigvals(A).tolist(), key=lambda value: value.imag)
        here = f"for a period of {period:g} s and a half-life of {half_life:g} s your eigenvalue is {rate:.3f}"
        one_second = complex(math.cos(omega), math.sin(omega)) * math.exp(-alpha)
        expect(abs(rate - one_second) > 1e-6, f"{here}: that is the factor of one second, e^A; A is the rate")
        expect(rate.imag > 0, f"{here}: it doesn't turn; the two numbers must feed each other, with opposite signs")
        expect(rate.real < 0, f"{here}: its real part should be negative, this hand does not shrink")
        expect(not _near(rate.imag, omega / (2 * math.pi)), f"{here}: one turn is 2 pi radians")
        expect(not _near(rate.imag, period), f"{here}: a longer period turns more slowly")
        expect(not _near(-rate.real, alpha / math.log(2)), f"{here}: that leaves 1/e after a half-life, not a half")
        expect(_near(rate.imag, omega), f"{here}: it should turn by {omega:.4g} radians a second")
        left = math.exp(rate.real * half_life)
        expect(_near(rate.real, -alpha), f"{here}: after {half_life:g} s it leaves {left:.3g} of the length")
    return "it turns and fades as asked"


@grader
def check_ramp_rule(rule):
    """`rule(delta, A) -> (A_bar, beta, gamma)` in h_t = A_bar h_{t-1} + beta u_{t-1} + gamma u_t, exact on slopes."""
    for delta, A in ((0.5, -1.0), (0.1, -3.0), (2.0, -2.0)):
        got = rule(delta, A)
        expect(isinstance(got, (tuple, list)) and len(got) == 3, "return three numbers, A_bar, beta and gamma")
        kept, beta, gamma = (expect_number(value, name) for name, value in zip(("A_bar", "beta", "gamma"), got))
        exact, both = math.exp(delta * A), math.expm1(delta * A) / A
        new = (both - delta) / (delta * A)
        expect(_near(kept, exact), f"what is kept has nothing to do with the input: e^(delta A), {exact:.4g}")
        swapped = _near(beta, new) and _near(gamma, both - new)
        expect(not swapped, "beta and gamma are swapped: beta goes with u_{t-1}")
        held = _near(gamma, both) and abs(beta) < 1e-9
        expect(not held, "that is the input held at u_t: u_{t-1} has a share, too")
        halves = _near(beta, both / 2) and _near(gamma, both / 2)
        expect(not halves, "that holds the average of both; but what came in late has leaked less than what came early")
        still = f"at delta = {delta:g}, A = {A:g} an input that stands still should write {both:.4g}"
        expect(_near(beta + gamma, both), f"{still}, as in (3.3): your beta + gamma is {beta + gamma:.4g}")
        rise = f"an input that rises from 0 to 1 within the step should write {new:.4g}"
        expect(_near(gamma, new), f"{rise}, yours {gamma:.4g}")
    return "exact wherever the input is a straight line"
