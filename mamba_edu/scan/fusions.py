"""What the scan does around its recurrence, spelled out: the step's bias and softplus, the skip D, the gate z."""

import torch
import torch.nn.functional as F


def state_dtype(u):
    """The dtype in which the state is computed and carried: float32, or float64 where u is float64."""
    return torch.float64 if u.dtype == torch.float64 else torch.float32


def positive_step(delta, delta_bias, delta_softplus, dtype):
    """softplus(delta + delta_bias), each of the two only where asked for. delta: (b, l, d) -> (b, l, d) in `dtype`."""
    step = delta.to(dtype)
    if delta_bias is not None:
        step = step + delta_bias.to(dtype)
    return F.softplus(step) if delta_softplus else step


def skip_and_gate(y, u, D, z):
    """(y + D u) * silu(z), in u's dtype. y: (b, l, d) in the state's dtype; D: (d) or None; z: (b, l, d) or None."""
    if D is not None:
        y = y + D.to(y.dtype) * u.to(y.dtype)
    if z is not None:
        y = y * F.silu(z.to(y.dtype))
    return y.to(u.dtype)
