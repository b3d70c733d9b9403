"""The four rules against scipy, against each other, and against what `selective_scan` does."""

import math

import numpy as np
import pytest
import scipy.linalg
import scipy.special
import torch

from mamba_edu import discretize_bilinear, discretize_euler, discretize_mixed, discretize_zoh, selective_scan

RULES = [discretize_zoh, discretize_bilinear, discretize_euler, discretize_mixed]


def full_system(n=5):
    A = torch.randn(n, n, dtype=torch.float64) - 2 * torch.eye(n, dtype=torch.float64)
    return A, torch.randn(n, 1, dtype=torch.float64)


def test_zoh_of_a_full_matrix_is_scipys(close):
    A, B = full_system()
    for delta in (1e-3, 0.1, 1.0):
        power = scipy.linalg.expm(delta * A.numpy())
        A_bar, B_bar = discretize_zoh(delta, A, B)
        close(A_bar, torch.from_numpy(power))
        close(B_bar, torch.from_numpy(np.linalg.solve(A.numpy(), (power - np.eye(5)) @ B.numpy())), 1e-11)


def test_zoh_needs_no_inverse(close):
    A = torch.tensor([[0.0, 1.0], [0.0, 0.0]], dtype=torch.float64)  # position and speed
    A_bar, B_bar = discretize_zoh(0.5, A, torch.tensor([[0.0], [1.0]], dtype=torch.float64))
    close(A_bar, torch.tensor([[1.0, 0.5], [0.0, 1.0]], dtype=torch.float64))
    close(B_bar, torch.tensor([[0.125], [0.5]], dtype=torch.float64))


def test_zoh_is_what_many_tiny_steps_arrive_at():
    A, B = full_system()
    h = torch.randn(5, 1, dtype=torch.float64)
    A_bar, B_bar = discretize_zoh(0.4, A, B)
    exact = A_bar @ h + B_bar * 1.7
    small_A, small_B = discretize_euler(0.4 / 20_000, A, B)
    for _ in range(20_000):
        h = small_A @ h + small_B * 1.7
    assert (h - exact).abs().max() < 1e-3 * exact.abs().max()


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_a_diagonal_is_a_full_matrix_with_zeros(rule, dtype, close):
    A = -torch.rand(6, dtype=torch.float64) - 0.1 + (torch.randn(6) * 1j if dtype.is_complex else 0)
    A, B = A.to(dtype), torch.randn(6, dtype=torch.float64).to(dtype)
    delta = torch.rand(3, 4, dtype=torch.float64)
    A_bar, B_bar = rule(delta, A, B)
    full_A, full_B = rule(delta, torch.diag(A), B[:, None])
    assert A_bar.dtype == B_bar.dtype == dtype
    close(torch.view_as_real(torch.diag_embed(A_bar) + 0j), torch.view_as_real(full_A + 0j), 1e-11)
    close(torch.view_as_real(B_bar + 0j), torch.view_as_real(full_B[..., 0] + 0j), 1e-11)


@pytest.mark.parametrize("rule", RULES)
def test_shapes_of_mamba(rule, close):
    delta, A = torch.rand(2, 7, 3).double(), -torch.rand(3, 4).double()
    B = torch.randn(2, 7, 4).double()
    A_bar, B_bar = rule(delta, A, B)
    assert A_bar.shape == B_bar.shape == (2, 7, 3, 4)
    own_A, own_B = rule(delta[1, 5, 2], A[2], B[1, 5])
    close(A_bar[1, 5, 2], own_A)
    close(B_bar[1, 5, 2], own_B)
    per_channel = B[:, :, None] * torch.randn(3, 4).double()  # (b, l, d, n)
    close(rule(delta, A, per_channel)[1][1, 5, 2], rule(delta[1, 5, 2], A[2], per_channel[1, 5, 2])[1])


def test_bilinear_against_its_formula(close):
    A, B = full_system()
    one = np.eye(5)
    inverse = np.linalg.inv(one - 0.15 * A.numpy())
    A_bar, B_bar = discretize_bilinear(0.3, A, B)
    close(A_bar, torch.from_numpy(inverse @ (one + 0.15 * A.numpy())), 1e-11)
    close(B_bar, torch.from_numpy(inverse @ B.numpy() * 0.3), 1e-11)


def exact_bars(delta, A, B):
    """scipy's exponential of [[A, B], [0, 0]], and its two upper blocks: the judge, for singular A too."""
    n = len(A)
    system = np.zeros((n + 1, n + 1), dtype=np.result_type(A.numpy(), B.numpy()))
    system[:n] = np.hstack([A.numpy(), B.numpy()])
    power = scipy.linalg.expm(delta * system)
    return torch.from_numpy(power[:n, :n]), torch.from_numpy(power[:n, n:])


@pytest.mark.parametrize("dtype", [torch.float64, torch.complex128])
def test_zoh_is_scipys_for_every_step_of_a_sequence(dtype, close):
    """Complex, stiff, far from normal, with an eigenvalue that is zero; delta (b, l)."""
    A = torch.randn(4, 4, dtype=dtype).triu(1) * 30 + torch.diag(torch.tensor([-50.0, -1.0, 0.0, -1e-3])).to(dtype)
    B, delta = torch.randn(4, 1, dtype=dtype), torch.rand(2, 3, dtype=torch.float64)
    A_bar, B_bar = discretize_zoh(delta, A, B)
    assert A_bar.shape == (2, 3, 4, 4) and B_bar.shape == (2, 3, 4, 1) and A_bar.dtype == B_bar.dtype == dtype
    for i in np.ndindex(2, 3):
        for got, want in zip((A_bar[i], B_bar[i]), exact_bars(delta[i].item(), A, B)):
            close(got.real, want.real, 1e-11)
            if dtype.is_complex:
                close(got.imag, want.imag, 1e-11)


def test_zoh_of_a_full_matrix_at_every_size_of_step(close):
    """torch's exponential is weakest for norms near 0.05: 2e-11."""
    A, B = full_system()
    for size in np.logspace(-6, 2, 60):
        delta = float(size / torch.linalg.matrix_norm(A, 1))
        for got, want in zip(discretize_zoh(delta, A, B), exact_bars(delta, A, B)):
            close(got, want, 1e-10)


def test_two_half_steps_are_a_whole_one(close):
    """With the input held, exact steps compose. No approximate rule can say that."""
    A, B = full_system()
    for rule in RULES:
        half_A, half_B = rule(0.15, A, B)
        twice = torch.cat([half_A @ half_A, half_A @ half_B + half_B], dim=1)
        whole = torch.cat(rule(0.3, A, B), dim=1)
        if rule is discretize_zoh:
            close(twice, whole)
        else:
            assert (twice - whole).abs().max() > 1e-3 * whole.abs().max()


@pytest.mark.parametrize(
    "rule, order_A, order_B",
    [(discretize_euler, 2, 2), (discretize_bilinear, 3, 3), (discretize_mixed, None, 2), (discretize_zoh, None, None)],
)
def test_error_of_one_step_falls_with_its_order(rule, order_A, order_B):
    A, B = full_system()
    errors = []
    for delta in (2e-3, 1e-3):
        exact = exact_bars(delta, A, B)
        errors.append([(got - want).abs().max().item() for got, want in zip(rule(delta, A, B), exact)])
    for order, wide, narrow in zip((order_A, order_B), *errors):
        if order is None:
            assert max(wide, narrow) < 1e-10
        else:
            assert math.log2(wide / narrow) == pytest.approx(order, abs=0.05)


@pytest.mark.parametrize(
    "rule, order",
    [(discretize_euler, 1), (discretize_bilinear, 2), (discretize_mixed, 1), (discretize_zoh, None)],
)
def test_error_of_a_second_falls_by_one_order_less(rule, order):
    """Halve the step and twice as many are needed: over a fixed time Euler is of order 1, the trapezoid of order 2."""
    A, B = full_system()
    h0 = torch.randn(5, 1, dtype=torch.float64)
    kept, written = exact_bars(1.0, A, B)
    exact, errors = kept @ h0 + written * 1.7, []
    for steps in (1000, 2000):
        A_bar, B_bar = rule(1 / steps, A, B)
        h = h0
        for _ in range(steps):
            h = A_bar @ h + B_bar * 1.7
        errors.append(((h - exact).abs().max() / exact.abs().max()).item())
    if order is None:
        assert max(errors) < 1e-12
    else:
        assert math.log2(errors[0] / errors[1]) == pytest.approx(order, abs=0.05)


def test_stability_regions():
    """Which z = delta A end inside the unit disc: the left half plane, or for Euler a disc of radius 1 around -1."""
    real, imaginary = torch.meshgrid(torch.linspace(-6, 2, 81), torch.linspace(-5, 5, 101), indexing="ij")
    z = torch.complex(real + 0.05, imaginary).to(torch.complex128).flatten()  # no point on a border
    left, disc = z.real < 0, (z + 1).abs() < 1
    assert 0 < disc.sum() < left.sum() < len(z)
    for rule in RULES:
        inside = rule(1.0, z, torch.ones_like(z))[0].abs() < 1
        assert torch.equal(inside, disc if rule is discretize_euler else left), rule.__name__


def test_a_pure_oscillation_stays_one_under_zoh_and_bilinear_and_grows_under_euler():
    A = 1j * torch.tensor([0.1, 1.0, 3.0, 30.0], dtype=torch.float64)
    for rule in (discretize_zoh, discretize_bilinear):
        assert (rule(1.0, A, torch.ones_like(A))[0].abs() - 1).abs().max() < 1e-15
    grows = discretize_euler(1.0, A, torch.ones_like(A))[0].abs()
    assert (grows - (1 + A.imag**2).sqrt()).abs().max() < 1e-14 * grows.max()


def test_who_survives_a_large_step():
    A, B = torch.tensor([-50.0]), torch.ones(1)
    assert discretize_zoh(1.0, A, B)[0].abs() < 1
    assert discretize_bilinear(1.0, A, B)[0].abs() < 1
    assert discretize_euler(1.0, A, B)[0].abs() > 1


def test_zoh_near_zero_in_value_and_gradient():
    sizes = [0.0, 1e-300, 1e-20, 1e-9, 1e-6, 1e-3, 9.9e-3, 1.01e-2, 0.1, 3.0]
    x = torch.tensor(sizes + [-s for s in sizes], dtype=torch.float64)
    A = x.clone().requires_grad_()
    _, B_bar = discretize_zoh(1.0, A, torch.ones_like(x))
    np.testing.assert_allclose(B_bar.detach().numpy(), scipy.special.exprel(x.numpy()), rtol=2e-15)
    B_bar.sum().backward()
    slope = [math.fsum(k * v ** (k - 1) / math.factorial(k + 1) for k in range(1, 60)) for v in x.tolist()]
    np.testing.assert_allclose(A.grad.numpy(), slope, rtol=1e-10)


def test_zoh_in_float32_near_zero():
    A = -torch.logspace(-12, 1, 200)
    _, B_bar = discretize_zoh(1.0, A, torch.ones(200))
    np.testing.assert_allclose(B_bar.numpy(), scipy.special.exprel(A.double().numpy()), rtol=5e-7)


def test_mamba_and_exact_zoh_part_by_half_a_step():
    """B_bar of the two rules differs by delta A / 2 of itself: half at delta A = 1, nothing to speak of at 1e-3."""
    A, B = -torch.arange(1.0, 17.0).double(), torch.randn(16).double()
    for delta, tolerance in ((1e-2, 0.06), (1e-3, 0.006), (1e-4, 0.0006)):
        A_zoh, zoh = discretize_zoh(delta, A, B)
        A_mixed, mixed = discretize_mixed(delta, A, B)
        assert torch.equal(A_zoh, A_mixed)
        ratio = (mixed / zoh - 1) / (-delta * A / 2)
        assert (ratio - 1).abs().max() < tolerance


def test_selective_scan_follows_the_mixed_rule(close):
    b, l, d, n = 2, 9, 3, 4
    u, B, C = torch.randn(b, l, d).double(), torch.randn(b, l, n).double(), torch.randn(b, l, n).double()
    delta, A = torch.rand(b, l, d).double() * 0.2, -torch.rand(d, n).double() * 8

    def recur(rule):
        A_bar, B_bar = rule(delta, A, B)  # (b, l, d, n)
        h, ys = torch.zeros(b, d, n).double(), []
        for t in range(l):
            h = A_bar[:, t] * h + B_bar[:, t] * u[:, t, :, None]
            ys.append((h * C[:, t, None]).sum(-1))
        return torch.stack(ys, 1)

    y = selective_scan(u, delta, A, B, C)
    close(y, recur(discretize_mixed))
    off = (y - recur(discretize_zoh)).abs().max() / y.abs().max()
    assert 0.05 < off < 1, f"exact ZOH for B should be visibly another function here, is {off:.3f} away"


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(
    "delta, A, B, error, words",
    [
        ("0.1", torch.ones(2), torch.ones(2), TypeError, "delta must be a number"),
        (True, torch.ones(2), torch.ones(2), TypeError, "delta must be a number"),
        (torch.ones(2, dtype=torch.int64), torch.ones(2), torch.ones(2), TypeError, "delta .* got torch.int64"),
        (0.1, [1.0], torch.ones(1), TypeError, "A must be .* got list"),
        (0.1, torch.ones(2), torch.ones(2, dtype=torch.int32), TypeError, "B must be .* got torch.int32"),
        (0.1, torch.ones(2, 2, 2), torch.ones(2), ValueError, r"A must have shape .* got \(2, 2, 2\)"),
        (0.1, torch.ones(2), torch.ones(3), ValueError, r"B must end in n=2.* got \(3,\)"),
        (0.1, torch.ones(3, 3), torch.ones(3), ValueError, r"B must be \(n, 1\) where A is full"),
        (torch.ones(5, 4), torch.ones(3, 2), torch.ones(5, 2), ValueError, r"delta must have .* d=3 .* got \(5, 4\)"),
        (torch.ones(5, 3), torch.ones(3, 2), torch.ones(4, 2), ValueError, r"B must fit delta \(5, 3\)"),
    ],
)
def test_bad_input_is_named(rule, delta, A, B, error, words):
    with pytest.raises(error, match=words):
        rule(delta, A, B)
