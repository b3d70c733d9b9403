"""What an answer has to be before its values are looked at: a number, or a tensor of the right shape."""

import math
from numbers import Complex, Real

import torch

from ._result import expect


def expect_number(value, what):
    """One real, finite number, Python's or a tensor's, as a float. what: its name in the hint, 'the rate'."""
    kind = type(value).__name__
    if isinstance(value, torch.Tensor):
        kind = f"a tensor of shape {tuple(value.shape)}"
        value = value.item() if value.numel() == 1 else value
    number = isinstance(value, Complex) and not isinstance(value, bool)
    expect(number, f"{what} should be a number, yours is {kind}")
    expect(isinstance(value, Real), f"{what} should be a real number, yours is complex")
    expect(math.isfinite(value), f"{what} should be finite, yours is {value}")
    return float(value)


def expect_values(got, shape, what, complex_too=False):
    """A finite tensor of floating point numbers, (*shape), as float64; as complex128 where it may be complex."""
    expect(isinstance(got, torch.Tensor), f"{what} should be a tensor, yours is {type(got).__name__}")
    expect(tuple(got.shape) == tuple(shape), f"{what} should have shape {tuple(shape)}, yours has {tuple(got.shape)}")
    expect(complex_too or not got.is_complex(), f"{what} should be real, yours is {got.dtype}")
    expect(got.is_complex() or got.is_floating_point(), f"{what} should be floating point, yours is {got.dtype}")
    expect(bool(torch.isfinite(got).all()), f"{what} should be finite, yours has an infinity or a NaN")
    return got.detach().to(torch.complex128 if complex_too else torch.float64)
