"""The causal convolution: against PyTorch's own, causal, trimmed, and the same in pieces."""

import pytest
import torch
from torch.nn import functional as F

from mamba_edu import CausalConv1d


def pytorchs(x, layer):
    k, l = layer.d_conv, x.shape[1]
    padded = F.pad(x.transpose(1, 2), (k - 1, 0))
    if l == 0:
        return x
    return F.conv1d(padded, layer.weight, layer.bias, groups=layer.d_inner).transpose(1, 2)


@pytest.mark.parametrize("l", [0, 1, 2, 3, 4, 5, 17])
@pytest.mark.parametrize("k", [1, 2, 4, 5])
@pytest.mark.parametrize("bias", [True, False])
def test_is_pytorchs_convolution_gradients_too(l, k, bias, close):
    layer = CausalConv1d(6, k, bias).double()
    x = torch.randn(3, l, 12, dtype=torch.float64)[..., ::2].requires_grad_()  # not contiguous
    inputs = [x, *layer.parameters()]
    y, want = layer(x), pytorchs(x, layer)
    close(y, want)
    if l:
        g = torch.randn_like(y)
        for got, expected in zip(torch.autograd.grad(y, inputs, g), torch.autograd.grad(want, inputs, g)):
            close(got, expected)


@pytest.mark.parametrize("k", [1, 2, 4])
def test_causal_and_no_longer_than_its_filter(k, assert_causal):
    assert_causal(CausalConv1d(3, k).double(), torch.randn(2, 9, 3, dtype=torch.float64), reach=k)


def test_channels_do_not_mix():
    layer = CausalConv1d(4, 3)
    x = torch.randn(2, 8, 4)
    other = x.clone()
    other[..., 2] += 1
    changed = (layer(x) != layer(other)).any(0).any(0)
    assert changed.tolist() == [False, False, True, False]


@pytest.mark.parametrize("k", [1, 2, 4])
@pytest.mark.parametrize("cut", [0, 1, 2, 7])
def test_step_is_forward(k, cut, assert_steps):
    assert_steps(CausalConv1d(5, k).double(), torch.randn(3, 9, 5, dtype=torch.float64), cut)


def test_the_state_is_the_last_inputs_and_does_not_hold_the_sequence():
    layer = CausalConv1d(5, 4)
    x = torch.randn(2, 50, 5)
    _, state = layer(x, return_state=True)
    assert torch.equal(state, x[:, -3:])
    assert state.untyped_storage().nbytes() == state.numel() * 4
    _, short = layer(x[:, :1], return_state=True)
    assert torch.equal(short, torch.cat([torch.zeros(2, 2, 5), x[:, :1]], 1))


def test_starts_as_pytorchs():
    layer = CausalConv1d(4000, 4)
    for p in (layer.weight, layer.bias):
        assert p.abs().max() <= 0.5 and p.abs().max() > 0.49 and abs(p.mean()) < 0.02
    assert {name: tuple(p.shape) for name, p in layer.named_parameters()} == {"weight": (4000, 1, 4), "bias": (4000,)}


def test_half_precision_stays_half_and_close(close):
    layer, x = CausalConv1d(8, 4), torch.randn(2, 33, 8)
    y, state = layer(x.bfloat16(), return_state=True)
    assert y.dtype == state.dtype == torch.bfloat16
    close(y, layer(x), 2e-2)


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: CausalConv1d(0), ValueError, "d_inner must be at least 1, got 0"),
        (lambda: CausalConv1d(4, 0), ValueError, "d_conv must be at least 1, got 0"),
        (lambda: CausalConv1d(4, 2.5), TypeError, "d_conv must be a whole number.*2.5"),
        (lambda: CausalConv1d(4, bias=1), TypeError, "bias must be True or False, got 1"),
        (lambda: CausalConv1d(4)(torch.zeros(2, 4)), ValueError, r"x must have shape \(b, l, d\)"),
        (lambda: CausalConv1d(4)(torch.zeros(1, 2, 5)), ValueError, r"x must have .* d=4, got \(1, 2, 5\)"),
        (lambda: CausalConv1d(4)(torch.zeros(1, 2, 4).long()), TypeError, "x must be a floating-point"),
        (lambda: CausalConv1d(4)(torch.zeros(1, 2, 4, device="meta")), ValueError, "x is on meta, expected cpu"),
        (lambda: CausalConv1d(4)(torch.zeros(1, 2, 4), torch.zeros(1, 4, 4)), ValueError, "state must have.*k-1=3"),
        (lambda: CausalConv1d(4).step(torch.zeros(1, 4), torch.zeros(2, 3, 4)), ValueError, "state must have.*b=1"),
        (lambda: CausalConv1d(4).step(torch.zeros(4), torch.zeros(1, 3, 4)), ValueError, "x_t must have shape"),
        (lambda: CausalConv1d(4).init_state(-1), ValueError, "batch must be at least 0, got -1"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
