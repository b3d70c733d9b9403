"""RMSNorm against its formula; the block against its parts put together by hand."""

import pytest
import torch
from torch.nn import functional as F

from mamba_edu import MambaBlock, RMSNorm
from mamba_edu.block import BlockState


def test_rmsnorm_is_its_formula(close):
    norm = RMSNorm(7, eps=0.01).double()
    with torch.no_grad():
        norm.weight.uniform_(0.5, 2)
    x = torch.randn(2, 3, 7, dtype=torch.float64)
    close(norm(x), x / torch.sqrt((x**2).sum(-1, keepdim=True) / 7 + 0.01) * norm.weight)
    assert torch.autograd.gradcheck(norm, x.requires_grad_())
    assert torch.equal(norm(torch.zeros(7).double()), torch.zeros(7).double())


def test_rmsnorm_counts_in_float32():
    norm = RMSNorm(64)
    x = torch.full((2, 64), 300.0)  # its square is beyond float16
    y = norm(x.half())
    assert y.dtype == torch.float16
    assert (y - 1).abs().max() < 1e-3
    x = torch.randn(32, 64)
    exact = norm(x.bfloat16().float())
    assert (norm(x.bfloat16()).float() - exact).abs().max() <= exact.abs().max() * 2**-8  # one rounding, at the end


def test_rmsnorm_does_not_subtract_the_mean():
    assert torch.allclose(RMSNorm(16)(torch.full((1, 16), 3.0)), torch.ones(1, 16), atol=1e-5)


def make(selective=True, **settings):
    block = MambaBlock(6, d_state=4, d_conv=3, dt_rank=2, selective=selective, **settings).double()
    with torch.no_grad():
        for p in block.parameters():
            p += 0.3 * torch.randn_like(p)
    return block


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("conv_bias", [True, False])
def test_is_its_parts_in_order(bias, conv_bias, close):
    block = make(bias=bias, conv_bias=conv_bias)
    p = dict(block.named_parameters())
    x = torch.randn(2, 9, 6, dtype=torch.float64)
    both = x @ p["in_proj.weight"].T + p.get("in_proj.bias", 0)
    u, z = both[..., :12], both[..., 12:]
    u = F.conv1d(u.mT, p["conv1d.weight"], p.get("conv1d.bias"), padding=2, groups=12)[..., :9].mT
    u = u * torch.sigmoid(u)
    y = block.s6(u) * (z * torch.sigmoid(z))  # S6 alone is proven in test_selection
    close(block(x), y @ p["out_proj.weight"].T + p.get("out_proj.bias", 0))


def test_parameters_have_the_official_names_and_shapes():
    block = MambaBlock(48, d_state=8, d_conv=4, expand=3, bias=True)
    shapes = {name.replace("s6.", ""): tuple(p.shape) for name, p in block.named_parameters()}
    assert shapes == {
        "in_proj.weight": (288, 48),
        "in_proj.bias": (288,),
        "conv1d.weight": (144, 1, 4),
        "conv1d.bias": (144,),
        "x_proj.weight": (3 + 16, 144),  # d_model / 16 = 3
        "dt_proj.weight": (144, 3),
        "dt_proj.bias": (144,),
        "A_log": (144, 8),
        "D": (144,),
        "out_proj.weight": (48, 144),
        "out_proj.bias": (48,),
    }
    assert MambaBlock(17).s6.dt_rank == 2
    assert block.in_proj.bias.abs().max() == block.out_proj.bias.abs().max() == 0


@pytest.mark.parametrize("selective", [True, False])
def test_causal_and_the_whole_past_gets_through(selective, assert_causal):
    assert_causal(make(selective), torch.randn(2, 9, 6, dtype=torch.float64))


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 2, 6])
def test_step_is_forward(selective, cut, assert_steps):
    assert_steps(make(selective), torch.randn(3, 9, 6, dtype=torch.float64), cut)


def test_the_convolution_has_a_state_of_its_own():
    block = make()
    x = torch.randn(2, 9, 6, dtype=torch.float64)
    whole = block(x)
    _, state = block(x[:, :5], return_state=True)
    forgetful = block(x[:, 5:], BlockState(torch.zeros_like(state.conv), state.ssm))
    assert (forgetful - whole[:, 5:]).abs().max() > 1e-3
    assert state.conv.shape == (2, 2, 12) and state.ssm.shape == (2, 12, 4)


@pytest.mark.parametrize("l", [0, 1, 2])
def test_short_sequences(l):
    block = make()
    y, state = block(torch.randn(2, l, 6, dtype=torch.float64), return_state=True)
    assert y.shape == (2, l, 6)
    assert state.conv.shape == (2, 2, 12) and state.ssm.shape == (2, 12, 4)


def test_gradient_reaches_every_parameter():
    block = make(bias=True)
    block(torch.randn(2, 9, 6, dtype=torch.float64)).square().sum().backward()
    for name, p in block.named_parameters():
        assert torch.isfinite(p.grad).all() and (p.grad != 0).any(), name


def test_no_bias_of_ones_and_nothing_but_parameters():
    block = MambaBlock(8, bias=True)
    ones = [name for name, p in block.named_parameters() if name.endswith("bias") and (p == 1).all()]
    assert not ones and not list(block.buffers())


@pytest.mark.parametrize(
    "make, error, words",
    [
        (lambda: MambaBlock(0), ValueError, "d_model must be at least 1, got 0"),
        (lambda: MambaBlock(8, expand=0), ValueError, "expand must be at least 1, got 0"),
        (lambda: MambaBlock(8, d_conv=-1), ValueError, "d_conv must be at least 1, got -1"),
        (lambda: MambaBlock(8, d_state=0), ValueError, "d_state must be at least 1, got 0"),
        (lambda: MambaBlock(8, bias="no"), TypeError, "bias must be True or False, got 'no'"),
        (lambda: MambaBlock(8)(torch.zeros(1, 2, 9)), ValueError, r"x must have.*d=8, got \(1, 2, 9\)"),
        (lambda: MambaBlock(8)(torch.zeros(1, 2, 8), "zero"), TypeError, "state must be a BlockState.*got str"),
        (lambda: MambaBlock(8).step(torch.zeros(1, 8), None), TypeError, "state must be a BlockState.*got NoneType"),
        (lambda: MambaBlock(8).step(torch.zeros(8), None), ValueError, "x_t must have shape"),
        (lambda: MambaBlock(8)(torch.zeros(1, 2, 8), MambaBlock(8).init_state(2)), ValueError, "state must have.*b=1"),
        (lambda: RMSNorm(0), ValueError, "d_model must be at least 1, got 0"),
        (lambda: RMSNorm(4, eps=0), ValueError, "eps must be a finite number and above 0, got 0"),
        (lambda: RMSNorm(4)(torch.zeros(2, 5)), ValueError, r"x must have.*d=4, got \(2, 5\)"),
        (lambda: RMSNorm(4)(torch.zeros(2, 4).long()), TypeError, "x must be a floating-point"),
    ],
)
def test_bad_input_is_named(make, error, words):
    with pytest.raises(error, match=words):
        make()
