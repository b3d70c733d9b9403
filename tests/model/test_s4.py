"""The kernels of S4D and S4 against explicit matrices, step by step, for any length."""

import pytest
import torch

from mamba_edu import (
    cauchy_kernel,
    diagonal_kernel,
    discretize_bilinear,
    discretize_zoh,
    dplr_kernel,
    generating_function,
    hippo_legs,
    kernel_by_powers,
    kernel_from_spectrum,
    legs_dplr,
    real_system,
    roots_of_unity,
    s4d_lin,
    truncate,
    woodbury,
)

LENGTHS = [1, 2, 3, 5, 31, 64, 100, 127, 128, 129, 1000, 1023]  # most are no power of two


def loop(A_bar, B_bar, C, l):
    """C A_bar^k B_bar, one product after the other: what every kernel here must be."""
    h, K = B_bar, []
    for _ in range(l):
        K.append((C @ h)[0, 0])
        h = A_bar @ h
    return torch.stack(K)


def random_pairs(h, d=None):
    """A system that is no LegS: complex P, rates of all sizes; (h) or (d, h) pairs."""
    shape = (h,) if d is None else (d, h)
    draw = lambda: torch.randn(*shape, dtype=torch.complex128)  # noqa: E731
    Lambda = torch.complex(-torch.rand(shape, dtype=torch.float64) - 0.05, 10 * torch.randn(shape, dtype=torch.float64))
    return Lambda, draw(), draw(), draw()


def whole(Lambda, P, B, C):
    """The full complex system of (n / 2) pairs, written out: A (n, n), B (n, 1), C (1, n)."""
    Lambda, P, B, C = (torch.cat([x, x.conj()]) for x in (Lambda, P, B, C))
    return torch.diag(Lambda) - torch.outer(P, P.conj()), B[:, None], C[None]


@pytest.mark.parametrize("l", LENGTHS)
@pytest.mark.parametrize("delta", [1e-3, 0.1])
@pytest.mark.parametrize("n", [2, 64])
def test_the_dplr_kernel_of_legs_is_that_of_the_matrix(n, delta, l, close):
    """From A itself, not from its decomposition: C is drawn for the original coordinates."""
    A, B = hippo_legs(n)
    C = torch.randn(1, n, dtype=torch.float64)
    A_bar, B_bar = discretize_bilinear(delta, A, B)
    want = loop(A_bar, B_bar, C, l)
    Lambda, P, B, V = legs_dplr(n)
    half = slice(n // 2)
    close(dplr_kernel(Lambda[half], P[half], B[half], (C.to(V) @ V)[0, half], delta, l), want, 1e-10)
    close(kernel_by_powers(A_bar, B_bar, C, l), want, 1e-12)


@pytest.mark.parametrize("l", LENGTHS)
def test_the_dplr_kernel_of_any_pairs_is_that_of_the_matrix(l, close):
    pairs = random_pairs(5)
    A, B, C = whole(*pairs)
    K = loop(*discretize_bilinear(0.07, A, B), C, l)
    assert K.imag.abs().max() < 1e-10 * K.real.abs().max()
    close(dplr_kernel(*pairs, 0.07, l), K.real, 1e-10)


@pytest.mark.parametrize("l", [1, 2, 7, 50, 129])
def test_the_generating_function_is_the_transform_of_the_kernel(l, close):
    A, B, C = real_system(*random_pairs(3))
    A_bar, B_bar = discretize_bilinear(0.1, A, B)
    K = loop(A_bar, B_bar, C, l)
    spectrum = generating_function(A_bar, B_bar, C, l)
    z = roots_of_unity(l)
    close(spectrum, torch.stack([(K * x ** torch.arange(l)).sum() for x in z]), 1e-11)
    close(spectrum, torch.fft.rfft(K), 1e-11)
    close(kernel_from_spectrum(spectrum, l), K, 1e-11)


def test_the_roots_are_those_of_the_fft(close):
    for l in (1, 2, 9, 10):
        z = roots_of_unity(l)
        assert z.shape == (l // 2 + 1,) and z.dtype == torch.complex128
        close(z**l, torch.ones_like(z))
        impulse = torch.zeros(l).double()
        impulse[1 % l] = 1
        close(torch.fft.rfft(impulse), z ** (1 % l))


def test_real_matrices_say_the_same_as_pairs(close):
    pairs = random_pairs(4)
    A, B, C = real_system(*pairs)
    assert not A.is_complex() and A.shape == (8, 8) and B.shape == (8, 1) and C.shape == (1, 8)
    full, b, c = whole(*pairs)
    change = torch.cat([torch.eye(4), 1j * torch.eye(4)], 1).to(full)  # h from (Re h, Im h)
    change = torch.cat([change, change.conj()])  # and its conjugate
    close(change @ A.to(full), full @ change)
    close(change @ B.to(full), b)
    close(c @ change, C.to(full))


def test_truncate_takes_off_what_comes_after(close):
    """The kernel of C~ is that of C less the same one, l steps later."""
    Lambda, P, B, C = random_pairs(3)
    l, delta = 37, 0.05
    A, b, _ = whole(Lambda, P, B, C)
    A_bar, B_bar = discretize_bilinear(delta, A, b)
    cut = truncate(Lambda, P, C, delta, l)
    long = loop(A_bar, B_bar, torch.cat([C, C.conj()])[None], 2 * l)
    close(loop(A_bar, B_bar, torch.cat([cut, cut.conj()])[None], l), long[:l] - long[l:], 1e-11)


def test_cauchy_by_hand(close):
    weights, Lambda = torch.randn(2, 3, 4, dtype=torch.complex128), torch.randn(2, 4, dtype=torch.complex128)
    alpha, beta = torch.randn(5, dtype=torch.complex128), torch.randn(2, 5, dtype=torch.complex128)
    beta[0, 1] = 0  # z = -1
    got = cauchy_kernel(weights, Lambda, alpha, beta)
    assert got.shape == (2, 3, 5)
    for c, r, m in [(0, 0, 0), (1, 2, 4), (0, 1, 1), (1, 0, 3)]:
        want = sum(weights[c, r, i] / (alpha[m] - beta[c, m] * Lambda[c, i]) for i in range(4))
        close(got[c, r, m], want)


def test_woodbury_is_the_inverse(close):
    C, B, P = (torch.randn(6, dtype=torch.complex128) for _ in range(3))
    D, beta = torch.randn(6, dtype=torch.complex128), torch.tensor(0.3 - 0.8j, dtype=torch.complex128)
    want = C @ torch.linalg.solve(torch.diag(D) + beta * torch.outer(P, P.conj()), B)
    close(woodbury(C @ (B / D), C @ (P / D), P.conj() @ (B / D), P.conj() @ (P / D), beta), want)


@pytest.mark.parametrize("l", [1, 2, 5, 127, 128, 130])
@pytest.mark.parametrize("rule, discretize", [("zoh", discretize_zoh), ("bilinear", discretize_bilinear)])
def test_the_diagonal_kernel_is_that_of_the_matrix(rule, discretize, l, close):
    Lambda, _, B, C = random_pairs(6)
    A, b, c = whole(Lambda, torch.zeros_like(B), B, C)
    want = loop(*discretize(0.07, A, b), c, l)
    close(diagonal_kernel(Lambda, B, C, 0.07, l, rule), want.real, 1e-11)
    assert want.imag.abs().max() < 1e-10 * want.real.abs().max()
    rates = -torch.tensor([1.0, 2.0, 20.0, 300.0], dtype=torch.float64)  # at delta = 0.1: A_bar = 0 and A_bar < 0, too
    b, c = torch.randn(4, 1).double(), torch.randn(1, 4).double()
    want = loop(*discretize(0.1, torch.diag(rates), b), c, l)
    close(diagonal_kernel(rates, b[:, 0], c[0], 0.1, l, rule), want, 1e-11)


def test_a_system_per_channel(close):
    pairs, delta = random_pairs(3, d=4), torch.tensor([0.001, 0.01, 0.1, 1.0], dtype=torch.float64)
    Lambda, _, B, C = pairs
    rows = [dplr_kernel(*(x[c] for x in pairs), float(delta[c]), 21) for c in range(4)]
    close(dplr_kernel(*pairs, delta, 21), torch.stack(rows))
    for rule in ("zoh", "bilinear"):
        rows = [diagonal_kernel(Lambda[c], B[c], C[c], delta[c], 21, rule) for c in range(4)]
        close(diagonal_kernel(Lambda, B, C, delta, 21, rule), torch.stack(rows))
    A, b, c = real_system(*pairs)
    A_bar, B_bar = torch.vmap(discretize_bilinear)(delta, A, b)
    want = torch.stack([loop(A_bar[i], B_bar[i], c[i], 21) for i in range(4)])
    close(kernel_by_powers(A_bar, B_bar, c, 21), want, 1e-12)
    close(kernel_from_spectrum(generating_function(A_bar, B_bar, c, 21), 21), want, 1e-10)
    close(dplr_kernel(*pairs, delta, 21), want, 1e-10)


def test_a_longer_kernel_begins_with_the_shorter(close):
    pairs = random_pairs(4)
    long = dplr_kernel(*pairs, 0.05, 300)
    for l in (1, 2, 77, 256, 299):
        close(dplr_kernel(*pairs, 0.05, l), long[:l], 1e-10)


@pytest.mark.parametrize("l", [1, 2, 7])
def test_gradients_of_the_kernels(l):
    Lambda, P, B, C = (x.requires_grad_() for x in random_pairs(2, d=2))
    delta = torch.tensor([0.05, 0.5], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda *a: dplr_kernel(*a, l), (Lambda, P, B, C, delta))
    for rule in ("zoh", "bilinear"):
        assert torch.autograd.gradcheck(lambda *a, rule=rule: diagonal_kernel(*a, l, rule), (Lambda, B, C, delta))
    rates = (-torch.rand(2, 3).double() - 0.1).requires_grad_()
    b, c = (torch.randn(2, 3, dtype=torch.float64, requires_grad=True) for _ in range(2))
    assert torch.autograd.gradcheck(lambda *a: diagonal_kernel(*a, l, "bilinear"), (rates, b, c, delta))


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda p: dplr_kernel(*p, 0.1, 0), ValueError, "l must be at least 1, got 0"),
        (lambda p: dplr_kernel(*p, torch.ones(3), 4), ValueError, r"delta must be a number or \(\), got \(3,\)"),
        (
            lambda p: dplr_kernel(p[0].real, *p[1:], 0.1, 4),
            TypeError,
            "Lambda must be a complex tensor, got torch.float64",
        ),
        (lambda p: dplr_kernel(p[0], p[1][:2], *p[2:], 0.1, 4), ValueError, r"P must be \(n\) .* got \(2,\)"),
        (lambda p: diagonal_kernel(p[0], p[1], p[2].real, 0.1, 4), ValueError, "C must be .* torch.complex128, got"),
        (
            lambda p: diagonal_kernel(p[0], [1.0], p[2], 0.1, 4),
            TypeError,
            "B must be a complex or real tensor, got list",
        ),
        (lambda p: diagonal_kernel(*p[:3], 0.1, 4, "euler"), ValueError, "rule must be one of 'zoh', 'bilinear'"),
        (lambda p: kernel_by_powers(*whole(*p)[:2], p[3], 4), ValueError, r"C must have shape \(1, n\)"),
        (lambda p: kernel_by_powers(p[0], p[1], p[2], 4), ValueError, r"A_bar must have shape \(d, n, n\)"),
        (lambda p: generating_function(whole(*p)[0][:2], *whole(*p)[1:], 4), ValueError, "A_bar must have shape"),
        (lambda p: roots_of_unity(2.0), TypeError, "l must be a whole number"),
        (lambda p: s4d_lin(3), ValueError, "n must be even"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make(random_pairs(3))
