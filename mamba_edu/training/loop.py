"""The training loop: a window of bytes, a loss, a step, and a look at the validation text now and then."""

import math
import time
from contextlib import nullcontext
from itertools import islice

import torch
from torch import nn

from mamba_edu._validate import check_tensor
from mamba_edu.training import memory
from mamba_edu.training.batches import cut, shuffled_starts, stream_starts
from mamba_edu.training.distributed import ALONE, without_averaging
from mamba_edu.training.evaluate import evaluate, in_mode, token_losses, tokens_for
from mamba_edu.training.history import Bar, History
from mamba_edu.training.optimizer import make_optimizer
from mamba_edu.training.schedule import learning_rate, planned_steps, set_learning_rate
from mamba_edu.training.settings import TrainSettings


def gradient(model, inputs, targets, accumulate=1, states=None, precision="float32"):
    """Add the gradient of the mean loss to the parameters, reading the batch in `accumulate` equal parts.

    inputs, targets: (b, l) integers. states: what each part's rows knew before, a list that is given what they know
    now; None: nothing. precision: "bfloat16" for the matrix products. Returns the loss in nats, a float.
    """
    total = 0.0
    for i, (x, y) in enumerate(zip(inputs.chunk(accumulate), targets.chunk(accumulate))):
        more_to_come = i < accumulate - 1
        with without_averaging(model) if more_to_come else nullcontext():
            with torch.autocast(x.device.type, torch.bfloat16, enabled=precision == "bfloat16"):
                if states is None:
                    losses = token_losses(model, x, y)
                else:
                    losses, after = token_losses(model, x, y, states[i], return_state=True)
                    states[i] = memory.detached(after)
            loss = losses.mean() / accumulate
            loss.backward()
        total += loss.item()
    return total


def train_step(model, optimizer, inputs, targets, clip, *, ranks=ALONE, **reading):
    """One step: loss, gradient, clipped to a global norm of `clip`, update. Returns (loss, gradient norm), floats.

    The gradient is clipped as one vector over all parameters: it gets shorter and keeps its direction (clip=0: never).
    ranks: the processes that read a share of the batch each. reading: how the batch is read, see `gradient`.
    Raises FloatingPointError, before a parameter is touched, when the loss or the norm is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = gradient(model, inputs, targets, **reading)
    (loss,) = ranks.sum(loss / ranks.world)
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss}")
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip or math.inf).item()
    if not math.isfinite(norm):
        raise FloatingPointError(f"the norm of the gradient is {norm}")
    optimizer.step()
    return loss, norm


def _check_arguments(model, train_tokens, valid_tokens, settings):
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if not isinstance(settings, TrainSettings):
        raise TypeError(f"settings must be a TrainSettings, got {type(settings).__name__}")
    (n,) = check_tensor("train_tokens", train_tokens, "(n)", dtype="integer")
    rows = settings.batch_size if settings.carry_state else 1
    if n <= rows * settings.seqlen:
        rows = f"batch_size * seqlen={rows * settings.seqlen}" if rows > 1 else f"seqlen={settings.seqlen}"
        raise ValueError(f"train_tokens must hold more than {rows} tokens, got {n}")
    if valid_tokens is not None:
        (n,) = check_tensor("valid_tokens", valid_tokens, "(n)", dtype="integer")
        if n < 2:
            raise ValueError(f"valid_tokens must hold at least 2 tokens, got {n}")


class _Run:
    """One call of `fit` in progress: the clock, the history, and the losses since its last row."""

    def __init__(self, model, settings, optimizer, ranks, report):
        self.model, self.settings, self.ranks, self.report = model, settings, ranks, report
        self.optimizer = make_optimizer(model, settings) if optimizer is None else optimizer
        self.wrapped = ranks.wrap(model)
        self.history = History()
        self.losses, self.norms = [], []
        self.states = [None] * settings.accumulate
        self.start = time.perf_counter()
        self.first_step, self.clock = 0.0, 0.0

    def go_on(self, history, tensors, numbers):
        """Take up a run where `snapshot` has left it; the weights are the model's already."""
        self.history = history
        self.losses, self.norms, self.first_step = numbers["losses"], numbers["norms"], numbers["first_step"]
        self.start, self.clock = time.perf_counter() - history.seconds, history.seconds
        memory.recall_optimizer(self.optimizer, tensors)
        self.states = memory.recall_states(self.model, tensors, self.settings.accumulate, self.ranks)
        memory.recall_random(tensors, self.ranks, self.settings.seed + history.steps)

    def snapshot(self):
        """(tensors, numbers): all that the run must remember beside the weights and the rows of its history."""
        self.history.seconds = self.elapsed()
        numbers = memory.numbers_of(self.history, self.losses, self.norms, self.first_step)
        return memory.remember(self.optimizer, self.states, self.ranks), numbers

    def elapsed(self):
        return time.perf_counter() - self.start

    def budgeted(self):
        """Seconds that count against `minutes`: not those of the first step, which may have had kernels to compile."""
        return self.clock - self.first_step

    def agree(self, stop):
        """Set the clock, which is the first process', and tell whether any process wants to stop."""
        self.clock, stops = self.ranks.sum(self.elapsed() if self.ranks.first else 0.0, float(stop))
        if self.history.steps == 1 and not self.first_step:
            self.first_step = self.clock  # the agreed one: with clocks of their own they would end at different steps
        return stops > 0

    def _learning_rate(self):
        s, step = self.settings, self.history.steps
        steps = s.steps
        if steps is None:
            steps = 1 + planned_steps(max(0, step - 1), self.budgeted(), s.minutes * 60)
        return learning_rate(step, steps, peak=s.lr, floor=s.min_lr, warmup=s.warmup)

    def step(self, inputs, targets, fresh):
        before, s = self.elapsed(), self.settings
        set_learning_rate(self.optimizer, self._learning_rate())
        reading = {"accumulate": s.accumulate, "precision": s.precision}
        if s.carry_state:
            self.states = [None] * s.accumulate if fresh else self.states
            reading["states"] = self.states
        try:
            loss, norm = train_step(self.wrapped, self.optimizer, inputs, targets, s.clip, ranks=self.ranks, **reading)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"step {self.history.steps + 1}: {error}; a lower lr or clip, or a longer warmup, may help"
            ) from None
        self.losses.append(loss)
        self.norms.append(norm)
        self.history.steps += 1
        self.history.tokens += inputs.numel() * self.ranks.world
        self.history.train_seconds += self.elapsed() - before

    def why_over(self):
        """What ends the run here, or None."""
        s, history = self.settings, self.history
        if s.patience is not None and history.stale >= s.patience:
            return "patience"
        if s.steps is not None:
            return "steps" if history.steps >= s.steps else None
        return "minutes" if history.steps and self.budgeted() >= s.minutes * 60 else None

    def log(self):
        """A row of training, averaged over the steps since the last one."""
        mean = {"loss": sum(self.losses) / len(self.losses), "grad_norm": sum(self.norms) / len(self.norms)}
        self.losses, self.norms = [], []
        lr = self.optimizer.param_groups[0]["lr"]
        return self._add("train", lr=lr, **mean, tokens_per_second=self.history.tokens_per_second)

    def validate(self, tokens):
        """A row of validation on `tokens`."""
        s = self.settings
        loss = evaluate(self.model, tokens, s.window, carry_state=s.carry_state, ranks=self.ranks)
        if not math.isfinite(loss):
            raise FloatingPointError(f"step {self.history.steps}: the validation loss is {loss}")
        return self._add("valid", loss=loss)

    def _add(self, kind, **values):
        history = self.history
        history.seconds = self.elapsed()
        row = {"step": history.steps, "tokens": history.tokens, "seconds": history.seconds, **values}
        getattr(history, kind).append(row)
        if self.report is not None:
            self.report(kind, row)
        return row


def _batches(tokens, settings, ranks, done):
    """(inputs, targets, fresh) of this process, from batch number `done` on."""
    generator = torch.Generator().manual_seed(settings.seed)
    order = stream_starts if settings.carry_state else shuffled_starts
    starts = order(len(tokens), settings.seqlen, settings.batch_size, generator)
    for at, fresh in islice(starts, done, None):
        yield *cut(tokens, ranks.share(at), settings.seqlen), fresh


def fit(
    model,
    train_tokens,
    valid_tokens,
    settings,
    *,
    progress=False,
    report=None,
    optimizer=None,
    ranks=ALONE,
    start=None,
    save=None,
    stop=None,
):
    """Train `model` in place on `train_tokens` and return the run's History.

    model: any module that maps tokens (b, l) to logits (b, l, vocabulary). train_tokens, valid_tokens: (n) integers;
    with None for the second there is no validation. Unless `settings.carry_state`, every window of every batch starts
    from a zero state: neighbours in a batch, or in time, have nothing to do with each other. Validation only looks:
    under `steps` the weights are the same without it. The mode of every module is restored at the end.

    progress: a bar on the terminal. report: called as report("train" or "valid", row) for each new row. optimizer: of
    the parameters of `model`, instead of AdamW over `parameter_groups`; its learning rate is the schedule's. ranks: the
    processes that share the batches (`training.distributed`).
    save: called as save(tensors, numbers) at every validation, every `settings.save_every` steps and at the end.
    start: (history, tensors, numbers) of an earlier save: the run goes on from there, with the weights of that moment
    in `model`. stop: called after every step; when it returns true the run is saved and ends.

    Raises TypeError or ValueError that names the argument; FloatingPointError that names the step, with the weights of
    the step before, when a loss or a gradient is not finite.
    """
    _check_arguments(model, train_tokens, valid_tokens, settings)
    settings.check_parts(ranks.world)
    train_tokens = tokens_for(model, "train_tokens", train_tokens)
    if valid_tokens is not None:
        valid_tokens = tokens_for(model, "valid_tokens", valid_tokens[: settings.eval_bytes])
    run = _Run(model, settings, optimizer, ranks, report)
    with in_mode(model, training=True), Bar(settings, progress) as bar:
        if start is not None:
            run.go_on(*start)
            bar.go_on(run.history)
            run.history.ended = run.why_over()  # there may be nothing left to do
        batches = _batches(train_tokens, settings, ranks, run.history.steps)
        while not run.history.ended:
            _advance(run, batches, valid_tokens, bar, save, stop)
    return run.history


def _advance(run, batches, valid_tokens, bar, save, stop):
    """One step and what is due after it: a row, a validation, a checkpoint, the end."""
    history, s = run.history, run.settings
    run.step(*next(batches))
    stopped = run.agree(stop is not None and stop())
    over = run.why_over()
    due = s.eval_every and history.steps % s.eval_every == 0
    if over or history.steps % s.log_every == 0:
        bar.show(history, run.log())
    if valid_tokens is not None and (over or due):
        run.validate(valid_tokens)
        run.agree(False)  # the time that it took counts
        over = over or run.why_over()
    history.ended = over or ("stop" if stopped else None)
    if save is not None and (history.ended or due or (s.save_every and history.steps % s.save_every == 0)):
        save(*run.snapshot())
