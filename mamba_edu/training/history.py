"""What a run was like, row by row, and the bar that shows it while it runs."""

import math
from dataclasses import dataclass, field

from tqdm import tqdm


@dataclass
class History:
    """What a run was like. Losses are nats a byte, seconds count from the start of the run.

    train: rows of step, tokens, seconds, lr, loss (mean over the steps since the row before), grad_norm (before it is
    clipped), tokens_per_second (training alone, without the validations). valid: rows of step, tokens, seconds, loss.
    best: the row of `valid` with the least loss. ended: what ended the run: "steps", "minutes", "patience" (no new best
    for that many validations), or "stop" when it was told to.
    """

    train: list = field(default_factory=list)
    valid: list = field(default_factory=list)
    steps: int = 0
    tokens: int = 0
    seconds: float = 0.0
    train_seconds: float = 0.0
    ended: str | None = None

    @property
    def tokens_per_second(self):
        """Speed of training, the validations not counted."""
        return self.tokens / self.train_seconds if self.train_seconds else 0.0

    @property
    def best(self):
        """The first row of `valid` with the least loss; None without a validation."""
        return min(self.valid, key=lambda row: row["loss"], default=None)

    @property
    def stale(self):
        """How many validations have passed since the best one."""
        return len(self.valid) - 1 - self.valid.index(self.best) if self.valid else 0


class Bar:
    """The progress bar: the share of the steps or of the time, the newest numbers, the time left."""

    def __init__(self, settings, shown):
        self.by_steps = settings.steps is not None
        self.bar = tqdm(
            total=settings.steps if self.by_steps else settings.minutes * 60,
            disable=not shown,
            bar_format="{percentage:3.0f}% |{bar:20}| {desc}{elapsed}, {remaining} left",
        )

    def go_on(self, history):
        """Begin where an earlier part of the run has stopped."""
        self.bar.initial = self.bar.n = min(self._done(history), self.bar.total)

    def show(self, history, row):
        self.bar.set_description_str(
            f"step {row['step']}: loss {row['loss']:.3f}, {row['loss'] / math.log(2):.3f} bits per byte, "
            f"{row['tokens_per_second']:,.0f} tokens/s, ",
            refresh=False,
        )
        self.bar.update(min(self._done(history), self.bar.total) - self.bar.n)

    def _done(self, history):
        return history.steps if self.by_steps else history.seconds

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.bar.close()
