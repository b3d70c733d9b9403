"""Selective copying: what is drawn, where it stands, in which order it is asked for."""

import pytest
import torch

from mamba_edu.tasks import NOISE, selective_copying


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


SIZES = [(3, 10, 4, 16), (1, 1, 1, 3), (5, 7, 7, 4), (2, 300, 16, 16), (0, 9, 2, 8)]


@pytest.mark.parametrize("scattered", [True, False])
@pytest.mark.parametrize("batch, seqlen, n_data, vocab_size", SIZES)
def test_data_then_questions(batch, seqlen, n_data, vocab_size, scattered):
    inputs, targets = selective_copying(batch, seqlen, n_data, vocab_size, scattered=scattered, generator=seeded())
    assert inputs.shape == (batch, seqlen + n_data) and targets.shape == (batch, n_data)
    assert inputs.dtype == targets.dtype == torch.int64
    assert (inputs[:, seqlen:] == vocab_size - 1).all()
    assert ((targets >= 1) & (targets <= vocab_size - 2)).all()
    assert ((inputs[:, :seqlen] != NOISE).sum(1) == n_data).all()
    assert (inputs[:, :seqlen] < vocab_size - 1).all(), "a question among the data"


@pytest.mark.parametrize("scattered", [True, False])
def test_targets_are_the_data_in_the_order_of_time(scattered):
    inputs, targets = selective_copying(200, 30, 6, scattered=scattered, generator=seeded())
    for row, wanted in zip(inputs[:, :30], targets):
        assert torch.equal(row[row != NOISE], wanted)


def test_the_defaults_are_the_papers():
    inputs, targets = selective_copying(2, 4096, generator=seeded())
    assert inputs.shape == (2, 4096 + 16) and targets.shape == (2, 16)
    assert inputs.max() == 15


def test_every_kind_of_data_comes_equally_often():
    _, targets = selective_copying(4000, 12, 4, 10, generator=seeded())
    for column in targets.T:  # at each rank: a bias in one would hide in the sum
        shares = column.bincount(minlength=10) / 4000
        assert shares[0] == shares[9] == 0
        assert (shares[1:9] - 1 / 8).abs().max() < 0.025  # 4.8 standard deviations


def test_every_place_and_every_pair_of_places_is_equally_likely():
    inputs, _ = selective_copying(8000, 8, 3, generator=seeded())
    taken = (inputs[:, :8] != NOISE).double()
    alone, pairs = taken.mean(0), taken.T @ taken / 8000
    assert (alone - 3 / 8).abs().max() < 0.027
    off_diagonal = pairs[~torch.eye(8, dtype=torch.bool)]
    assert (off_diagonal - 3 * 2 / (8 * 7)).abs().max() < 0.018


def test_kinds_do_not_depend_on_places():
    inputs, _ = selective_copying(6000, 6, 2, 6, generator=seeded())
    for place in inputs[:, :6].T:
        shares = place[place != NOISE].bincount(minlength=5)[1:5] / (place != NOISE).sum()
        assert (shares - 1 / 4).abs().max() < 0.05


def test_plain_copying_has_its_data_first():
    inputs, targets = selective_copying(50, 20, 5, scattered=False, generator=seeded())
    assert torch.equal(inputs[:, :5], targets)
    assert (inputs[:, 5:20] == NOISE).all()


def test_a_generator_repeats_and_two_calls_differ():
    first, again = seeded(3), seeded(3)
    for _ in range(2):
        a, b = selective_copying(4, 20, 4, generator=first), selective_copying(4, 20, 4, generator=again)
        assert torch.equal(a[0], b[0]) and torch.equal(a[1], b[1])
    c = selective_copying(4, 20, 4, generator=first)
    assert not torch.equal(a[0], c[0])
    torch.manual_seed(5)
    d = selective_copying(4, 20, 4)
    torch.manual_seed(5)
    e = selective_copying(4, 20, 4)
    assert torch.equal(d[0], e[0]) and not torch.equal(d[0], selective_copying(4, 20, 4)[0])


def test_rows_are_drawn_apart():
    inputs, targets = selective_copying(6, 200, 16, generator=seeded())
    assert len(targets.unique(dim=0)) == 6
    assert len((inputs != NOISE).unique(dim=0)) == 6


WRONG = [
    ({"batch": -1}, ValueError, "batch must be at least 0, got -1"),
    ({"batch": 2.0}, TypeError, "batch must be a whole number"),
    ({"seqlen": "9"}, TypeError, "seqlen must be a whole number"),
    ({"seqlen": 0}, ValueError, "seqlen must be at least 1, got 0"),
    ({"seqlen": 3}, ValueError, "seqlen must be at least n_data=4, to hold the data, got 3"),
    ({"n_data": 0}, ValueError, "n_data must be at least 1, got 0"),
    ({"n_data": True}, TypeError, "n_data must be a whole number"),
    ({"vocab_size": 2}, ValueError, "vocab_size must be at least 3, got 2"),
    ({"scattered": 1}, TypeError, "scattered must be True or False, got 1"),
    ({"generator": 7}, TypeError, "generator must be a torch.Generator or None, got int"),
]


@pytest.mark.parametrize("change, error, message", WRONG, ids=[str(change) for change, *_ in WRONG])
def test_wrong_arguments_are_named(change, error, message):
    arguments = {"batch": 2, "seqlen": 9, "n_data": 4, **change}
    with pytest.raises(error, match=message):
        selective_copying(**arguments)
