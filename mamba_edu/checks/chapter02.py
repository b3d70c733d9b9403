"""Graders of chapter 2: a gradient by hand, a radius, a matrix that keeps lengths, a forget gate, a reach."""

import math
from numbers import Integral

import torch

from ._answers import expect_number, expect_values
from ._result import expect, grader


def _near(got, wanted, tolerance=1e-6):
    return abs(got - wanted) <= tolerance * max(abs(wanted), 1e-12)


def _gathered(w, states, *, met=1, slope=True, back=True):
    """dh_l / dw step by step from the end, or what one gets without one of its parts."""
    grad, total = 1.0, 0.0
    for t in range(len(states) - 1, 0, -1):
        grad *= 1 - states[t] ** 2 if slope else 1
        total += grad * states[t - met]
        grad *= w if back else 1
    return total


@grader
def check_gradient_by_hand(gradient):
    """`gradient(w, x) -> float`: dh_l / dw for h_t = tanh(w h_{t-1} + x_t), h_0 = 0, x a list of numbers."""
    long = [0.5, -0.2, 0.1, 0.3, -0.3, 0.2, -0.1, 0.1]
    for w, x in ((0.7, [1.0, 0.3]), (0.7, [1.0, 0.3, -0.4]), (-1.2, [0.5, -0.2, 0.1, 0.9]), (1.1, long), (0.9, [0.4])):
        weight = torch.tensor(w, dtype=torch.float64, requires_grad=True)
        h, states = torch.zeros((), dtype=torch.float64), [0.0]
        for x_t in x:
            h = torch.tanh(weight * h + x_t)
            states.append(h.item())
        (wanted,) = torch.autograd.grad(h, weight) if len(x) > 1 else (torch.zeros(()),)
        got, wanted = expect_number(gradient(w, list(x)), "the gradient"), wanted.item()
        if _near(got, wanted) or abs(got - wanted) < 1e-9:
            continue
        last = (1 - states[-1] ** 2) * states[-2]
        often = "w acts in every step, not in the last alone: each earlier use reaches h_l through the state"
        expect(len(x) == 2 or not _near(got, last), often)
        mistakes = [
            (_gathered(w, states, slope=False), "tanh has a slope, 1 - h^2, at every step: where is it?"),
            (_gathered(w, states, met=0), "w meets the state before: in step t it multiplies h_{t-1}"),
            (_gathered(w, states, back=False), "on to the state before, the gradient passes through w as well"),
        ]
        for value, hint in mistakes:
            expect(not _near(got, value), hint)
        expect(False, f"for w = {w} and x = {x} it is {wanted:.6f}, not {got:.6f}")
    return "one gradient, gathered from every step"


@grader
def check_radius_set(rescale):
    """`rescale(W, radius) -> W'` (n, n): a multiple of W whose spectral radius is `radius`."""
    generator = torch.Generator().manual_seed(0)
    turning = torch.tensor([[0.0, -2.0], [2.0, 0.0]], dtype=torch.float64)
    shear = torch.tensor([[0.5, 10.0], [0.0, 0.4]], dtype=torch.float64)
    full = torch.randn(6, 6, generator=generator, dtype=torch.float64)
    for W, radius in ((shear, 0.9), (full, 1.0), (turning, 0.5)):
        before, values = W.clone(), torch.linalg.eigvals(W)
        got = rescale(W, radius)
        lost = W is turning and isinstance(got, torch.Tensor) and not bool(torch.isfinite(got).all())
        expect(not lost, "[[0, -2], [2, 0]] has the eigenvalues 2i and -2i: their real parts are 0, their length is 2")
        got = expect_values(got, W.shape, "the matrix")
        expect(torch.equal(W, before), "W itself was changed: return a new matrix")
        found = torch.linalg.eigvals(got).abs().max().item()
        norm = torch.linalg.matrix_norm(got, 2).item()
        expect(
            _near(found, radius) or not _near(norm, radius), "that is the norm: the radius is the largest |eigenvalue|"
        )
        turns = "; eigenvalues may be complex" if bool((values.imag != 0).any()) else ""
        expect(_near(found, radius), f"the radius should be {radius}, yours is {found:.4g}{turns}")
        factor = (got * W).sum() / (W * W).sum()
        expect(torch.allclose(got, factor * W), "only the scale may change: multiply W by one number")
    return "the radius is set, whatever the norm is"


@grader
def check_keeps_lengths(matrix):
    """`matrix(n) -> W` (n, n) whose products neither shrink nor stretch any state, and that mixes all numbers."""
    for n in (2, 5, 32):
        W = expect_values(matrix(n), (n, n), "the matrix")
        values = torch.linalg.svdvals(W)
        low, high = values.min().item(), values.max().item()
        radius = torch.linalg.eigvals(W).abs().max().item()
        right = abs(low - 1) < 1e-5 and abs(high - 1) < 1e-5
        stretched = f"one step stretches states {low:.6g} to {high:.6g} times"
        expect(right or abs(radius - 1) > 1e-5, f"the radius is 1, but {stretched}")
        expect(right, f"{stretched}: each should keep its length")
        expect(bool((W.abs() > 1e-6).all()), "some entry is zero: every number should reach every other in one step")
    return "a thousand steps leave every length as it was"


@grader
def check_forget_bias(bias):
    """`bias(share, steps) -> float`: the forget gate's bias that alone keeps `share` of the cell over `steps` steps."""
    for share, steps in ((0.5, 13), (0.5, 100), (0.9, 1000), (0.01, 3)):
        got = expect_number(bias(share, steps), "the bias")
        kept = share ** (1 / steps)
        wanted = math.log(kept / (1 - kept))
        expect(not _near(got, kept), "that is the gate, f: the bias is what goes into the sigmoid")
        expect(not _near(got, math.log(share / (1 - share))), f"{steps} steps pass, and f acts in each")
        gate = 1 / (1 + math.exp(-max(-700.0, min(700.0, got))))
        right = _near(got, wanted, 1e-5) or _near(gate**steps, share, 1e-3)
        expect(right, f"with a bias of {got:.4g}, {steps} steps keep {gate**steps:.3g}, not {share}")
    return "the gate is open for as long as was asked"


@grader
def check_reach(reach):
    """`reach(norms, share) -> int`: how many steps back at least `share` is left at every step on the way."""
    cases = [
        ([0.001, 0.01, 0.1, 1.0], 0.05, 1),
        ([0.5, 0.7, 0.9, 1.0], 0.6, 2),
        ([0.5, 0.7, 0.9, 1.0], 0.1, 3),
        ([2.0, 0.001, 0.5, 1.0], 0.1, 1),
        ([0.9, 0.9, 0.05, 0.7, 0.3, 1.0], 0.1, 2),
        ([0.25, 0.5, 1.0], 0.5, 1),
        ([4.0, 0.5, 1.0], 0.25, 2),
        ([1.0], 0.5, 0),
        ([0.2, 1.0], 0.5, 0),
    ]
    for norms, share, wanted in cases:
        got = reach(torch.tensor(norms, dtype=torch.float64), share)
        whole = isinstance(got, Integral) and not isinstance(got, bool)
        integer = isinstance(got, torch.Tensor) and got.numel() == 1 and not got.is_floating_point()
        expect(whole or integer, f"the reach should be a whole number, yours is {type(got).__name__}")
        got, case = int(got), f"with {norms} and {share}"
        from_the_start = share == 0.05 and got == len(norms) - 1 - wanted
        expect(not from_the_start, "the last entry is no step ago: count from there")
        expect(got >= wanted, f"{case} the reach is {wanted}, you say {got}: there at least {share} is left")
        expect(got == wanted, f"{case} it ends after {wanted} steps, you say {got}: what is lost stays lost")
    return "so far back a loss can be felt"
