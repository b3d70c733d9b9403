"""Every fast backend computes what the loop computes: y, the last state, and the gradient of every tensor."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scan_oracle import NAMES, assert_close, error, make, run
from torch.autograd import gradcheck

from mamba_edu import selective_scan

FAST = ("chunked", "cpu", "doubling", "blelloch")
ALL = ("reference", *FAST)
F32, F64 = torch.float32, torch.float64
REQUIRED = ("u", "delta", "A", "B", "C")
OPTIONAL = ("D", "z", "delta_bias", "h0")

backend = pytest.mark.parametrize("backend", FAST)
every_backend = pytest.mark.parametrize("backend", ALL)


@backend
@pytest.mark.parametrize("dtype", [F32, F64], ids=["float32", "float64"])
@pytest.mark.parametrize("l", [0, 1, 2, 5, 64, 127, 128, 129, 257, 1024])
def test_lengths(backend, l, dtype):
    # softplus and a bias: a padded step would be positive, and change states and gradients (pitfall 18)
    assert_close(make(2, l, 5, 3, dtype=dtype), backend, delta_softplus=True)


@backend
@pytest.mark.parametrize("l", [15, 16, 17, 33])
def test_lengths_around_a_tile(backend, l):
    assert_close(make(1, l, 3, 2), backend, delta_softplus=True)


@backend
@pytest.mark.parametrize("d, n", [(1, 1), (1, 16), (31, 3), (33, 16), (257, 2), (300, 1), (40, 70)])
def test_channels_and_states(backend, d, n):
    assert_close(make(2, 19, d, n), backend, delta_softplus=True)


@backend
@pytest.mark.parametrize("softplus", [False, True], ids=["positive", "softplus"])
@pytest.mark.parametrize("given", [(), *((name,) for name in OPTIONAL), OPTIONAL], ids=lambda names: "+".join(names))
def test_each_optional_argument(backend, given, softplus):
    x = make(2, 21, 5, 3, only=REQUIRED + given, delta=None if softplus else (1e-2, 1.0))
    if "delta_bias" in x and not softplus:
        x["delta_bias"] = x["delta_bias"].abs() / 10  # a step must stay positive
    assert_close(x, backend, delta_softplus=softplus)


@backend
@pytest.mark.parametrize("left_out", OPTIONAL)
def test_all_but_one_optional_argument(backend, left_out):
    assert_close(make(2, 21, 5, 3, only=set(NAMES) - {left_out}), backend, delta_softplus=True)


@backend
@pytest.mark.parametrize("name", NAMES)
def test_one_tensor_alone_requires_grad(backend, name):
    assert_close(make(2, 21, 5, 3), backend, wrt=[name], delta_softplus=True)


@backend
@pytest.mark.parametrize("loss", ["last", "y"])
def test_one_output_alone_in_the_loss(backend, loss):
    assert_close(make(2, 70, 5, 3), backend, loss=loss, delta_softplus=True)


@backend
def test_inputs_that_are_not_contiguous(backend):
    x = make(2, 21, 6, 3)
    x["u"] = x["u"].transpose(1, 2).contiguous().transpose(1, 2)
    x["delta"] = x["delta"][:, :, :1].expand(2, 21, 6)  # one step for all channels, without memory of its own
    x["A"] = x["A"].T.contiguous().T
    x["B"], x["C"] = torch.cat([x["B"], x["C"]], -1).split(3, -1)  # as x_proj gives them
    x["D"] = x["D"][:1].expand(6)
    x["z"] = torch.stack([x["z"], x["z"]], -1)[..., 0]
    x["delta_bias"] = x["delta_bias"].flip(0)[::1]
    x["h0"] = x["h0"].transpose(0, 2).contiguous().transpose(0, 2)
    assert sum(not t.is_contiguous() for t in x.values()) >= 7
    assert_close(x, backend, delta_softplus=True)


@every_backend
def test_a_gradient_reaches_the_leaf_behind_an_expanded_input(backend):
    x = make(2, 9, 4, 3, dtype=F64, only=REQUIRED)
    step = torch.full((1,), 0.1, dtype=F64, requires_grad=True)
    y = selective_scan(**{**x, "delta": step.expand(2, 9, 4)}, backend=backend)
    whole = torch.full((2, 9, 4), 0.1, dtype=F64, requires_grad=True)
    y_whole = selective_scan(**{**x, "delta": whole}, backend="reference")
    (got,), (true,) = torch.autograd.grad(y.sum(), step), torch.autograd.grad(y_whole.sum(), whole)
    assert error(got, true.sum().reshape(1)) < 1e-12


@every_backend
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_beside_float32_parameters(backend, dtype):
    assert_close(make(2, 70, 5, 3, dtype=dtype), backend, delta_softplus=True)


@every_backend
@pytest.mark.parametrize("h0_dtype", [torch.bfloat16, F32, F64])
def test_h0_in_any_float_type(backend, h0_dtype):
    x = make(2, 5, 4, 3)
    x["h0"] = x["h0"].to(h0_dtype)
    assert_close(x, backend, delta_softplus=True)


@backend
def test_gradcheck(backend):
    x = make(2, 18, 2, 2, dtype=F64)
    names = list(x)

    def function(*values):
        return selective_scan(**dict(zip(names, values)), delta_softplus=True, return_last_state=True, backend=backend)

    assert gradcheck(function, [t.requires_grad_() for t in x.values()], fast_mode=True)
    short = make(1, 3, 2, 2, dtype=F64)
    assert gradcheck(function, [t.requires_grad_() for t in short.values()])


@backend
@settings(max_examples=40)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 40), st.integers(1, 9), st.integers(1, 5)),
    delta=st.tuples(st.floats(1e-8, 50), st.floats(1e-8, 50)),
    A=st.tuples(st.floats(1e-6, 1e4), st.floats(1e-6, 1e4)),
    seed=st.integers(0, 1000),
)
def test_any_shape_and_extreme_decays(backend, shape, delta, A, seed):
    only = ("u", "delta", "A", "B", "C", "D", "z", "h0")
    assert_close(make(*shape, only=only, delta=delta, A=A, seed=seed), backend)


@backend
@pytest.mark.parametrize("delta", [(1e-8, 50.0), (1e-8, 1e-8), (50.0, 50.0)])
@pytest.mark.parametrize("A", [(1e-6, 1e4), (1e-6, 1e-6), (1e4, 1e4)])
def test_the_corners(backend, delta, A):
    assert_close(make(2, 150, 5, 3, only=REQUIRED + ("h0",), delta=delta, A=A), backend)


@backend
def test_steps_of_softplus_at_its_ends(backend):
    x = make(1, 41, 2, 2)
    x["delta"] = torch.linspace(-60, 60, 41)[None, :, None].repeat(1, 1, 2)
    x["delta_bias"] = torch.zeros(2)
    x["A"] = -torch.full((2, 2), 0.01)
    assert_close(x, backend, delta_softplus=True)


@every_backend
def test_a_positive_A_grows_as_it_should(backend):
    """Mamba keeps A negative; the scan computes what it is given (pitfall 6 is the layer's to avoid)."""
    x = make(1, 20, 2, 2, only=REQUIRED, delta=(0.1, 0.5))
    x["A"] = -x["A"]
    assert_close(x, backend)


@backend
def test_decays_whose_product_underflows(backend):
    """Dividing by a running product of decays is infinite here (pitfall 15); these backends never divide."""
    x = make(1, 300, 3, 2, only=REQUIRED, delta=(0.5, 1.0))
    product = torch.exp(x["delta"][..., None] * x["A"]).cumprod(1)  # (b, l, d, n)
    entering = (x["delta"] * x["u"])[..., None] * x["B"][:, :, None]
    by_division = product * (entering / product).cumsum(1)
    assert not torch.isfinite(by_division).all()
    assert_close(x, backend)


@every_backend
def test_the_past_matters_and_the_future_does_not(backend):
    x = make(1, 37, 3, 2, dtype=F64)
    x["u"].requires_grad_()
    y = selective_scan(**x, delta_softplus=True, backend=backend)
    t = 20
    (grad,) = torch.autograd.grad(y[:, t].sum(), x["u"])
    assert (grad[:, t + 1 :] == 0).all(), "y leaks from the future"
    assert (grad[:, : t + 1].abs().amax(-1) > 0).all(), "y forgets the past"


@every_backend
def test_A_matters_and_so_does_the_order_of_time(backend):
    """One update for all steps at once gives A no gradient and lets time be shuffled (pitfall 1)."""
    x = make(2, 12, 3, 2, dtype=F64, only=REQUIRED, delta=(0.1, 1.0))
    assert run(x, backend)["d_A"].abs().min() > 1e-3
    order = torch.randperm(12, generator=torch.Generator().manual_seed(0))
    shuffled = {name: t if name == "A" else t[:, order] for name, t in x.items()}
    straight = selective_scan(**x, backend=backend)[:, order]
    assert (selective_scan(**shuffled, backend=backend) - straight).abs().max() > 0.1


@every_backend
@pytest.mark.parametrize("cut", [0, 1, 17, 64, 100])
def test_two_halves_make_the_whole(backend, cut):
    x = make(2, 100, 4, 3, dtype=F64)
    y, last = selective_scan(**x, delta_softplus=True, return_last_state=True, backend=backend)
    timed = ("u", "delta", "B", "C", "z")
    first = {name: t[:, :cut] if name in timed else t for name, t in x.items()}
    second = {name: t[:, cut:] if name in timed else t for name, t in x.items()}
    y1, h = selective_scan(**first, delta_softplus=True, return_last_state=True, backend=backend)
    y2, h = selective_scan(**{**second, "h0": h}, delta_softplus=True, return_last_state=True, backend=backend)
    assert error(torch.cat([y1, y2], 1), y) < 1e-13 and error(h, last) < 1e-13


@every_backend
@pytest.mark.parametrize("name", ["u", "delta", "A", "B", "C", "h0"])
def test_nan_is_not_hidden(backend, name):
    x = make(1, 5, 2, 2)
    x[name].view(-1)[0] = torch.nan
    assert selective_scan(**x, delta_softplus=True, backend=backend).isnan().any()
