"""The training loop: a window of bytes, a loss, a step, and a look at the validation text now and then."""

import math
import time
from dataclasses import dataclass, field

import torch
from torch import nn
from tqdm import tqdm

from mamba_edu._validate import check_tensor
from mamba_edu.training.batches import shuffled_windows
from mamba_edu.training.evaluate import evaluate, in_mode, token_losses, tokens_for
from mamba_edu.training.optimizer import make_optimizer
from mamba_edu.training.schedule import learning_rate, planned_steps, set_learning_rate
from mamba_edu.training.settings import TrainSettings


@dataclass
class History:
    """What a run was like. Losses are nats a byte, seconds count from the start of the run.

    train: rows of step, tokens, seconds, lr, loss (mean over the steps since the row before), grad_norm (before it is
    clipped), tokens_per_second (training alone, without the validations). valid: rows of step, tokens, seconds, loss.
    """

    train: list = field(default_factory=list)
    valid: list = field(default_factory=list)
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_seconds: float = 0.0

    @property
    def tokens_per_second(self):
        """Speed of training, the validations not counted."""
        return self.tokens / self.train_seconds if self.train_seconds else 0.0


class _Bar:
    """The progress bar: the share of the steps or of the time, the newest numbers, the time left."""

    def __init__(self, settings, shown):
        self.by_steps = settings.steps is not None
        self.bar = tqdm(
            total=settings.steps if self.by_steps else settings.minutes * 60,
            disable=not shown,
            bar_format="{percentage:3.0f}% |{bar:20}| {desc}{elapsed}, {remaining} left",
        )

    def show(self, history, row):
        self.bar.set_description_str(
            f"step {row['step']}: loss {row['loss']:.3f}, {row['loss'] / math.log(2):.3f} bits per byte, "
            f"{row['tokens_per_second']:,.0f} tokens/s, ",
            refresh=False,
        )
        done = history.steps if self.by_steps else history.seconds
        self.bar.update(min(done, self.bar.total) - self.bar.n)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.bar.close()


def train_step(model, optimizer, inputs, targets, clip):
    """One step: loss, gradient, clipped to a global norm of `clip`, update. Returns (loss, gradient norm), floats.

    The gradient is clipped as one vector over all parameters: it gets shorter and keeps its direction.
    Raises FloatingPointError, before a parameter is touched, when the loss or the norm is not finite.
    """
    optimizer.zero_grad(set_to_none=True)
    loss = token_losses(model, inputs, targets).mean()
    value = loss.item()
    if not math.isfinite(value):
        raise FloatingPointError(f"the loss is {value}")
    loss.backward()
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), clip).item()
    if not math.isfinite(norm):
        raise FloatingPointError(f"the norm of the gradient is {norm}")
    optimizer.step()
    return value, norm


def _check_arguments(model, train_tokens, valid_tokens, settings):
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    if not isinstance(settings, TrainSettings):
        raise TypeError(f"settings must be a TrainSettings, got {type(settings).__name__}")
    (n,) = check_tensor("train_tokens", train_tokens, "(n)", dtype="integer")
    if n <= settings.seqlen:
        raise ValueError(f"train_tokens must hold more than seqlen={settings.seqlen} tokens, got {n}")
    if valid_tokens is not None:
        (n,) = check_tensor("valid_tokens", valid_tokens, "(n)", dtype="integer")
        if n < 2:
            raise ValueError(f"valid_tokens must hold at least 2 tokens, got {n}")


class _Run:
    """One call of `fit` in progress: the clock, the history, and the losses since its last row."""

    def __init__(self, model, settings, report):
        self.model, self.settings, self.report = model, settings, report
        self.optimizer = make_optimizer(model, settings)
        self.history = History()
        self.losses, self.norms = [], []
        self.start = time.perf_counter()
        self.first_step = 0.0

    def elapsed(self):
        return time.perf_counter() - self.start

    def budgeted(self):
        """Seconds that count against `minutes`: not those of the first step, which may have had kernels to compile."""
        return self.elapsed() - self.first_step

    def _learning_rate(self):
        s, step = self.settings, self.history.steps
        steps = s.steps
        if steps is None:
            steps = 1 + planned_steps(max(0, step - 1), self.budgeted(), s.minutes * 60)
        return learning_rate(step, steps, peak=s.lr, floor=s.min_lr, warmup=s.warmup)

    def step(self, inputs, targets):
        before = self.elapsed()
        set_learning_rate(self.optimizer, self._learning_rate())
        try:
            loss, norm = train_step(self.model, self.optimizer, inputs, targets, self.settings.clip)
        except FloatingPointError as error:
            raise FloatingPointError(
                f"step {self.history.steps + 1}: {error}; a lower lr or clip, or a longer warmup, may help"
            ) from None
        self.losses.append(loss)
        self.norms.append(norm)
        self.history.steps += 1
        self.history.tokens += inputs.numel()
        self.history.train_seconds += self.elapsed() - before
        if self.history.steps == 1:
            self.first_step = self.elapsed()

    @property
    def over(self):
        if self.settings.steps is not None:
            return self.history.steps >= self.settings.steps
        return self.budgeted() >= self.settings.minutes * 60

    def log(self):
        """A row of training, averaged over the steps since the last one."""
        mean = {"loss": sum(self.losses) / len(self.losses), "grad_norm": sum(self.norms) / len(self.norms)}
        self.losses, self.norms = [], []
        lr = self.optimizer.param_groups[0]["lr"]
        return self._add("train", lr=lr, **mean, tokens_per_second=self.history.tokens_per_second)

    def validate(self, tokens):
        """A row of validation on `tokens`."""
        loss = evaluate(self.model, tokens, self.settings.window)
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


def fit(model, train_tokens, valid_tokens, settings, *, progress=False, report=None):
    """Train `model` in place on `train_tokens` and return the run's History.

    model: any module that maps tokens (b, l) to logits (b, l, vocabulary). train_tokens, valid_tokens: (n) integers;
    with None for the second there is no validation. Every window of every batch starts from a zero state: neighbours in
    a batch, or in time, have nothing to do with each other. Validation only looks: under `steps` the weights are the
    same without it. The mode of every module is restored at the end. progress: a bar on the terminal. report: called as
    report("train" or "valid", row) for each new row.

    Raises TypeError or ValueError that names the argument; FloatingPointError that names the step, with the weights of
    the step before, when a loss or a gradient is not finite.
    """
    _check_arguments(model, train_tokens, valid_tokens, settings)
    train_tokens = tokens_for(model, "train_tokens", train_tokens)
    if valid_tokens is not None:
        valid_tokens = tokens_for(model, "valid_tokens", valid_tokens[: settings.eval_bytes])
    generator = torch.Generator().manual_seed(settings.seed)
    run = _Run(model, settings, report)
    with in_mode(model, training=True), _Bar(settings, progress) as bar:
        for inputs, targets in shuffled_windows(train_tokens, settings.seqlen, settings.batch_size, generator):
            run.step(inputs, targets)
            over, steps = run.over, run.history.steps
            if over or steps % settings.log_every == 0:
                bar.show(run.history, run.log())
            if valid_tokens is not None and (over or (settings.eval_every and steps % settings.eval_every == 0)):
                run.validate(valid_tokens)
            if over:
                return run.history
