"""What a training run is told, checked before it starts."""

from dataclasses import dataclass

from mamba_edu._validate import check_choice, check_flag, check_int, check_number


@dataclass(frozen=True)
class TrainSettings:
    """One run. Either `steps` or `minutes` says when it ends.

    steps: optimizer steps; such a run gives the same weights each time (same seed, threads, machine, versions).
    minutes: wall-clock time, quick validations included, counted from the end of the first step, which may have
    kernels to compile; the learning rate follows the clock and is at its floor when the time is up. How many steps
    that makes depends on the machine, and so do the weights.
    seqlen, batch_size: bytes a window, windows a step. lr, min_lr, warmup: peak, floor, and steps up to the peak.
    weight_decay: of the decayed group (see `parameter_groups`). clip: the gradient's global norm is cut to this, 0 for
    never. betas: AdamW's. seed: order of the windows. log_every: steps averaged into one row of the history.
    accumulate: parts of a batch that are read one after the other, for less memory; the step is that of the whole
    batch. carry_state: the rows of a batch read on through the text with the state they had, which ends a gradient but
    no memory; otherwise every window starts from a zero state. precision: "float32", or "bfloat16" for the matrix
    products (autocast; the parameters stay float32).
    eval_every: steps between two quick validations, 0 for only one, at the end; eval_bytes: how many bytes of the
    validation split they read; eval_seqlen: window of every evaluation, None for seqlen. patience: quick validations
    without a new best after which the run ends, None for never. save_every: steps between two checkpoints beside those
    at validations, 0 for none.
    """

    steps: int | None = None
    minutes: float | None = None
    seqlen: int = 256
    batch_size: int = 16
    lr: float = 3e-3
    min_lr: float = 1e-4
    warmup: int = 100
    weight_decay: float = 0.1
    clip: float = 1.0
    betas: tuple[float, float] = (0.9, 0.95)
    seed: int = 0
    log_every: int = 10
    eval_every: int = 500
    eval_bytes: int = 65536
    eval_seqlen: int | None = None
    accumulate: int = 1
    carry_state: bool = False
    precision: str = "float32"
    patience: int | None = None
    save_every: int = 0

    def __post_init__(self):
        if (self.steps is None) == (self.minutes is None):
            raise ValueError(f"give either steps or minutes, got steps={self.steps!r} and minutes={self.minutes!r}")
        if self.minutes is not None:
            check_number("minutes", self.minutes, above=0)
        for name in ("steps", "eval_seqlen", "patience"):
            if getattr(self, name) is not None:
                check_int(name, getattr(self, name), 1)
        for name in ("seqlen", "batch_size", "log_every", "accumulate"):
            check_int(name, getattr(self, name), 1)
        for name in ("warmup", "seed", "eval_every", "save_every"):
            check_int(name, getattr(self, name), 0)
        check_int("eval_bytes", self.eval_bytes, 2)
        check_flag("carry_state", self.carry_state)
        check_choice("precision", self.precision, ("float32", "bfloat16"))
        self.check_parts(1)
        self._check_optimizer()

    def _check_optimizer(self):
        check_number("lr", self.lr, above=0)
        check_number("min_lr", self.min_lr, at_least=0)
        if self.min_lr > self.lr:
            raise ValueError(f"min_lr must be at most lr={self.lr:g}, got {self.min_lr!r}")
        check_number("weight_decay", self.weight_decay, at_least=0)
        check_number("clip", self.clip, at_least=0)
        if not isinstance(self.betas, tuple) or len(self.betas) != 2:
            raise TypeError(f"betas must be a pair of numbers, got {self.betas!r}")
        for beta in self.betas:
            check_number("betas", beta, at_least=0, below=1)

    def check_parts(self, processes):
        """Check that a batch can be shared by `processes`, each of which reads its share in `accumulate` parts."""
        if self.batch_size % (self.accumulate * processes):
            parts = f"accumulate={self.accumulate}" + (f" times {processes} processes" if processes > 1 else "")
            raise ValueError(f"batch_size must be a multiple of {parts}, got {self.batch_size}")

    @property
    def window(self):
        """Window of the evaluations, in bytes."""
        return self.eval_seqlen or self.seqlen
