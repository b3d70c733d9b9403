"""core.js against PyTorch and the package in float64: functions, convolutions, discretisation. 1e-9 of the largest."""

import math

import pytest
import torch
import torch.nn.functional as F
from core_page import LENGTHS

from mamba_edu import (
    CausalConv1d,
    RMSNorm,
    discretize_bilinear,
    discretize_euler,
    discretize_mixed,
    discretize_zoh,
)

RULES = {
    "discretizeZoh": discretize_zoh,
    "discretizeBilinear": discretize_bilinear,
    "discretizeEuler": discretize_euler,
    "discretizeMixed": discretize_mixed,
}
inf, nan = math.inf, math.nan


def same(got, want):
    """Equal number by number, NaN, infinities and the sign of zero included."""
    want = want.tolist() if isinstance(want, torch.Tensor) else want
    return repr(tensor_free(got)) == repr(tensor_free(want))


def tensor_free(x):
    return [tensor_free(value) for value in x] if isinstance(x, list) else float(x)


# One number


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "silu"])
def test_a_function_of_one_number(name, draw, hold):
    """Each value for itself: next to 700 a wrong 1e-8 would not be seen."""
    function = {"softplus": F.softplus, "sigmoid": torch.sigmoid, "silu": F.silu}[name]
    near = torch.tensor([20.0, math.nextafter(20, 0), math.nextafter(20, 30), 19.99, 20.01, 0.0, -0.0, 36.0, -36.0])
    x = torch.cat([draw(100), 30 * draw(200), draw.between(1e-12, 700, 100), -draw.between(1e-12, 700, 100), near])
    hold(name, [[value] for value in x.tolist()], function(x))


def test_softplus_is_the_identity_only_above_20(core):
    above, at = core.call("softplus", [[math.nextafter(20, 30)], [20.0]])
    assert above == math.nextafter(20, 30)
    assert at > 20 and abs(at - 20 - 2.061153618190204e-09) < 1e-14


@pytest.mark.parametrize("name", ["softplus", "sigmoid", "silu"])
def test_the_ends_of_the_line(name, core):
    function = {"softplus": F.softplus, "sigmoid": torch.sigmoid, "silu": F.silu}[name]
    x = torch.tensor([inf, -inf, nan, 0.0, -0.0, 1e308, -1e308], dtype=torch.float64)
    assert same(core.call(name, [[value] for value in x.tolist()]), function(x))


# One vector


def logits(draw):
    """Vectors small and large, far from zero, flat, and with one value above all others."""
    yield from (scale * draw(n) for n in (1, 2, 5, 64, 257) for scale in (1e-3, 1, 30, 1e3))
    yield from (draw(n) + shift for n in (2, 9, 100) for shift in (-1e6, 1e6, -700, 700, 1e3))
    yield from (torch.zeros(n, dtype=torch.float64) for n in (1, 7))
    yield torch.cat([draw(20), torch.tensor([1e4], dtype=torch.float64)])
    yield -draw.between(1e-8, 1e4, 50)


VECTOR_FUNCTIONS = {
    "logSumExp": lambda x: x.logsumexp(0),
    "logSoftmax": lambda x: x.log_softmax(0),
    "softmax": lambda x: x.softmax(0),
    "cumsum": lambda x: x.cumsum(0),
    "cumprod": lambda x: x.cumprod(0),
}


@pytest.mark.parametrize("name", VECTOR_FUNCTIONS)
def test_a_function_of_one_vector(name, draw, hold):
    xs = [x / 1e3 if name == "cumprod" else x for x in logits(draw)]  # else the products are no numbers
    if name != "logSumExp":  # PyTorch's own of nothing is tested below
        xs.append(torch.zeros(0, dtype=torch.float64))
    hold(name, [[x] for x in xs], [VECTOR_FUNCTIONS[name](x) for x in xs])


@pytest.mark.parametrize("name", ["logSumExp", "logSoftmax", "softmax"])
def test_masked_and_infinite_logits(name, core):
    """Masked positions are -inf; nothing else than that, and a +inf, is NaN or infinite as in PyTorch."""
    xs = [[0.0, -inf, 0.0], [-inf, -inf], [inf, 0.0], [inf, inf], [nan, 0.0], [-inf, 3.0], [nan, inf], [1.0, 2.0, nan]]
    xs = [torch.tensor(x, dtype=torch.float64) for x in xs]
    got = core.call(name, [[x] for x in xs])
    for mine, x in zip(got, xs, strict=True):
        true = VECTOR_FUNCTIONS[name](x)
        mine = torch.tensor(mine, dtype=torch.float64)
        torch.testing.assert_close(mine, true, rtol=1e-12, atol=0, equal_nan=True)


def test_far_from_zero_only_differences_count(core):
    """2^40 + k is exact, and so is its difference to the largest: nothing may be lost on the way."""
    far, near = core.call("logSoftmax", [[[2.0**40 + k for k in range(5)]], [[0.0, 1.0, 2.0, 3.0, 4.0]]])
    assert far == near


def test_nothing_sums_to_nothing(core):
    assert core.call("logSumExp", [[[]]]) == [-inf] == [torch.zeros(0).logsumexp(0).item()]


def test_argmax(core, draw):
    xs = [draw(n) for n in (1, 2, 17, 300)] + [-draw.between(1, 1e6, 40)]
    xs += [torch.tensor(x) for x in ([1.0, nan, 5.0, nan], [-inf, -inf], [3.0, inf, 2.0], [-inf, -1.0], [nan])]
    assert core.call("argmax", [[x] for x in xs]) == [x.argmax().item() for x in xs]
    assert core.call("argmax", [[[2, 7, 7, 1, 7]], [[0, 0]], [[-0.0, 0.0]]]) == [1, 0, 0]  # the first of equals


# Vectors and matrices


def test_matvec_and_matmul(draw, hold):
    sizes = [(1, 1, 1), (2, 3, 4), (5, 1, 7), (1, 9, 1), (17, 33, 5), (0, 3, 2), (3, 4, 0)]
    pairs = [(scale * draw(m, k), draw(k, n)) for m, k, n in sizes for scale in (1e-6, 1, 1e6)]
    hold("matmul", pairs, [P @ Q for P, Q in pairs])
    pairs = [(P, Q[:, 0] if Q.shape[1] else draw(len(Q))) for P, Q in pairs]
    hold("matvec", pairs, [P @ v for P, v in pairs])


def test_linear(draw, hold):
    cases = []
    for m, k in [(1, 1), (3, 5), (16, 4), (7, 64)]:
        weight, bias = draw(m, k), draw(m)
        cases += [[x, weight, b] for x in (draw(k), draw(6, k), draw(1, k), draw(0, k)) for b in (bias, None)]
        cases.append([draw(k), weight])
    hold("linear", cases, [F.linear(*case) for case in cases])


@torch.no_grad()
def test_rms_norm_is_the_packages(draw, hold):
    cases, wants = [], []
    for d in (1, 2, 16, 100):
        norm = RMSNorm(d).double()
        for scale in (0.0, 1e-8, 1, 1e6):
            for x in (scale * draw(d), scale * draw(5, d)):
                norm.weight.copy_(torch.ones(d))
                cases.append([x])
                wants.append(norm(x))
                norm.weight.copy_(draw(d))
                cases.append([x, norm.weight.data.clone()])
                wants.append(norm(x))
    x = draw(3, 7)
    cases += [[x, None, 0.25], [x, draw(7), 1e-12]]
    wants += [F.rms_norm(x, (7,), weight, eps) for _, weight, eps in cases[-2:]]
    hold("rmsNorm", cases, wants)


# Convolution


def filters(draw):
    """(layer, x (1, l, d), state (1, k - 1, d)) of every length, some shorter than the filter."""
    for l in LENGTHS:
        for d, k in [(1, 1), (2, 4), (3, 3), (1, 7), (4, 2)]:
            layer = CausalConv1d(d, k, bias=k != 3).double()
            yield layer, draw(1, l, d), draw(1, k - 1, d)


def described(layer):
    return {} if layer.bias is None else {"bias": layer.bias.data}


@torch.no_grad()
def test_causal_convolution_is_the_packages(draw, hold):
    torch.manual_seed(0)
    cases, wants = [], []
    for layer, x, state in filters(draw):
        weight = layer.weight.data[:, 0]
        for given, options in [(state, {"state": state[0]}), (None, {})]:
            cases.append([x[0], weight, {**described(layer), **options}])
            wants.append(dict(zip(("y", "state"), (part[0] for part in layer(x, given, return_state=True)))))
    hold("causalConv1d", cases, wants)


@torch.no_grad()
def test_a_step_of_the_convolution_is_the_packages(draw, hold):
    torch.manual_seed(0)
    cases, wants = [], []
    for layer, x, state in filters(draw):
        if x.shape[1]:
            cases.append([x[0, 0], layer.weight.data[:, 0], state[0], described(layer)])
            wants.append(dict(zip(("y", "state"), (part[0] for part in layer.step(x[:, 0], state)))))
    hold("causalConv1dStep", cases, wants)


def toeplitz(K, l):
    """The matrix (l, l) with K[t - s] at t >= s."""
    lag = torch.arange(l)[:, None] - torch.arange(l)
    padded = torch.cat([K, K.new_zeros(max(l - len(K), 0) + 1)])
    return torch.where(lag >= 0, padded[lag.clamp(min=0)], 0)


def test_full_convolution(draw, hold):
    cases = [[draw(k), draw(l)] for l in LENGTHS for k in {0, 1, l, l // 2, l + 3}]
    hold("conv1dFull", cases, [toeplitz(K, len(u)) @ u for K, u in cases])


# Discretisation


def systems(draw):
    """(A, B) diagonal: real and complex, on the stable side, fast and slow, zero too; B real or complex."""
    for n in (1, 3, 8):
        yield -draw.between(1e-6, 1e4, n), draw(n)
        yield torch.complex(-draw.between(1e-6, 1e4, n), 10 * draw(n)), torch.complex(draw(n), draw(n))
        yield torch.complex(-draw.between(1e-6, 1e2, n), draw.between(1e-6, 1e3, n)), draw(n)
        yield -draw.between(1e-3, 1, n), torch.complex(draw(n), draw(n))
    yield torch.tensor([0.0, -0.0, -1.0], dtype=torch.float64), draw(3)
    yield torch.tensor([0, 1j, -2j, -1e-9 + 1e-9j], dtype=torch.complex128), draw(4)
    yield draw.between(1e-6, 1, 3), draw(3)  # unstable ones grow, and that is right
    yield torch.zeros(0, dtype=torch.float64), torch.zeros(0, dtype=torch.float64)


def rule_cases(draw):
    for A, B in systems(draw):
        for delta in (0.0, 1e-8, 1e-3, 0.1, 1.0, 50.0):
            yield delta, A, B
        for l in LENGTHS[:4]:
            delta = draw.between(1e-8, 50, l)
            yield delta, A, B
            yield delta, A, B * draw(l, 1)


def as_complex(x, wanted):
    return x + 0j if wanted and not x.is_complex() else x


@pytest.mark.parametrize("name", RULES)
def test_a_rule_is_the_packages(name, draw, hold):
    cases = list(rule_cases(draw))
    wants = []
    for delta, A, B in cases:
        A_bar, B_bar = RULES[name](delta, A, B)
        wants.append({"ABar": A_bar, "BBar": as_complex(B_bar, A.is_complex())})
    assert len(cases) > 200
    hold(name, cases, wants)


@pytest.mark.parametrize("A", [-1.0, -1.0 + 1.0j, 1j], ids=["real", "complex", "imaginary"])
def test_exact_zoh_keeps_its_digits_as_delta_A_vanishes(A, core):
    """BBar / delta is 1 + x/2 + x^2/6 there; exp(x) - 1 taken literally is left with a handful of digits."""
    for delta in (1e-3, 1e-6, 1e-9, 1e-12, 1e-15, 1e-300):
        (got,) = core.call("discretizeZoh", [[delta, torch.tensor([A]).to(torch.complex128), [1.0]]])
        x = delta * complex(A)
        series = 1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5)))
        assert abs(complex(got["BBar"]["re"][0], got["BBar"]["im"][0]) / delta - series) < 1e-15


def test_a_rule_that_blows_up_does_so_as_in_pytorch(core):
    """A real system stays real: no imaginary zero meets an infinity. At delta A = 2 the trapezoid divides by zero."""
    A = torch.tensor([800.0, 2.0, -1e4], dtype=torch.float64)
    for name, rule in RULES.items():
        (got,) = core.call(name, [[1.0, A, [1.0, 1.0, 1.0]]])
        for mine, true in zip((got["ABar"], got["BBar"]), rule(1.0, A, torch.ones(3, dtype=torch.float64))):
            torch.testing.assert_close(torch.tensor(mine, dtype=torch.float64), true, rtol=1e-12, atol=0)
