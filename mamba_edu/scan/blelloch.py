"""The scan in two sweeps over a tree, without wasted work (Blelloch 1990)."""

import torch

from .textbook import front_end


def why_not(u):
    """Plain PyTorch takes every float tensor on every device."""
    return None


def blelloch(a, x):
    """h_t = a_t h_{t-1} + x_t from h = 0. a, x: (l, ...), l at least 1 -> h: (l, ...).

    Up: neighbours are joined to one step, a2 (a1 h + x1) + x2, until one is left; of an odd number the last waits.
    Down: the states after the pairs are known, and one step from each gives the state between it and the next.
    Blelloch's own sweep down hands each place the state before it, with a 0 at the root; this one the state after it,
    and needs none. Depth 2 log2 l, work of order l.
    """
    levels = []
    while len(x) > 1:
        levels.append((a, x))
        even = len(x) // 2 * 2
        a, x = a[1::2] * a[:even:2], x[1::2] + a[1::2] * x[:even:2]
    h = x  # (1, ...)
    for a, x in reversed(levels):
        between = torch.cat([x[:1], x[2::2] + a[2::2] * h[: (len(x) - 1) // 2]])  # at 0, 2, 4, ...
        pairs = torch.stack([between[: len(h)], h], dim=1).flatten(0, 1)
        h = torch.cat([pairs, between[len(h) :]])
    return h


scan = front_end(blelloch)
