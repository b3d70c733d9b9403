"""S6 against the recurrence written out, its start, and its time-invariant twin."""

import copy
import math
import pickle

import pytest
import torch
from torch.nn import functional as F

from mamba_edu import S6
from mamba_edu.selection import initial_delta_bias


def by_hand(layer, x, z=None, state=None):
    """Mamba algorithm 2 in plain loops, from the parameters alone."""
    p = dict(layer.named_parameters())
    b, l, d = x.shape
    n, r = layer.d_state, layer.dt_rank
    h = torch.zeros(b, d, n, dtype=x.dtype) if state is None else state
    ys = []
    for t in range(l):
        if layer.selective:
            mixed = x[:, t] @ p["x_proj.weight"].T
            raw, B, C = mixed[:, :r] @ p["dt_proj.weight"].T + p["dt_proj.bias"], mixed[:, r : r + n], mixed[:, r + n :]
        else:
            raw, B, C = p["dt_bias"].expand(b, d), p["B"].expand(b, n), p["C"].expand(b, n)
        delta = torch.log1p(torch.exp(raw))
        decay = torch.exp(-torch.einsum("bd,dn->bdn", delta, torch.exp(p["A_log"])))
        h = decay * h + torch.einsum("bd,bn,bd->bdn", delta, B, x[:, t])
        ys.append(torch.einsum("bdn,bn->bd", h, C) + p["D"] * x[:, t])
    y = torch.stack(ys, 1)
    return (y if z is None else y * z * torch.sigmoid(z)), h


def make(selective=True, d=6, n=4, **settings):
    layer = S6(d, n, dt_rank=2, selective=selective, **settings).double()
    with torch.no_grad():  # away from the start, where D is 1 and all rows of A are the same
        for p in layer.parameters():
            p += 0.3 * torch.randn_like(p)
    return layer


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize("backend", ["auto", "reference"])
def test_is_the_recurrence_gradients_too(selective, backend, close):
    layer = make(selective, backend=backend)
    x, z = (torch.randn(2, 7, 6, dtype=torch.float64, requires_grad=True) for _ in range(2))
    state = torch.randn(2, 6, 4, dtype=torch.float64, requires_grad=True)
    y, last = layer(x, state, True, z=z)
    want, want_last = by_hand(layer, x, z, state)
    close(y, want)
    close(last, want_last)
    g = torch.randn_like(y)
    inputs = [x, z, state, *layer.parameters()]
    for a, b in zip(torch.autograd.grad(y, inputs, g), torch.autograd.grad(want, inputs, g), strict=True):
        close(a, b, 1e-9)


@pytest.mark.parametrize("selective", [True, False])
def test_the_gradient_of_A_is_not_zero(selective):
    layer = S6(6, 4, selective=selective)
    layer(torch.randn(2, 8, 6)).square().sum().backward()
    assert torch.isfinite(layer.A_log.grad).all()
    assert (layer.A_log.grad != 0).all()


@pytest.mark.parametrize("selective", [True, False])
def test_causal_and_the_whole_past_gets_through(selective, assert_causal):
    assert_causal(make(selective), torch.randn(2, 9, 6, dtype=torch.float64))


def test_the_order_of_the_inputs_matters():
    layer, x = make(), torch.randn(1, 8, 6, dtype=torch.float64)
    order = torch.randperm(8)
    assert (layer(x)[:, order] - layer(x[:, order])).abs().max() > 1e-3


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 5])
def test_step_is_forward(selective, cut, assert_steps):
    assert_steps(make(selective), torch.randn(3, 8, 6, dtype=torch.float64), cut)


def test_step_gates_as_forward_does(close):
    layer = make()
    x, z = torch.randn(2, 1, 6, dtype=torch.float64), torch.randn(2, 1, 6, dtype=torch.float64)
    state = torch.randn(2, 6, 4, dtype=torch.float64)
    close(layer.step(x[:, 0], state, z_t=z[:, 0])[0], layer(x, state, z=z)[:, 0])


def test_A_is_negative_whatever_is_learned():
    layer = S6(8, 16)
    assert torch.allclose(layer.A, -torch.arange(1.0, 17.0).expand(8, 16))
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    (layer(torch.randn(2, 9, 8)) ** 2).sum().backward()
    optimizer.step()
    assert (layer.A < 0).all()
    y, h = layer(torch.randn(1, 3000, 8).clamp(-1, 1), return_state=True)
    assert torch.isfinite(y).all() and torch.isfinite(h).all()


def test_delta_starts_log_uniform_between_its_bounds():
    delta = F.softplus(initial_delta_bias(20_000).double())
    assert delta.min() >= 1e-3 * (1 - 1e-5) and delta.max() <= 1e-1 * (1 + 1e-5)
    place = (delta.log() - math.log(1e-3)) / math.log(100)  # uniform in [0, 1]
    quantiles = torch.quantile(place, torch.linspace(0.1, 0.9, 9).double())
    assert (quantiles - torch.linspace(0.1, 0.9, 9)).abs().max() < 0.02


def test_delta_keeps_to_its_floor():
    delta = F.softplus(initial_delta_bias(2000, 1e-7, 1e-1, 1e-4).double())
    assert delta.min() >= 1e-4 * (1 - 1e-5)
    assert (delta < 1.01e-4).double().mean() > 0.4


@pytest.mark.parametrize("selective", [True, False])
def test_the_layer_carries_that_start(selective):
    layer = S6(512, 4, selective=selective, dt_min=1e-2, dt_max=2e-2)
    delta = F.softplus(layer.delta_bias.double())
    assert delta.min() >= 0.0099 and delta.max() <= 0.0201 and delta.std() > 1e-3
    assert torch.equal(layer.D, torch.ones(512))
    if selective:
        assert layer.dt_rank == 16 and layer.dt_proj.weight.abs().max() <= 0.25
        assert layer.dt_proj.weight.abs().max() > 0.24


def test_parameters_have_the_official_names_and_shapes():
    shapes = {name: tuple(p.shape) for name, p in S6(64, 16, dt_rank=3).named_parameters()}
    assert shapes == {
        "x_proj.weight": (35, 64),
        "dt_proj.weight": (64, 3),
        "dt_proj.bias": (64,),
        "A_log": (64, 16),
        "D": (64,),
    }
    twin = {name: tuple(p.shape) for name, p in S6(64, 16, selective=False).named_parameters()}
    assert twin == {"dt_bias": (64,), "B": (16,), "C": (16,), "A_log": (64, 16), "D": (64,)}


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize(
    "change", [lambda m: m, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m)), lambda m: m.to(torch.bfloat16)]
)
def test_marks_survive(selective, change):
    layer = change(S6(8, 4, selective=selective))
    marked = {name for name, p in layer.named_parameters() if getattr(p, "_no_weight_decay", False)}
    assert marked == ({"A_log", "D", "dt_proj.bias"} if selective else {"A_log", "D", "dt_bias", "B", "C"})
    if selective:
        assert layer.dt_proj.bias._no_reinit


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_A_log_and_D_stay_float32(dtype):
    layer = S6(8, 4)
    before = layer.A_log.detach().clone()
    layer.to(dtype)
    assert layer.A_log.dtype == layer.D.dtype == torch.float32
    assert torch.equal(layer.A_log, before)
    assert layer.x_proj.weight.dtype == layer.dt_proj.bias.dtype == dtype
    y, state = layer(torch.randn(2, 5, 8, dtype=dtype), return_state=True)
    assert y.dtype == dtype and state.dtype == torch.float32
    y, state = layer.step(torch.randn(2, 8, dtype=dtype), state)
    assert y.dtype == dtype and state.dtype == layer.init_state(2, dtype=dtype).dtype == torch.float32
    assert layer.double().A_log.dtype == torch.float64


def test_the_twin_is_one_convolution(close):
    layer, l = make(selective=False), 12
    p = dict(layer.named_parameters())
    delta = F.softplus(p["dt_bias"])[:, None]  # (d, 1)
    powers = torch.exp(delta[..., None] * layer.A[:, None] * torch.arange(l)[None, :, None])  # (d, l, n)
    kernel = (powers * (delta * p["B"])[:, None] * p["C"]).sum(-1)  # (d, l)
    x = torch.randn(2, l, 6, dtype=torch.float64)
    want = torch.stack([(kernel[:, : t + 1].flip(1) * x[:, : t + 1].mT).sum(-1) for t in range(l)], 1) + p["D"] * x
    close(layer(x), want)


def test_only_the_twin_is_time_invariant(close):
    x = torch.randn(2, 12, 6, dtype=torch.float64)
    x[:, 0] = x[:, 1] = x[:, 2] = 0
    late = torch.cat([torch.zeros(2, 3, 6).double(), x[:, :-3]], 1)

    def response(layer, offset):  # what an impulse adds on top of a background that changes with time
        background = torch.linspace(-1, 1, 12)[None, :, None].expand(1, 12, 6).double()
        pulse = torch.zeros(1, 12, 6).double()
        pulse[:, offset] = 1
        return (layer(background + pulse) - layer(background))[:, offset : offset + 6]

    twin, selective = make(selective=False), make()
    close(twin(late)[:, 3:], twin(x)[:, :-3])
    close(response(twin, 5), response(twin, 1), 1e-10)
    apart = (response(selective, 5) - response(selective, 1)).abs().max()
    assert apart > 1e-2, "the selective layer treats an impulse the same wherever it stands"
    assert twin.init_state(2).shape == selective.init_state(2).shape


def test_rows_and_calls_know_nothing_of_each_other():
    layer = S6(6, 4)
    x = torch.randn(3, 7, 6)
    y = layer(x)
    other = x.clone()
    other[1] = 5
    assert torch.equal(layer(other)[[0, 2]], y[[0, 2]])
    assert torch.equal(layer(x), y)
    assert not list(layer.buffers())


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: S6(0), ValueError, "d_inner must be at least 1, got 0"),
        (lambda: S6(4, -1), ValueError, "d_state must be at least 1, got -1"),
        (lambda: S6(4, dt_rank=0), ValueError, "dt_rank must be at least 1, got 0"),
        (lambda: S6(4, dt_rank="big"), TypeError, "dt_rank must be a whole number"),
        (lambda: S6(4, dt_min=0.0), ValueError, "dt_min must be a finite number and above 0, got 0.0"),
        (lambda: S6(4, dt_min=0.2), ValueError, "dt_max must be a finite number and at least 0.2, got 0.1"),
        (lambda: S6(4, dt_max=float("nan")), ValueError, "dt_max must be a finite number"),
        (lambda: S6(4, dt_init_floor="no"), TypeError, "dt_init_floor must be a finite number"),
        (lambda: S6(4, selective=None), TypeError, "selective must be True or False, got None"),
        (lambda: S6(4, backend="gpu"), ValueError, "backend must be one of 'auto'.*got 'gpu'"),
        (lambda: S6(4)(torch.zeros(2, 3, 5)), ValueError, "x must have shape.*d=4"),
        (lambda: S6(4)(torch.zeros(2, 3, 4), torch.zeros(2, 4, 3)), ValueError, "state must have shape.*n=16"),
        (lambda: S6(4)(torch.zeros(2, 3, 4), z=torch.zeros(2, 3, 3)), ValueError, "z must have shape"),
        (lambda: S6(4).step(torch.zeros(2, 4), torch.zeros(2, 4, 3)), ValueError, "state must have shape.*n=16"),
        (lambda: S6(4).step(torch.zeros(2, 4), S6(4).init_state(2), torch.zeros(1, 4)), ValueError, "z_t must have"),
        (lambda: S6(4).init_state(1.5), TypeError, "batch must be a whole number"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
