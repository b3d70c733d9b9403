"""fit: it learns, it repeats itself, it looks at nothing but its text, and it stops when the numbers do."""

import dataclasses
import math
import time

import pytest
import torch
from models import Bigram, TinyGRU
from torch import nn

from mamba_edu import Mamba, MambaConfig
from mamba_edu.training import TrainSettings, fit, loop
from mamba_edu.training.batches import cut, shuffled_starts, stream_starts
from mamba_edu.training.evaluate import token_losses

TEXT = torch.tensor(list(b"the cat sat on the mat. " * 40))
QUICK = TrainSettings(steps=20, seqlen=16, batch_size=4, warmup=2, lr=1e-2, min_lr=1e-3, log_every=5, eval_every=10)


def gru(seed=0, **options):
    torch.manual_seed(seed)
    return TinyGRU(**options)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_a_small_mamba_learns_a_periodic_text_by_heart():
    torch.manual_seed(0)
    model = Mamba(MambaConfig(d_model=24, n_layer=1, d_state=4))
    settings = dataclasses.replace(QUICK, steps=90, seqlen=48, lr=2e-2, eval_seqlen=480)
    loss = fit(model, TEXT, TEXT, settings).valid[-1]["loss"]
    assert 0 < loss / math.log(2) < 0.1


def test_the_loss_falls_and_every_row_is_reported():
    model, losses = gru(), []
    settings = dataclasses.replace(QUICK, steps=300, seqlen=32, batch_size=8)
    history = fit(model, TEXT, TEXT[-97:], settings, report=lambda kind, row: losses.append((kind, row["loss"])))
    assert history.train[0]["loss"] > 4
    assert history.valid[-1]["loss"] / math.log(2) < 0.2  # the first bytes of a window can't be known
    assert history.train[-1]["loss"] < 0.2
    assert losses == [(kind, row["loss"]) for kind, row in merged(history)]


def merged(history):
    rows = [("train", row) for row in history.train] + [("valid", row) for row in history.valid]
    return sorted(rows, key=lambda pair: (pair[1]["step"], pair[0]))


def test_the_history_counts_steps_tokens_and_time():
    history = fit(gru(), TEXT, TEXT, dataclasses.replace(QUICK, steps=23))
    assert [row["step"] for row in history.train] == [5, 10, 15, 20, 23]
    assert [row["step"] for row in history.valid] == [10, 20, 23]
    assert history.steps == 23 and history.tokens == history.train[-1]["tokens"] == 23 * 16 * 4
    seconds = [row["seconds"] for row in history.train]
    assert seconds == sorted(seconds) and 0 < seconds[0] and seconds[-1] <= history.seconds
    assert 0 < history.train_seconds < history.seconds
    assert history.tokens_per_second == pytest.approx(history.tokens / history.train_seconds)
    assert history.train[0]["lr"] > history.train[-1]["lr"] == pytest.approx(QUICK.min_lr)


def test_eval_every_0_validates_once_and_none_never():
    assert [r["step"] for r in fit(gru(), TEXT, TEXT, dataclasses.replace(QUICK, eval_every=0)).valid] == [20]
    assert fit(gru(), TEXT, None, QUICK).valid == []


def test_same_seed_same_weights_and_the_global_generator_is_not_touched():
    torch.manual_seed(5)
    expected = torch.rand(3)
    runs = []
    for seed in [0, 0, 1]:
        model = gru()
        torch.manual_seed(5)
        fit(model, TEXT, TEXT, dataclasses.replace(QUICK, seed=seed))
        assert torch.equal(torch.rand(3), expected)
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_validation_only_looks():
    """Another validation text, more often or never: the same weights, with dropout, too."""
    runs = []
    for valid, every in [(TEXT, 10), (torch.zeros(500, dtype=torch.int64), 3), (None, 0)]:
        model = gru(dropout=0.3)
        torch.manual_seed(7)  # dropout draws from the global generator
        fit(model, TEXT, valid, dataclasses.replace(QUICK, eval_every=every))
        runs.append(weights(model))
    assert torch.equal(runs[0], runs[1]) and torch.equal(runs[0], runs[2])


class Spy(Bigram):
    """Notes what it is shown, in which mode, and whether a second graph hangs on the first."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def forward(self, tokens):
        self.seen.append((self.training, tokens.clone(), torch.is_anomaly_enabled()))
        return super().forward(tokens)


def test_training_sees_the_training_text_alone_in_train_mode():
    model = Spy().eval()
    train, valid = torch.arange(100), torch.arange(100, 200)  # no byte in common
    fit(model, train, valid, QUICK)
    assert {training for training, _, _ in model.seen} == {True, False}
    for training, tokens, anomaly in model.seen:
        assert not anomaly
        assert (tokens < 100).all() if training else (tokens >= 100).all()
    assert not model.training, "the mode was not restored"


def test_the_quick_validation_reads_eval_bytes_in_windows_of_eval_seqlen():
    model = Spy()
    fit(model, TEXT, TEXT, dataclasses.replace(QUICK, steps=1, eval_bytes=101, eval_seqlen=50))
    shapes = [tuple(tokens.shape) for training, tokens, _ in model.seen if not training]
    assert shapes == [(2, 50)]


def test_a_batch_is_a_batch_of_strangers():
    """What a row costs depends on that row alone, and the first prediction of a row on its first byte alone."""
    model = gru()
    settings = dataclasses.replace(QUICK, steps=3, batch_size=3)
    states = []
    model.rnn.register_forward_pre_hook(lambda module, args: states.append(len(args)))
    fit(model, TEXT, None, settings)
    assert states == [1, 1, 1], "a state was handed on from one batch to the next"


def test_the_gradient_is_clipped_once_as_one_vector():
    """Directions stay: after a clipped step of plain gradient descent the update is parallel to the gradient."""
    inputs, targets = TEXT[None, :16], TEXT[None, 1:17]
    free, clipped = gru(), gru()
    for model, clip in [(free, 1e9), (clipped, 1e-3)]:
        before = weights(model)
        norm = loop.train_step(model, torch.optim.SGD(model.parameters(), lr=1.0), inputs, targets, clip)[1]
        model.update = weights(model) - before
        assert norm > 0.1  # as it was before clipping
    assert clipped.update.norm() == pytest.approx(1e-3, rel=1e-3)
    cosine = torch.cosine_similarity(free.update.double(), clipped.update.double(), dim=0)
    assert cosine == pytest.approx(1, abs=1e-6)


def test_gradients_do_not_pile_up_and_graphs_are_freed():
    model = gru()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    inputs, targets = TEXT[None, :16], TEXT[None, 1:17]
    norms = [loop.train_step(model, optimizer, inputs, targets, 1e9)[1] for _ in range(3)]
    assert norms[0] > 0 and norms == [norms[0]] * 3
    kept = []
    original = loop.token_losses
    try:
        loop.token_losses = lambda *args, **more: kept.append(original(*args, **more)) or kept[-1]
        loop.train_step(model, optimizer, inputs, targets, 1.0)
    finally:
        loop.token_losses = original
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        kept[0].sum().backward()


class Poisoned(Bigram):
    """From its fourth training step on the loss, or only its gradient, is not a number."""

    def __init__(self, where):
        super().__init__()
        self.where, self.steps = where, 0

    def forward(self, tokens):
        logits = super().forward(tokens)
        self.steps += self.training
        if self.where == "valid":
            return logits if self.training else logits * math.nan
        if self.steps < 4:
            return logits
        if self.where == "loss":
            return logits * math.nan
        logits.register_hook(lambda grad: grad * math.inf)
        return logits


@pytest.mark.parametrize(
    ("where", "words"),
    [
        ("loss", "step 4: the loss is nan"),
        ("gradient", "step 4: the norm of the gradient is (inf|nan)"),
        ("valid", "step 10: the validation loss is nan"),
    ],
)
def test_a_number_that_is_none_stops_the_run(where, words):
    model = Poisoned(where)
    with pytest.raises(FloatingPointError, match=words):
        fit(model, TEXT, TEXT, QUICK)
    assert torch.isfinite(weights(model)).all(), "the weights of the step before are lost"


def test_a_run_by_the_clock_ends_in_time_with_the_learning_rate_at_its_floor(monkeypatch):
    now = [100.0]

    class Slow(Bigram):
        calls = 0

        def forward(self, tokens):
            self.calls += 1
            now[0] += (30.0 if self.calls == 1 else 0.5) if self.training else 5.0
            return super().forward(tokens)

    monkeypatch.setattr(time, "perf_counter", lambda: now[0])
    settings = dataclasses.replace(QUICK, steps=None, minutes=1.0, warmup=5, log_every=1, eval_every=40)
    history = fit(Slow(), TEXT, TEXT[:16], settings)
    assert [row["step"] for row in history.valid] == [40, 80, 101]  # two validations of 5 s in the 60: 100 steps
    assert history.train[-1]["seconds"] == 90.0 and history.seconds == 95.0  # the last validation comes after
    assert history.train[-1]["lr"] < QUICK.min_lr + 0.01 * (QUICK.lr - QUICK.min_lr)
    assert max(row["lr"] for row in history.train) == pytest.approx(QUICK.lr)
    assert history.tokens_per_second == pytest.approx(101 * 64 / 80)


def test_windows_cover_the_text_evenly_and_targets_are_the_next_bytes():
    tokens = torch.arange(103)
    batches = shuffled_starts(103, 10, 3, torch.Generator().manual_seed(0))
    seen, starts = torch.zeros(103, dtype=torch.int64), set()
    for _ in range(300):
        inputs, targets = cut(tokens, next(batches)[0], 10)
        assert inputs.shape == targets.shape == (3, 10)
        assert torch.equal(targets, inputs + 1)
        seen += torch.bincount(targets.flatten(), minlength=103)
        starts |= set(inputs[:, 0].tolist())
    assert seen[0] == 0
    assert starts == set(range(93)), "some cuts are never made"
    inner = seen[10:-10].double()
    assert inner.max() / inner.min() < 1.1


@pytest.mark.parametrize("n", [11, 12, 20, 21])
def test_the_shortest_texts_still_give_windows(n):
    batches = shuffled_starts(n, 10, 5, torch.Generator().manual_seed(1))
    inputs, targets = cut(torch.arange(n), next(batches)[0], 10)
    assert inputs.shape == (5, 10) and int(targets.max()) <= n - 1


@pytest.mark.parametrize("n", [31, 40, 1003])
def test_streams_read_on_and_cover_the_text_evenly(n):
    """Each row's next window begins where the last one ended, until all are put somewhere new."""
    streams = stream_starts(n, 10, 3, torch.Generator().manual_seed(0))
    seen, before = torch.zeros(n, dtype=torch.int64), None
    for _ in range(3000):
        starts, fresh = next(streams)
        assert fresh or torch.equal(starts, before + 10)
        before = starts
        _, targets = cut(torch.arange(n), starts, 10)
        seen += torch.bincount(targets.flatten(), minlength=n)
    assert seen[0] == 0 and int(seen[1:].min()) > 0, "some byte is never a target"
    often = seen[1:] > 0.95 * seen.max()
    assert n < 1000 or often.double().mean() > 0.9, "only the ends of the rows may be met less often"


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"steps": None}, ValueError, "give either steps or minutes"),
        ({"minutes": 1.0}, ValueError, "give either steps or minutes"),
        ({"steps": 0}, ValueError, "steps must be at least 1, got 0"),
        ({"steps": None, "minutes": -1}, ValueError, "minutes must be .* got -1"),
        ({"steps": None, "minutes": math.inf}, ValueError, "minutes must be a finite number"),
        ({"seqlen": -3}, ValueError, "seqlen must be at least 1, got -3"),
        ({"batch_size": 0}, ValueError, "batch_size must be at least 1"),
        ({"warmup": 1.5}, TypeError, "warmup must be a whole number"),
        ({"lr": 0.0}, ValueError, "lr must be .* above 0"),
        ({"lr": math.nan}, ValueError, "lr must be a finite number"),
        ({"min_lr": 1.0}, ValueError, "min_lr must be at most lr=0.01, got 1.0"),
        ({"weight_decay": -0.1}, ValueError, "weight_decay must be .* at least 0, got -0.1"),
        ({"clip": "1"}, TypeError, "clip must be .* got '1'"),
        ({"betas": (0.9, 1.0)}, ValueError, "betas must be .* below 1, got 1.0"),
        ({"betas": 0.9}, TypeError, "betas must be a pair"),
        ({"eval_bytes": 1}, ValueError, "eval_bytes must be at least 2, got 1"),
        ({"eval_seqlen": 0}, ValueError, "eval_seqlen must be at least 1, got 0"),
        ({"seed": -1}, ValueError, "seed must be at least 0"),
    ],
)
def test_bad_settings_are_named(change, error, words):
    with pytest.raises(error, match=words):
        dataclasses.replace(QUICK, **change)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ((len, TEXT, TEXT, QUICK), TypeError, "model must be a torch.nn.Module"),
        ((Bigram(), b"abc", TEXT, QUICK), TypeError, "train_tokens must be a tensor"),
        ((Bigram(), TEXT[:16], TEXT, QUICK), ValueError, "train_tokens must hold more than seqlen=16 tokens, got 16"),
        ((Bigram(), -TEXT, TEXT, QUICK), ValueError, "train_tokens must lie in"),
        ((Bigram(), TEXT, TEXT[:1], QUICK), ValueError, "valid_tokens must hold at least 2 tokens, got 1"),
        ((Bigram(), TEXT, TEXT.float(), QUICK), TypeError, "valid_tokens must be an integer tensor"),
        ((Bigram(), TEXT, TEXT, {"steps": 3}), TypeError, "settings must be a TrainSettings, got dict"),
        ((nn.Flatten(), TEXT, TEXT, QUICK), ValueError, "model must have parameters"),
    ],
)
def test_bad_arguments_are_named(arguments, error, words):
    with pytest.raises(error, match=words):
        fit(*arguments)


@pytest.mark.parametrize("parts", [2, 4, 8])
def test_a_batch_in_parts_has_the_gradient_of_the_whole(parts):
    inputs, targets = cut(TEXT, torch.arange(8) * 40, 33)
    gradients = []
    for accumulate in (1, parts):
        torch.manual_seed(0)
        model = Mamba(MambaConfig(d_model=16, n_layer=2, d_state=4))
        loss = loop.gradient(model, inputs, targets, accumulate)
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters()]))
        losses = token_losses(model, inputs, targets)
        assert loss == pytest.approx(losses.mean().item(), rel=1e-6)
    difference = (gradients[0] - gradients[1]).abs().max() / gradients[0].abs().max()
    assert torch.isfinite(difference) and difference < 1e-6


def test_bfloat16_is_for_products_alone():
    torch.manual_seed(0)
    model, seen = Mamba(MambaConfig(d_model=16, n_layer=1, d_state=4)), set()
    model.backbone.layers[0].mixer.in_proj.register_forward_hook(lambda *a: seen.add((model.training, a[2].dtype)))
    settings = dataclasses.replace(QUICK, steps=60, precision="bfloat16", lr=2e-2)
    history = fit(model, TEXT, TEXT, settings)
    assert seen == {(True, torch.bfloat16), (False, torch.float32)}, "validation scores the model itself"
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert history.train[-1]["loss"] < 0.5 * history.train[0]["loss"]


def test_a_carried_state_crosses_windows_and_no_gradient_does():
    """The state after a window is handed to the next one of the same row; a new pass begins from zero."""
    torch.manual_seed(0)
    model, calls = Mamba(MambaConfig(d_model=8, n_layer=1, d_state=4)), []
    forward = model.forward

    def watched(tokens, state=None, return_state=False):
        logits, after = forward(tokens, state, return_state=True)
        calls.append((state, after))
        return (logits, after) if return_state else logits

    model.forward = watched
    settings = dataclasses.replace(QUICK, steps=7, batch_size=2, carry_state=True)
    fit(model, TEXT[:150], None, settings)  # 74 bytes a row, 4 windows of 16, then another pass
    before, after = zip(*calls)
    assert [state is None for state in before] == [True, False, False, False, True, False, False]
    for given, left in [(before[1], after[0]), (before[3], after[2]), (before[6], after[5])]:
        assert torch.equal(given[0].ssm, left[0].ssm) and torch.equal(given[0].conv, left[0].conv)
        assert left[0].ssm.requires_grad and not given[0].ssm.requires_grad


def test_an_optimizer_of_ones_own_takes_the_steps():
    model = gru()
    optimizer = torch.optim.SGD(model.parameters(), lr=99.0, momentum=0.9)
    before = weights(model)
    history = fit(model, TEXT, None, dataclasses.replace(QUICK, steps=4, log_every=1), optimizer=optimizer)
    assert len(optimizer.state) == len(list(model.parameters())) and not torch.equal(weights(model), before)
    assert optimizer.param_groups[0]["lr"] == history.train[-1]["lr"] == pytest.approx(QUICK.min_lr, rel=3)


def test_patience_counts_validations_without_a_new_best(monkeypatch):
    scores = iter([5.0, 3.0, 4.0, 2.0, 2.0, 2.5, 1.0])
    monkeypatch.setattr(loop, "evaluate", lambda *a, **k: next(scores))
    history = fit(gru(), TEXT, TEXT, dataclasses.replace(QUICK, steps=100, eval_every=3, patience=2))
    assert [row["loss"] for row in history.valid] == [5.0, 3.0, 4.0, 2.0, 2.0, 2.5]
    assert history.ended == "patience" and history.steps == 18 and history.best["step"] == 12
