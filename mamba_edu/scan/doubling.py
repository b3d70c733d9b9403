"""The scan in as many rounds as the length has binary digits (Hillis and Steele 1986)."""

import torch

from .textbook import front_end


def why_not(u):
    """Plain PyTorch takes every float tensor on every device."""
    return None


def doubling(a, x):
    """h_t = a_t h_{t-1} + x_t from h = 0. a, x: (l, ...), l at least 1 -> h: (l, ...).

    A step is the map h -> a h + x, and two steps are one such map again: a2 (a1 h + x1) + x2. Before each round place t
    holds the map of the last `reach` steps up to t; joined with the one `reach` places before, it holds twice as many.
    Depth log2 l, work l log2 l.
    """
    reach = 1
    while reach < len(x):
        x = torch.cat([x[:reach], x[reach:] + a[reach:] * x[:-reach]])
        a = torch.cat([a[:reach], a[reach:] * a[:-reach]])
        reach *= 2
    return x


scan = front_end(doubling)
