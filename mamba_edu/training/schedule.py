"""The learning rate over a run: up in a line, down in half a cosine."""

import math


def learning_rate(step, steps, *, peak, floor=0.0, warmup=0):
    """The learning rate of step `step` (counted from 0) in a run of `steps` steps; a pure function.

    The first `warmup` steps climb from peak / warmup to peak. Adam divides by a running mean of squared gradients, and
    in the first steps that mean holds next to nothing. From there half a cosine falls from `peak` to `floor`, which
    the last step reaches; steps after it stay there.

    steps: may be a fraction. A run with a time budget doesn't know how many steps it will make; it calls this with what
    its pace so far promises (see `planned_steps`), and ends at `floor` all the same.
    """
    if step < warmup:
        return peak * (step + 1) / warmup
    progress = (step - warmup) / max(1, steps - 1 - warmup)
    return floor + (peak - floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, progress)))


def planned_steps(step, elapsed, budget):
    """How many steps fit in `budget` seconds when the first `step` steps took `elapsed`; a float.

    A slow machine gets fewer steps and the whole cosine, and so does one that becomes slow halfway: the share of the
    steps that lies behind is always the share of the time. Before the first step nothing is known: infinity.
    """
    if step == 0 or elapsed <= 0:
        return math.inf
    return step * budget / elapsed


def set_learning_rate(optimizer, value):
    """Give every group of `optimizer` the learning rate `value`."""
    for group in optimizer.param_groups:
        group["lr"] = value
