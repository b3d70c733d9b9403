"""The tasks: what is drawn, where it stands, in which order it is asked for."""

import pytest
import torch

from mamba_edu.tasks import NOISE, delayed_recall, selective_copying, sequential_digits


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


@pytest.mark.parametrize("distractors", [True, False])
@pytest.mark.parametrize("batch, seqlen, n_data, vocab_size", SIZES)
def test_data_first_then_a_delay_then_questions(batch, seqlen, n_data, vocab_size, distractors):
    inputs, targets = delayed_recall(batch, seqlen, n_data, vocab_size, distractors=distractors, generator=seeded())
    assert inputs.shape == (batch, seqlen + n_data) and inputs.dtype == targets.dtype == torch.int64
    assert torch.equal(inputs[:, :n_data], targets), "question j is asked seqlen steps after its token"
    assert ((targets >= 1) & (targets <= vocab_size - 2)).all()
    assert (inputs[:, seqlen:] == vocab_size - 1).all()
    between = inputs[:, n_data:seqlen]
    if distractors:
        assert ((between >= 1) & (between <= vocab_size - 2)).all()
    else:
        assert (between == NOISE).all()


def test_distractors_tell_nothing_of_the_data():
    inputs, targets = delayed_recall(20_000, 4, generator=seeded())
    for place in inputs[:, 1:4].T:
        together = torch.stack([place, targets[:, 0]]).double()
        assert torch.corrcoef(together)[0, 1].abs() < 0.035  # 5 standard deviations
        assert (place.bincount(minlength=16)[1:15] / 20_000 - 1 / 14).abs().max() < 0.01


def test_changing_the_targets_changes_no_input():
    inputs, targets = delayed_recall(2, 5, generator=seeded())
    before = inputs.clone()
    targets += 1
    assert torch.equal(inputs, before)


def test_recall_again_and_not_again():
    one, same = (delayed_recall(4, 20, generator=seeded(3))[0] for _ in range(2))
    assert torch.equal(one, same) and not torch.equal(one, delayed_recall(4, 20, generator=seeded(4))[0])


@pytest.mark.parametrize(
    ("given", "error", "says"),
    [
        ({"batch": -1}, ValueError, "batch must be at least 0, got -1"),
        ({"seqlen": 2, "n_data": 3}, ValueError, "seqlen must be at least n_data=3"),
        ({"vocab_size": 2}, ValueError, "vocab_size must be at least 3, got 2"),
        ({"distractors": 1}, TypeError, "distractors must be True or False, got 1"),
        ({"generator": 0}, TypeError, "generator must be a torch.Generator or None, got int"),
    ],
)
def test_recall_of_what_is_no_task(given, error, says):
    with pytest.raises(error, match=says):
        delayed_recall(**{"batch": 2, "seqlen": 8, **given})


def test_digits_are_scikit_learns_each_once():
    from sklearn.datasets import load_digits

    digits = sequential_digits()
    assert [len(part) for part in digits] == [1197, 1197, 300, 300, 300, 300]
    inputs = torch.cat(digits[::2])
    assert inputs.shape == (1797, 64, 1) and inputs.dtype == torch.float32
    assert inputs.min() == 0 and inputs.max() == 1
    mine = {
        (tuple((image * 16).flatten().tolist()), int(label))
        for part in (0, 2, 4)
        for image, label in zip(*digits[part : part + 2])
    }
    images, labels = load_digits(return_X_y=True)
    assert mine == {(tuple(image.tolist()), int(label)) for image, label in zip(images, labels)}


def test_every_part_has_every_digit():
    for targets in sequential_digits()[1::2]:
        assert targets.bincount(minlength=10).min() > 0.06 * len(targets)


def test_one_order_of_pixels_for_all_images():
    plain, torn = sequential_digits(seed=2), sequential_digits(seed=2, shuffled_pixels=True)
    for one, other in zip(plain[::2], torn[::2]):
        assert torch.equal(one.flatten(1).sort(1).values, other.flatten(1).sort(1).values)
    for one, other in zip(plain[1::2], torn[1::2]):
        assert torch.equal(one, other)
    assert not torch.equal(plain.train_inputs, torn.train_inputs)
    mean, moved = (digits.train_inputs.mean(0)[:, 0] for digits in (plain, torn))
    assert torch.allclose(mean.sort().values, moved.sort().values), "each image has an order of its own"


def test_other_seeds_are_other_parts():
    assert not torch.equal(sequential_digits().test_inputs, sequential_digits(seed=1).test_inputs)
    with pytest.raises(ValueError, match="seed must be at least 0, got -1"):
        sequential_digits(seed=-1)
    with pytest.raises(TypeError, match="shuffled_pixels must be True or False, got 'yes'"):
        sequential_digits(shuffled_pixels="yes")


def test_without_scikit_learn_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match="pip install scikit-learn"):
        sequential_digits()
