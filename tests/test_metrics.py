"""Nats, bits and perplexity are one loss said three ways, and none is mistaken for another."""

import math
from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mamba_edu import bits_per_byte, calculate_perplexity


@given(st.floats(0, 700))
def test_two_to_the_bits_is_e_to_the_nats_is_perplexity(nats):
    assert math.isclose(2 ** bits_per_byte(nats), calculate_perplexity(nats), rel_tol=1e-12)


def test_known_values():
    uniform = math.log(256)  # nats of a model that knows nothing
    assert bits_per_byte(uniform) == pytest.approx(8, rel=1e-15)
    assert calculate_perplexity(uniform) == pytest.approx(256, rel=1e-14)
    assert bits_per_byte(1.0) == pytest.approx(1.4426950408889634, rel=1e-15)
    assert bits_per_byte(0) == 0.0 and calculate_perplexity(0) == 1.0


def test_a_fair_coin_between_two_bytes_costs_one_bit():
    logits = torch.full((6, 256), -math.inf)
    logits[:, [65, 66]] = 0.0
    loss = torch.nn.functional.cross_entropy(logits, torch.tensor([65, 66, 66, 65, 65, 66]))
    assert bits_per_byte(loss).item() == pytest.approx(1, rel=1e-6)
    assert calculate_perplexity(loss).item() == pytest.approx(2, rel=1e-6)


def test_bits_per_character_are_more_than_bits_per_byte():
    text = "Ærøskøbing"
    code = text.encode()
    total = 3.0 * len(code)  # nats of the whole text, 3 for each byte
    per_character = total / math.log(2) / len(text)
    assert len(code) == 13 and len(text) == 10
    assert per_character == pytest.approx(bits_per_byte(total / len(code)) * 13 / 10)
    assert per_character > bits_per_byte(total / len(code))


@pytest.mark.parametrize("measure", [bits_per_byte, calculate_perplexity])
@pytest.mark.parametrize("loss", [2, 2.0, np.float64(2), np.float32(2), np.int64(2), Fraction(2)])
def test_a_number_gives_a_float(measure, loss):
    assert type(measure(loss)) is float and measure(loss) == measure(2.0)


@pytest.mark.parametrize("measure", [bits_per_byte, calculate_perplexity])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", [(), (3,), (0,), (2, 3)])
def test_a_tensor_gives_a_tensor(measure, dtype, shape):
    result = measure(torch.full(shape, 2.0, dtype=dtype))
    assert result.dtype == dtype and result.shape == shape
    assert torch.allclose(result, torch.full(shape, measure(2.0), dtype=dtype))


def test_gradients_flow():
    loss = torch.tensor([0.5, 2.0], dtype=torch.float64, requires_grad=True)
    bits_per_byte(loss).sum().backward()
    assert torch.allclose(loss.grad, torch.full((2,), 1 / math.log(2), dtype=torch.float64))
    assert torch.autograd.gradcheck(calculate_perplexity, loss)


@pytest.mark.parametrize("loss", [1000.0, math.inf])
def test_too_large_becomes_infinity(loss):
    assert calculate_perplexity(loss) == math.inf
    assert calculate_perplexity(torch.tensor(loss)).item() == math.inf
    assert bits_per_byte(math.inf) == math.inf


@pytest.mark.parametrize("measure", [bits_per_byte, calculate_perplexity])
def test_nan_stays_nan(measure):
    assert math.isnan(measure(math.nan))
    assert measure(torch.tensor([1.0, math.nan])).isnan().tolist() == [False, True]


@pytest.mark.parametrize("measure", [bits_per_byte, calculate_perplexity])
@pytest.mark.parametrize(
    ("loss", "error", "words"),
    [
        (-0.25, ValueError, r"loss must be at least 0 nats, got -0\.25"),
        (-math.inf, ValueError, "loss must be at least 0 nats, got -inf"),
        (torch.tensor([1.0, -0.25]), ValueError, r"loss must be at least 0 nats, got -0\.25"),
        (torch.tensor([math.nan, -0.25]), ValueError, r"loss must be at least 0 nats, got -0\.25"),
        (torch.tensor([math.nan, -math.inf]), ValueError, "loss must be at least 0 nats, got -inf"),
        (torch.tensor([1, 2]), TypeError, r"loss must be a floating-point tensor .*torch\.int64"),
        ("2.0", TypeError, "loss must be a number or a floating-point tensor, got str"),
        (None, TypeError, "got NoneType"),
        (True, TypeError, "got bool"),
        ([2.0], TypeError, "got list"),
    ],
)
def test_refuses(measure, loss, error, words):
    with pytest.raises(error, match=words):
        measure(loss)
