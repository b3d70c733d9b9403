"""LegS against quadrature, its two memories, its decompositions, and the diagonals made after it."""

import itertools
import math

import numpy as np
import pytest
import torch

from mamba_edu import (
    discretize_zoh,
    hippo_legs,
    legs_basis,
    legs_dplr,
    legs_memory,
    legs_memory_fixed,
    legs_nplr,
    legs_reconstruct,
    s4d_inv,
    s4d_lin,
    s4d_real,
)

RULES = ["bilinear", "zoh"]


def gauss(q, low=0.0, high=1.0):
    """Gauss-Legendre nodes and weights on [low, high]: exact for polynomials up to degree 2q - 1."""
    x, w = np.polynomial.legendre.leggauss(q)
    return torch.from_numpy(low + (high - low) * (x + 1) / 2), torch.from_numpy(w * (high - low) / 2)


def wave(t):
    """A smooth signal with some four bends in [0, 1]."""
    return torch.sin(9 * t) * torch.exp(-t / 2) + 0.3 * torch.cos(23 * t)


def samples(l, end=1.0):
    """`wave` in the middle of each of l steps of [0, end]: held there, it is right to second order."""
    return wave((torch.arange(l, dtype=torch.float64) + 0.5) * end / l)


def projection(f, n, end=1.0):
    """Coefficients of f on [0, end], all moments alike, by quadrature."""
    x, w = gauss(300)
    return (f(end * x) * w) @ legs_basis(n, x)


def staircase_projection(u, n):
    """The same for samples that are held from k to k + 1: exact, since each piece is a polynomial."""
    l = len(u)
    x, w = gauss(n, 0.0, 1.0 / l)
    nodes = x + torch.arange(l, dtype=torch.float64)[:, None] / l  # (l, q)
    return torch.einsum("l,q,lqn->n", u, w, legs_basis(n, nodes))


def error(value, want):
    assert value.shape == want.shape
    assert torch.isfinite(value).all()
    return float((value - want).abs().max() / want.abs().max())


def test_the_matrix_by_hand(close):
    A, B = hippo_legs(3)
    r3, r5, r15 = math.sqrt(3), math.sqrt(5), math.sqrt(15)
    close(A, torch.tensor([[-1, 0, 0], [-r3, -2, 0], [-r5, -r15, -3]], dtype=torch.float64))
    close(B, torch.tensor([[1], [r3], [r5]], dtype=torch.float64))
    assert A.dtype == B.dtype == torch.float64


def test_the_matrix_follows_from_the_basis(close):
    """d/dt of c = int_0^1 u(t x) L(x) dx is (A c + B u) / t: A is what -x d/dx - 1 does to the basis."""
    n = 12
    x, w = gauss(40)
    x = x.requires_grad_()
    basis = legs_basis(n, x)
    slopes = torch.stack([torch.autograd.grad(basis[:, i].sum(), x, retain_graph=True)[0] for i in range(n)], -1)
    x, basis = x.detach(), basis.detach()
    A, B = hippo_legs(n)
    close((((-x[:, None] * slopes - basis) * w[:, None]).mT @ basis), A, 1e-11)
    close(legs_basis(n, torch.ones(1).double())[0], B[:, 0])  # what stands at x = 1 is written by u now


def test_the_basis_is_orthonormal(close):
    x, w = gauss(80)
    basis = legs_basis(64, x)
    close((basis * w[:, None]).mT @ basis, torch.eye(64).double(), 1e-11)
    want = np.polynomial.legendre.legvander(2 * x.numpy() - 1, 63) * np.sqrt(2 * np.arange(64) + 1)
    close(basis, torch.from_numpy(want))
    assert legs_basis(3, torch.zeros(2, 5)).shape == (2, 5, 3) and legs_basis(3, torch.zeros(2)).dtype == torch.float32


def test_the_reconstruction_of_a_smooth_signal_converges():
    x = torch.linspace(0, 1, 501, dtype=torch.float64)
    errors = [error(legs_reconstruct(projection(wave, n), positions=x), wave(x)) for n in (4, 8, 12, 16, 24, 32)]
    assert all(late < early for early, late in itertools.pairwise(errors)), errors
    assert errors[0] > 0.1 and errors[-1] < 1e-8, errors


def test_a_memory_built_sample_by_sample_holds_the_signal():
    u, x = samples(4096), torch.linspace(0, 1, 201, dtype=torch.float64)
    errors = []
    for n in (4, 8, 16, 24):
        errors.append(error(legs_reconstruct(legs_memory(u, n, "zoh")[-1], positions=x), wave(x)))
    assert all(late < early / 2 for early, late in itertools.pairwise(errors)), errors
    assert errors[0] > 0.1 and errors[-1] < 5e-5, errors


def test_zoh_is_the_exact_memory_of_held_samples(close):
    u = torch.randn(40, dtype=torch.float64)
    memory = legs_memory(u, 12, "zoh")
    for length in (1, 2, 3, 7, 40):
        close(memory[length - 1], staircase_projection(u[:length], 12), 1e-10)


@pytest.mark.parametrize("rule", RULES)
def test_the_memory_is_the_projection_up_to_the_step(rule):
    errors = [error(legs_memory(samples(l), 8, rule)[-1], projection(wave, 8)) for l in (128, 256, 512, 1024)]
    ratios = [early / late for early, late in itertools.pairwise(errors)]
    assert all(3.8 < ratio < 4.3 for ratio in ratios), (errors, ratios)  # half the step, a quarter of the error
    assert errors[-1] < 3e-5, errors


def test_the_bilinear_recurrence_by_hand(close):
    """(1 - A / (2t)) c_new = (1 + A / (2t)) c_old + B u / t, with t = k + 1/2."""
    A, B = (matrix.numpy() for matrix in hippo_legs(5))
    u = torch.randn(6, dtype=torch.float64)
    c, rows = np.zeros((5, 1)), []
    for k, sample in enumerate(u.tolist()):
        half = A / (2 * k + 1)
        c = np.linalg.solve(np.eye(5) - half, (np.eye(5) + half) @ c + B * sample / (k + 0.5))
        rows.append(c[:, 0])
    close(legs_memory(u, 5), torch.from_numpy(np.stack(rows)))


@pytest.mark.parametrize("rule", RULES)
def test_any_moment_holds_its_own_past(rule, close):
    """Row k is the memory of the first k + 1 samples, and the coefficients know no unit of time."""
    u = samples(300)
    memory = legs_memory(u, 6, rule)
    close(legs_memory(u[:131], 6, rule), memory[:131])
    assert error(legs_memory(samples(600), 6, rule)[1::2][20:], memory[20:]) < 2e-2


def fixed_projection(n, end):
    """int_0^end u(end - a) exp(-a) L(exp(-a)) da for u = `wave` after 0 and nothing before."""
    a, w = gauss(400, 0.0, end)
    return (wave(end - a) * torch.exp(-a) * w) @ legs_basis(n, torch.exp(-a))


@pytest.mark.parametrize("rule", RULES)
def test_the_fixed_memory_is_the_warped_projection(rule):
    errors = []
    for l in (400, 800, 1600):
        memory = legs_memory_fixed(samples(l, end=2.0), 8, 2.0 / l, rule)
        errors.append(
            max(error(memory[l // 2 - 1], fixed_projection(8, 1.0)), error(memory[-1], fixed_projection(8, 2.0)))
        )
    ratios = [early / late for early, late in itertools.pairwise(errors)]
    assert all(3.8 < ratio < 4.2 for ratio in ratios), (errors, ratios)
    assert errors[-1] < 1e-3


def test_the_fixed_memory_is_sharp_now_and_blurred_long_ago():
    l, end = 4000, 4.0
    ages = torch.linspace(0.02, 3.98, 397, dtype=torch.float64)
    missed = {}
    for n in (32, 64):
        c = legs_memory_fixed(samples(l, end), n, end / l, "zoh")[-1]
        miss = (legs_reconstruct(c, ages=ages) - wave(end - ages)).abs()
        assert torch.isfinite(miss).all()
        missed[n] = [float(miss[(ages > start) & (ages < start + 1)].max()) for start in range(4)]
    assert all(young < old for n in missed for young, old in itertools.pairwise(missed[n])), missed
    assert missed[64][0] < 0.01 and missed[64][3] > 0.3, missed
    assert all(more < less for more, less in zip(missed[64], missed[32])), missed


def test_the_two_memories_are_one_on_two_clocks(close):
    """On the clock log t, HiPPO's own memory is the fixed one: the same staircase in t, steps of log((k + 1) / k)."""
    A, B = hippo_legs(7)
    u = torch.randn(20, dtype=torch.float64)
    h = torch.zeros(7, 1).double()
    h[0] = u[0]
    for k in range(1, 20):
        A_bar, B_bar = discretize_zoh(math.log((k + 1) / k), A, B)
        h = A_bar @ h + B_bar * u[k]
    close(legs_memory(u, 7, "zoh")[-1], h[:, 0], 1e-11)


def test_reconstruction_inverts_projection(close):
    c = torch.randn(3, 10, dtype=torch.float64)
    x, w = gauss(20)
    past = legs_reconstruct(c, positions=x)
    assert past.shape == (3, 20)
    close((past * w) @ legs_basis(10, x), c, 1e-12)
    close(legs_reconstruct(c, ages=-torch.log(x)), past, 1e-11)


@pytest.mark.parametrize("rule", RULES)
def test_dtype_gradient_and_the_empty_signal(rule, close):
    u = torch.randn(9, dtype=torch.float64)
    close(legs_memory(u.float(), 4, rule), legs_memory(u, 4, rule), 1e-6)
    assert legs_memory(u.float(), 4, rule).dtype == legs_memory_fixed(u.float(), 4, 0.1, rule).dtype == torch.float32
    assert legs_memory(u[:0], 4, rule).shape == legs_memory_fixed(u[:0], 4, 0.1, rule).shape == (0, 4)
    assert torch.autograd.gradcheck(lambda v: legs_memory(v, 3, rule), u[:5].requires_grad_())


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 16, 33, 64, 129, 256])
def test_dplr_is_the_matrix(n, close):
    A, B = hippo_legs(n)
    N, p = legs_nplr(n)
    close(N - torch.outer(p, p), A, 1e-14)
    assert error(N @ N.mT, N.mT @ N) < 1e-12, "N is not normal"
    Lambda, P, b, V = legs_dplr(n)
    rebuilt = V @ (torch.diag(Lambda) - torch.outer(P, P.conj())) @ V.mH
    assert error(rebuilt, A.to(rebuilt)) < 1e-10
    assert error(V.mH @ V, torch.eye(n).to(V)) < 1e-10
    assert error(V @ b, B[:, 0].to(V)) < 1e-10 and error(V @ P, p.to(V)) < 1e-10


@pytest.mark.parametrize("n", [1, 2, 7, 64, 65])
def test_the_spectrum_of_the_normal_part(n):
    Lambda, P, B, V = legs_dplr(n)
    assert torch.equal(Lambda.real, torch.full((n,), -0.5).double())
    eigenvalues = torch.linalg.eigvals(legs_nplr(n)[0])
    assert (eigenvalues.real + 0.5).abs().max() < 1e-9 * n
    assert (eigenvalues.imag.sort()[0] - Lambda.imag.sort()[0]).abs().max() < 1e-9 * n * n
    half = n // 2
    assert torch.equal(Lambda[half : 2 * half], Lambda[:half].conj())
    assert torch.equal(V[:, half : 2 * half], V[:, :half].conj())
    assert (Lambda.imag[:half] > 0).all() and (Lambda.imag[:half].diff() < 0).all()
    assert (P.real > 0.1).all() and P.imag.abs().max() < 1e-12 and error(B, math.sqrt(2) * P) < 1e-14
    assert n % 2 == 0 or (Lambda[-1].imag == 0 and V[:, -1].imag.abs().max() == 0)


def test_the_published_asymptotics():
    """The largest frequency is n^2 / pi - 0.5236 + o(1), the k-th n^2 / (pi (2k + 1)); S4D-Inv's ratio tends to 1."""
    gaps = []
    for n in (64, 128, 256, 512):
        frequency, inv = legs_dplr(n)[0].imag, s4d_inv(n).imag
        assert abs(float(frequency[0]) - n * n / math.pi + 0.5236) < 1 / n
        gaps.append([abs(float(inv[k] / frequency[k]) - 1) for k in range(4)])
    for early, late in itertools.pairwise(gaps):  # twice the n, half the gap
        assert all(1.7 < a / b < 2.1 for a, b in zip(early, late)), (early, late)
    assert max(gaps[-1]) < 0.02
    middle = [float(s4d_inv(n).imag[n // 4] / legs_dplr(n)[0].imag[n // 4]) for n in (64, 256)]
    assert all(abs(ratio - 0.78) < 0.005 for ratio in middle), middle  # the docstring's 22 percent


def test_the_diagonals():
    k = np.arange(4)
    for rates, want in ((s4d_lin(8), math.pi * k), (s4d_inv(8), 8 / math.pi * (8 / (2 * k + 1) - 1))):
        assert rates.dtype == torch.complex128 and rates.shape == (8,)
        np.testing.assert_allclose(rates[:4].numpy(), -0.5 + 1j * want, rtol=1e-14)
        assert torch.equal(rates[4:], rates[:4].conj())
    assert torch.equal(s4d_real(5), torch.tensor([-1.0, -2.0, -3.0, -4.0, -5.0]).double())
    eigenvalues = torch.linalg.eigvals(hippo_legs(5)[0]).real.sort(descending=True)[0]
    assert error(eigenvalues, s4d_real(5)) < 1e-12


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: hippo_legs(0), "n must be at least 1, got 0"),
        (lambda: legs_basis(3, torch.tensor([1.5])), r"positions must lie in \[0, 1\]"),
        (lambda: legs_basis(3, torch.tensor([math.nan])), r"positions must lie in \[0, 1\]"),
        (lambda: legs_memory(torch.zeros(2, 3), 4), r"u must have shape \(l\), got \(2, 3\)"),
        (lambda: legs_memory(torch.zeros(2), 4, "euler"), "rule must be one of 'bilinear', 'zoh', got 'euler'"),
        (lambda: legs_memory_fixed(torch.zeros(2), 4, 0.0), "delta must be a finite number and above 0, got 0.0"),
        (lambda: legs_reconstruct(torch.zeros(4)), "give either positions .* or ages"),
        (lambda: legs_reconstruct(torch.zeros(4), positions=torch.zeros(1), ages=torch.zeros(1)), "give either"),
        (lambda: legs_reconstruct(torch.zeros(4), ages=torch.tensor([-1.0])), "ages must be 0 or more"),
        (lambda: legs_reconstruct(torch.tensor(4.0), ages=torch.zeros(1)), "coefficients must have shape"),
        (lambda: s4d_lin(7), "n must be even, for conjugate pairs, got 7"),
        (lambda: s4d_inv(1), "n must be at least 2, got 1"),
    ],
)
def test_bad_values_are_named(make, words):
    with pytest.raises(ValueError, match=words):
        make()


@pytest.mark.parametrize(
    "make, words",
    [
        (lambda: hippo_legs(2.0), "n must be a whole number of at least 1, got 2.0"),
        (lambda: legs_basis(3, 0.5), "positions must be a floating-point tensor, got float"),
        (lambda: legs_memory([1.0], 4), r"u must be a tensor \(l\), got list"),
        (lambda: legs_memory(torch.zeros(2).long(), 4), "u must be a floating-point tensor, got torch.int64"),
        (lambda: legs_reconstruct([1.0], positions=torch.zeros(1)), "coefficients must be a floating-point tensor"),
        (lambda: legs_reconstruct(torch.zeros(3), ages=1.0), r"ages must be a tensor \(m\), got float"),
    ],
)
def test_bad_kinds_are_named(make, words):
    with pytest.raises(TypeError, match=words):
        make()


@pytest.mark.parametrize("rule", ["bilinear", "zoh"])
def test_one_coefficient_is_a_mean(rule):
    """n = 1: of the whole past every sample counts the same; of the fixed A's past the last ones count more."""
    u = torch.tensor([3.0, 0.0, -1.0, 6.0, 2.0], dtype=torch.float64)
    means = u.cumsum(0) / torch.arange(1, 6)
    if rule == "zoh":
        assert torch.allclose(legs_memory(u, 1, rule)[:, 0], means, rtol=1e-12)
        kept, h = math.exp(-0.1), 0.0
        for value, got in zip(u.tolist(), legs_memory_fixed(u, 1, 0.1, rule)[:, 0].tolist()):
            h = kept * h + (1 - kept) * value
            assert got == pytest.approx(h, rel=1e-12)
    held = torch.ones(50, dtype=torch.float64)
    assert torch.allclose(legs_memory(held, 1, rule)[:, 0], held, rtol=1e-12), "a constant is its own mean"
