"""evaluate: every token but the first once, from a zero state, in nats, without a trace."""

import math

import pytest
import torch
from models import Bigram, Position, TinyGRU
from torch import nn
from torch.nn import functional as F

from mamba_edu import Mamba, MambaConfig, evaluate


def by_hand(model, tokens, seqlen):
    """The contract, spelled out: one target at a time, each from the start of its window."""
    model.eval()
    total = 0.0
    with torch.no_grad():
        for t in range(1, len(tokens)):
            start = (t - 1) // seqlen * seqlen
            logits = model(tokens[None, start:t])[0, -1].double()
            total += F.cross_entropy(logits, tokens[t]).item()
    return total / (len(tokens) - 1)


@pytest.mark.parametrize("n", [2, 3, 8, 9, 10, 16, 17, 18, 41])
@pytest.mark.parametrize("batch_size", [1, 2, 32])
def test_every_target_once_from_a_zero_state(n, batch_size):
    torch.manual_seed(0)
    model, tokens = TinyGRU(vocab=11, width=8), torch.randint(11, (n,))
    loss = evaluate(model, tokens, 8, batch_size)
    assert math.isfinite(loss)
    assert loss == pytest.approx(by_hand(model, tokens, 8), rel=1e-6)


def test_nats_are_summed_over_unequal_windows_not_averaged_by_window():
    # positions 1 2 3 4 | 1 2 3 4 | 1: a mean of window means would give (2.5 + 2.5 + 1) / 3 = 2
    loss = evaluate(Position(), torch.zeros(10, dtype=torch.int64), 4)
    assert loss == pytest.approx(21 / 9, rel=1e-12)


def test_a_uniform_model_pays_eight_bits_per_byte():
    model = Bigram()
    nn.init.zeros_(model.table.weight)
    assert evaluate(model, torch.arange(200) % 256, 7) / math.log(2) == pytest.approx(8, abs=1e-6)


def test_no_state_passes_from_one_call_or_batch_to_the_next():
    torch.manual_seed(0)
    model = TinyGRU(vocab=11)
    first, second = torch.randint(11, (65,)), torch.randint(11, (65,))
    alone = evaluate(model, second, 16, batch_size=2)
    evaluate(model, first, 16, batch_size=2)
    assert evaluate(model, second, 16, batch_size=2) == alone
    assert evaluate(model, second, 16, batch_size=1) == pytest.approx(alone, rel=1e-6)


def test_the_sum_is_kept_in_float64():
    # the same float32 number a million times over: a sum in float32 loses digits, one in float64 has them all
    model = Bigram(vocab=2)
    with torch.no_grad():
        model.table.weight.copy_(torch.tensor([-0.1, math.log(1 - math.exp(-0.1))]).expand(2, 2))
    one = evaluate(model, torch.zeros(2, dtype=torch.int64), 1)
    assert one == pytest.approx(0.1, rel=1e-6)
    assert evaluate(model, torch.zeros(1_000_001, dtype=torch.int64), 1000, batch_size=300) == pytest.approx(
        one, rel=1e-12
    )


def test_each_module_keeps_its_mode_and_gradients_stay_off():
    model = TinyGRU(dropout=0.5)
    model.train()
    model.norm.eval()
    before = [module.training for module in model.modules()]
    tokens = torch.arange(50)
    assert evaluate(model, tokens, 10) == evaluate(model, tokens, 10), "dropout was on"
    assert [module.training for module in model.modules()] == before
    assert all(p.grad is None for p in model.parameters())


def test_the_mode_comes_back_after_an_error():
    model = TinyGRU().train()
    with pytest.raises(IndexError):
        evaluate(model, torch.tensor([1, 300]), 4)
    assert model.training and model.head.training


def test_padding_of_the_vocabulary_gets_no_probability():
    class Config:
        vocab_size = 5

    model = Bigram(vocab=5, width=8)
    model.config = Config()
    tokens = torch.arange(20) % 5
    loss = evaluate(model, tokens, 6)
    with torch.no_grad():
        model.table.weight[:, 5:] = 30.0  # the padding shouts
    assert evaluate(model, tokens, 6) == loss
    with pytest.raises(ValueError, match=r"tokens must lie in \[0, 5\)"):
        evaluate(model, torch.tensor([1, 6]), 6)


def test_a_loss_that_is_not_finite_is_not_hidden():
    model = Bigram()
    nn.init.constant_(model.table.weight, math.nan)
    assert math.isnan(evaluate(model, torch.arange(9), 4))


class Pair(nn.Module):
    def forward(self, tokens):
        return tokens, tokens


class Last(nn.Module):
    def forward(self, tokens):
        return torch.zeros(len(tokens), 256)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((lambda x: x, torch.arange(9), 4), TypeError, "model must be a torch.nn.Module, got function"),
        ((Pair(), torch.arange(9), 4), TypeError, "model must return a tensor of logits .* got tuple"),
        ((Last(), torch.arange(9), 4), ValueError, r"model must return logits .* for tokens \(2, 4\), got \(2, 256\)"),
        ((Bigram(), b"abc", 4), TypeError, r"tokens must be a tensor \(n\), got bytes"),
        ((Bigram(), torch.rand(9), 4), TypeError, "tokens must be an integer tensor"),
        ((Bigram(), torch.zeros(2, 9, dtype=torch.int64), 4), ValueError, r"tokens must have shape \(n\)"),
        ((Bigram(), torch.arange(1), 4), ValueError, "tokens must hold at least 2 tokens.* got 1"),
        ((Bigram(), torch.tensor([3, -1]), 4), ValueError, "tokens must lie in .* from -1 to 3"),
        ((Bigram(), torch.arange(9), 0), ValueError, "seqlen must be at least 1, got 0"),
        ((Bigram(), torch.arange(9), 4.0), TypeError, "seqlen must be a whole number"),
        ((Bigram(), torch.arange(9), 4, -1), ValueError, "batch_size must be at least 1, got -1"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        evaluate(*arguments)


def test_a_carried_state_makes_windows_one_long_text():
    """However the text is cut, each byte is predicted from all before it."""
    torch.manual_seed(0)
    model = Mamba(MambaConfig(d_model=8, n_layer=1, d_state=4)).double()
    tokens = torch.randint(0, 256, (200,))
    whole = evaluate(model, tokens, 199)
    for seqlen in (1, 7, 50, 198):
        assert evaluate(model, tokens, seqlen, carry_state=True) == pytest.approx(whole, rel=1e-12)
        assert evaluate(model, tokens, seqlen) != pytest.approx(whole, rel=1e-6)
    with pytest.raises(TypeError, match="carry_state must be True or False, got 1"):
        evaluate(model, tokens, 7, carry_state=1)
