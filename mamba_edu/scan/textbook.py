"""The front end that the two textbook scans share: everything that a step needs is laid out before the scan begins.

So they take memory for b * l * d * n decays, as many inputs and as many states, several times over with gradients,
which are PyTorch's own. They are here to be read, and to be measured against scans that lay out nothing.
"""

import torch

from .fusions import positive_step, skip_and_gate, state_dtype


def front_end(recurrence):
    """A backend's `scan` made of `recurrence(a, x) -> h`, all (l, ...): h_t = a_t h_{t-1} + x_t from h = 0."""

    def scan(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus):
        """`selective_scan`'s arguments, checked -> y: (b, l, d), last state: (b, d, n)."""
        dtype = state_dtype(u)
        step = positive_step(delta, delta_bias, delta_softplus, dtype)  # (b, l, d)
        a = torch.exp(step[..., None] * A.to(dtype))  # (b, l, d, n)
        x = (step * u.to(dtype))[..., None] * B.to(dtype)[:, :, None]  # (b, l, d, n)
        if h0 is not None:  # what the first step keeps of it comes in there
            x = torch.cat([x[:, :1] + a[:, :1] * h0.to(dtype)[:, None], x[:, 1:]], dim=1)
        h = recurrence(a.transpose(0, 1), x.transpose(0, 1)).transpose(0, 1)  # (b, l, d, n)
        y = (h * C.to(dtype)[:, :, None]).sum(-1)  # (b, l, d)
        return skip_and_gate(y, u, D, z), h[:, -1]

    return scan
