"""Hillis and Steele's scan and Blelloch's as functions: the loop's states, their work and their depth."""

import math

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from mamba_edu.scan import blelloch, doubling

LENGTHS = [*range(1, 20), 31, 32, 33, 100, 1000]
both = pytest.mark.parametrize("scan", [doubling, blelloch])


def draw(*shape, dtype=torch.float64):
    generator = torch.Generator().manual_seed(len(shape))
    return (torch.randn(shape, dtype=dtype, generator=generator) for _ in range(2))


def loop(a, x):
    h, states = torch.zeros_like(x[0]), []
    for a_t, x_t in zip(a, x):
        h = a_t * h + x_t
        states.append(h)
    return torch.stack(states)


@both
@pytest.mark.parametrize("l", LENGTHS)
def test_the_states_are_the_loops(scan, l):
    a, x = draw(l, 3)
    a = a.tanh()
    before = a.clone(), x.clone()
    torch.testing.assert_close(scan(a, x), loop(a, x), rtol=0, atol=1e-12)
    assert torch.equal(a, before[0]) and torch.equal(x, before[1])


@both
@pytest.mark.parametrize("shape", [(13,), (13, 2), (13, 2, 3, 4)])
def test_time_comes_first_whatever_follows(scan, shape):
    a, x = draw(*shape)
    torch.testing.assert_close(scan(a, x), loop(a, x))


@both
def test_gradients_are_the_loops(scan):
    given = [t.requires_grad_() for t in draw(11, 2)]
    weights = torch.arange(22.0, dtype=torch.float64).view(11, 2)
    ours = torch.autograd.grad((scan(*given) * weights).sum(), given)
    theirs = torch.autograd.grad((loop(*given) * weights).sum(), given)
    for got, true in zip(ours, theirs):
        torch.testing.assert_close(got, true)


@both
def test_decays_that_vanish_and_signs_that_change_are_no_trouble(scan):
    """What a division by the running product of the decays would turn into NaN."""
    a, x = draw(400, 1)
    a = 1e-3 * a
    a[::7] = 0
    assert a.abs().cumprod(0)[-1] == 0
    torch.testing.assert_close(scan(a, x), loop(a, x), rtol=0, atol=1e-14)


class Counted(TorchDispatchMode):
    """How many numbers are multiplied, and in how many products of whole tensors."""

    def __init__(self):
        super().__init__()
        self.numbers, self.products = 0, 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten.mul.Tensor:
            self.numbers, self.products = self.numbers + result.numel(), self.products + 1
        return result


@pytest.mark.parametrize("l", [2, 7, 64, 100, 1024])
def test_doubling_is_shallow_and_does_too_much(l):
    with Counted() as counted:
        doubling(*draw(l))
    rounds = math.ceil(math.log2(l))
    assert counted.products == 2 * rounds
    assert counted.numbers == 2 * sum(l - 2**k for k in range(rounds))


@pytest.mark.parametrize("l", [2, 7, 64, 100, 1024])
def test_blelloch_does_work_in_proportion_to_the_length(l):
    with Counted() as counted:
        blelloch(*draw(l))
    assert counted.products == 3 * math.floor(math.log2(l))
    assert counted.numbers < 3 * l
