"""The layers S4D and S4: recurrence == convolution == step, training, the start, what is spared from decay."""

import copy
import math
import pickle

import pytest
import torch
from torch import nn

from mamba_edu import S4, S4D, legs_dplr, parameter_groups, s4d_inv, s4d_lin
from mamba_edu.training import TrainSettings
from mamba_edu.training.optimizer import make_optimizer

LAYERS = {
    "S4": lambda d, n, **k: S4(d, n, **k),
    "lin": lambda d, n, **k: S4D(d, n, "lin", **k),
    "inv, bilinear": lambda d, n, **k: S4D(d, n, "inv", rule="bilinear", **k),
    "legs": lambda d, n, **k: S4D(d, n, "legs", **k),
    "real": lambda d, n, **k: S4D(d, n, "real", **k),
    "real, bilinear": lambda d, n, **k: S4D(d, n, "real", rule="bilinear", **k),
}
every = pytest.mark.parametrize("name", LAYERS)


def make(name, d=3, n=6, **settings):
    layer = LAYERS[name](d, n, dt_min=0.05, dt_max=0.5, **settings).double()
    with torch.no_grad():  # away from the start, where P and B are real and all channels alike
        for parameter in layer.parameters():
            parameter += 0.2 * torch.randn_like(parameter)
    return layer


def by_hand(layer, x, state=None):
    """The whole complex system of each channel, one sample after the other, from the parameters alone."""
    p = dict(layer.named_parameters())
    (b, l, d), paired = x.shape, "A_imag" in p
    double = (lambda v: torch.cat([v, v.conj()], -1)) if paired else (lambda v: v)
    number = lambda v: torch.complex(v[..., 0], v[..., 1]) if paired else v  # noqa: E731
    Lambda = -torch.exp(p["log_A_real"])
    Lambda = double(torch.complex(Lambda, p["A_imag"]) if paired else Lambda)
    B, C = double(number(p["B"])), double(number(p["C"]))
    h = torch.zeros(b, d, Lambda.shape[-1], dtype=Lambda.dtype) if state is None else double(state)
    one = torch.eye(Lambda.shape[-1], dtype=Lambda.dtype)
    ys, dt = [], torch.exp(p["log_dt"])
    for c in range(d):
        A = torch.diag(Lambda[c])
        if "P" in p:
            P = double(number(p["P"][c]))
            A = A - torch.outer(P, P.conj())
        if getattr(layer, "rule", "bilinear") == "bilinear":
            inverse = torch.linalg.inv(one - dt[c] / 2 * A)
            A_bar, B_bar = inverse @ (one + dt[c] / 2 * A), inverse @ (dt[c] * B[c])
        else:
            A_bar = torch.diag(torch.exp(dt[c] * Lambda[c]))
            B_bar = (torch.exp(dt[c] * Lambda[c]) - 1) / Lambda[c] * B[c]
        hc, row = h[:, c], []
        for t in range(l):
            hc = hc @ A_bar.T + B_bar * x[:, t, c, None]
            y = hc @ C[c]
            row.append((y.real if paired else y) + p["D"][c] * x[:, t, c])
        ys.append((torch.stack(row, 1), hc[:, : layer.d_state // 2 if paired else None]))
    return torch.stack([y for y, _ in ys], -1), torch.stack([hc for _, hc in ys], 1)


@every
@pytest.mark.parametrize("l", [1, 2, 9])
@pytest.mark.parametrize("carried", [False, True])
def test_is_the_recurrence_gradients_too(name, l, carried, close):
    layer = make(name)
    x = torch.randn(2, l, 3, dtype=torch.float64, requires_grad=True)
    state = torch.randn_like(layer.init_state(2)).requires_grad_() if carried else None
    y, last = layer(x, state, True)
    want, want_last = by_hand(layer, x, state)
    close(y, want, 1e-11)
    close(last, want_last, 1e-11)
    inputs = [x, *layer.parameters()] + ([state] if carried else [])
    g, g_last = torch.randn_like(y), torch.randn_like(last)
    got = torch.autograd.grad([y, last], inputs, [g, g_last])
    for a, b in zip(got, torch.autograd.grad([want, want_last], inputs, [g, g_last]), strict=True):
        close(a, b, 1e-9)
    close(layer(x, state), y, 1e-12)


@every
@pytest.mark.parametrize("cut", [0, 1, 6])
def test_step_is_forward(name, cut, assert_steps):
    assert_steps(make(name), torch.randn(3, 11, 3, dtype=torch.float64), cut, tolerance=1e-11)


@pytest.mark.parametrize("name", ["S4", "legs", "real"])
def test_step_is_forward_at_full_size(name, close):
    """64 numbers of state, 513 steps, from the layer's own start; float32 against itself in float64."""
    layer = LAYERS[name](4, 64)
    x = torch.randn(2, 513, 4)
    with torch.no_grad():
        y, last = layer(x, return_state=True)
        state, ys = layer.init_state(2), []
        for t in range(513):
            step, state = layer.step(x[:, t], state)
            ys.append(step)
        close(torch.stack(ys, 1), y, 2e-4)
        close(state, last, 2e-4)
        exact, exact_last = layer.double()(x.double(), return_state=True)
    close(y, exact, 2e-4)
    close(last, exact_last, 2e-4)


@every
def test_causal_and_the_whole_past_gets_through(name, assert_causal):
    """An FFT mixes all times before it takes them apart, so the future leaks its rounding, and nothing else."""
    layer, x = make(name), torch.randn(2, 9, 3, dtype=torch.float64)
    y = layer(x)
    for t in (1, 5, 8):
        other = x.clone()
        other[:, t:] += torch.randn(2, 9 - t, 3)
        moved = (layer(other) - y).abs()
        assert torch.isfinite(moved).all()
        assert moved[:, :t].max() < 1e-13 * y.abs().max(), "the future leaked"
        assert moved[:, t].min() > 1e-6
    stepped = lambda v: torch.stack(list(steps(layer, v)), 1)  # noqa: E731
    assert_causal(stepped, x)


def steps(layer, x):
    state = layer.init_state(x.shape[0])
    for t in range(x.shape[1]):
        y, state = layer.step(x[:, t], state)
        yield y


@every
def test_one_layer_for_every_length(name, close):
    layer, x = make(name), torch.randn(1, 50, 3, dtype=torch.float64)
    y = layer(x)
    for l in (1, 2, 17, 49):
        close(layer(x[:, :l]), y[:, :l], 1e-11)
        close(layer.kernel(l), layer.kernel(50)[:, :l], 1e-11)
    close((layer.kernel(50).flip(1) * x[0].mT).sum(1) + layer.D * x[0, -1], y[0, -1], 1e-11)


@every
def test_no_input_is_no_output(name):
    layer = make(name)
    state = torch.randn_like(layer.init_state(2))
    y, same = layer(torch.zeros(2, 0, 3).double(), state, True)
    assert y.shape == (2, 0, 3) and torch.equal(same, state) and same is not state
    assert layer(torch.zeros(0, 4, 3).double()).shape == (0, 4, 3)


@every
def test_a_few_steps_of_training_lower_the_loss(name):
    """Say again what came 20 steps ago."""
    layer = LAYERS[name](8, 16, dt_min=0.01, dt_max=0.2)
    mix = nn.Linear(8, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *mix.parameters()], lr=1e-2)
    losses = []
    for _ in range(40):
        x = torch.randn(16, 64, 1)
        y = mix(layer(x.expand(-1, -1, 8)))
        loss = (y[:, 20:] - x[:, :-20]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        for key, parameter in layer.named_parameters():
            assert torch.isfinite(parameter.grad).all() and parameter.grad.abs().max() > 0, key
        optimizer.step()
        losses.append(float(loss.detach()))
    assert all(map(math.isfinite, losses))
    assert sum(losses[-5:]) < (0.95 if "real" in name else 0.8) * sum(losses[:5]), losses


@every
def test_the_rates_stay_negative_and_the_state_finite(name):
    layer = LAYERS[name](4, 8)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter += torch.randn_like(parameter)
    assert (layer.Lambda.real < 0).all()
    y, state = layer(torch.ones(1, 4000, 4), return_state=True)
    assert torch.isfinite(y).all() and torch.isfinite(torch.view_as_real(state) if state.is_complex() else state).all()
    later = layer(torch.ones(1, 4000, 4), state, True)[1]
    assert later.abs().max() < 2 * max(1.0, float(state.abs().max().detach()))


def test_s4_is_stable_whatever_is_learned():
    layer = S4(5, 8).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(3 * torch.randn_like(parameter))
    A_bar, _, _ = layer._dense(layer._system(torch.float64))
    assert torch.linalg.matrix_norm(A_bar, ord=2).max() <= 1 + 1e-12


def test_the_start():
    for name, want in (("lin", s4d_lin(64)), ("inv", s4d_inv(64)), ("legs", legs_dplr(64)[0])):
        layer = S4D(3, init=name)
        assert layer.Lambda.shape == (3, 32)
        torch.testing.assert_close(layer.Lambda.detach(), want[:32].to(torch.complex64).expand(3, 32))
    torch.testing.assert_close(S4D(3, 5, "real").Lambda.detach(), -torch.arange(1.0, 6.0).expand(3, 5))
    Lambda, P, B, _ = legs_dplr(64)
    layer = S4(3)
    pairs = [
        (layer.Lambda, Lambda),
        *((torch.view_as_complex(got), part) for got, part in ((layer.P, P), (layer.B, B))),
    ]
    for got, part in [*pairs, (torch.view_as_complex(S4D(3, init="legs").B), B)]:
        torch.testing.assert_close(got.detach(), part[:32].to(torch.complex64).expand(3, 32))
    assert torch.equal(layer.D, torch.ones(3)) and S4D(3).B.detach().eq(torch.tensor([1.0, 0.0])).all()
    C = S4D(500, 64).C.detach()
    assert abs(float(C.square().sum(-1).mean()) - 1) < 0.05 and abs(float(C.mean())) < 0.02


def test_delta_starts_log_uniform_between_its_bounds():
    for layer in (S4D(20_000, 2), S4(20_000, 2)):
        delta = layer.delta.detach().double()
        assert delta.min() >= 1e-3 * (1 - 1e-5) and delta.max() <= 1e-1 * (1 + 1e-5)
        place = (delta.log() - math.log(1e-3)) / math.log(100)
        quantiles = torch.quantile(place, torch.linspace(0.1, 0.9, 9).double())
        assert (quantiles - torch.linspace(0.1, 0.9, 9)).abs().max() < 0.02


def test_names_and_shapes():
    shapes = {name: tuple(p.shape) for name, p in S4(5, 8).named_parameters()}
    complex_ones = {"log_dt": (5,), "log_A_real": (5, 4), "A_imag": (5, 4), "B": (5, 4, 2), "C": (5, 4, 2), "D": (5,)}
    assert shapes == {**complex_ones, "P": (5, 4, 2)}
    assert {name: tuple(p.shape) for name, p in S4D(5, 8).named_parameters()} == complex_ones
    real = {"log_dt": (5,), "log_A_real": (5, 8), "B": (5, 8), "C": (5, 8), "D": (5,)}
    assert {name: tuple(p.shape) for name, p in S4D(5, 8, "real").named_parameters()} == real
    assert not list(S4(5, 8).buffers()) and all(p.dtype == torch.float32 for p in S4(5, 8).parameters())


CHANGES = [lambda m: m, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.to(torch.bfloat16).double()]


@every
@pytest.mark.parametrize("change", CHANGES, ids=["made", "copied", "pickled", "cast"])
def test_weight_decay_spares_every_parameter(name, change):
    """B, C and the poles are matrices by their shape: only the mark keeps decay from moving them."""
    model = nn.Sequential(nn.Linear(4, 4), change(LAYERS[name](4, 8)))
    decayed, spared = (group["params"] for group in parameter_groups(model, 0.1))
    assert {id(p) for p in decayed} == {id(model[0].weight)}
    assert {id(p) for p in spared} == {id(model[0].bias), *map(id, model[1].parameters())}
    before = {key: p.detach().clone() for key, p in model[1].named_parameters()}
    optimizer = make_optimizer(model, TrainSettings(steps=1, lr=0.1, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    assert all(torch.equal(p, before[key]) for key, p in model[1].named_parameters())


@every
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_parameters_and_state_stay_float32(name, dtype, close):
    layer = LAYERS[name](4, 8)
    x = torch.randn(2, 5, 4)
    before = {key: p.detach().clone() for key, p in layer.named_parameters()}
    want = layer(x.to(dtype).float())
    layer.to(dtype)
    assert all(p.dtype == torch.float32 and torch.equal(p, before[key]) for key, p in layer.named_parameters())
    y, state = layer(x.to(dtype), return_state=True)
    assert y.dtype == dtype and state.dtype == layer.init_state(2, dtype=dtype).dtype
    assert state.dtype == (torch.complex64 if "real" not in name else torch.float32)
    close(y, want.to(dtype), 1e-6)
    y, state = layer.step(x[:, 0].to(dtype), state)
    assert y.dtype == dtype and state.real.dtype == torch.float32
    assert layer.double().D.dtype == torch.float64
    assert layer(x.double()).dtype == torch.float64 and layer.init_state(1).real.dtype == torch.float64


@every
def test_autocast_does_not_touch_the_recurrence(name):
    layer, x = LAYERS[name](4, 8), torch.randn(2, 33, 4)
    y, state = layer(x, return_state=True)
    step, later = layer.step(x[:, 0], state)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        cast, cast_state = layer(x, return_state=True)
        cast_step, cast_later = layer.step(x[:, 0], state)
    assert torch.equal(cast, y) and torch.equal(cast_state, state)
    assert torch.equal(cast_step, step) and torch.equal(cast_later, later)


def test_rows_know_nothing_of_each_other(close):
    layer, x = S4(3, 8).double(), torch.randn(3, 7, 3, dtype=torch.float64)
    y, other = layer(x), x.clone()
    other[1] = 5
    close(layer(other)[[0, 2]], y[[0, 2]])
    other = x.clone()
    other[..., 1] = 5
    close(layer(other)[..., [0, 2]], y[..., [0, 2]])  # nor do channels


@every
@pytest.mark.parametrize("l", [1024, 4096])
def test_float32_kernels(name, l, close):
    layer = LAYERS[name](3, 64)
    with torch.no_grad():
        layer.log_dt.copy_(torch.tensor([1e-3, 1e-2, 1e-1]).log())
        kernel = layer.kernel(l)
        exact = layer.double().kernel(l)
    for c in range(3):
        close(kernel[c], exact[c], 2e-4)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: S4D(0), ValueError, "d_model must be at least 1, got 0"),
        (lambda: S4D(4, 7), ValueError, "d_state must be even, for conjugate pairs, got 7"),
        (lambda: S4(4, 0), ValueError, "d_state must be at least 2, got 0"),
        (lambda: S4(4, 8.0), TypeError, "d_state must be a whole number"),
        (lambda: S4D(4, init="hippo"), ValueError, "init must be one of 'lin', 'inv', 'real', 'legs', got 'hippo'"),
        (lambda: S4D(4, rule="euler"), ValueError, "rule must be one of 'zoh', 'bilinear', got 'euler'"),
        (lambda: S4(4, dt_min=0.0), ValueError, "dt_min must be a finite number and above 0, got 0.0"),
        (lambda: S4D(4, dt_min=0.2), ValueError, "dt_max must be a finite number and at least 0.2, got 0.1"),
        (lambda: S4(4)(torch.zeros(2, 3, 5)), ValueError, "x must have shape.*d=4"),
        (lambda: S4(4)(torch.zeros(2, 3, 4).long()), TypeError, "x must be a floating-point tensor"),
        (lambda: S4(4)(torch.zeros(2, 3, 4), torch.zeros(2, 4, 64)), ValueError, "state must have shape.*n=32"),
        (lambda: S4(4)(torch.zeros(2, 3, 4), torch.zeros(2, 4, 32)), TypeError, "state must be torch.complex64"),
        (lambda: S4D(4, 8, "real").step(torch.zeros(2, 4), S4D(4, 16).init_state(2)), TypeError, "torch.float32"),
        (lambda: S4D(4).step(torch.zeros(2, 5), S4D(4).init_state(2)), ValueError, "x_t must have shape.*d=4"),
        (lambda: S4D(4).init_state(1.5), TypeError, "batch must be a whole number"),
        (lambda: S4(4).kernel(0), ValueError, "l must be at least 1, got 0"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
