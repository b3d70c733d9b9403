"""The scan as a loop over time: the definition that every other backend is held against.

Nothing is clever here. PyTorch's own autograd gives the gradients, second derivatives included, and keeps every
(b, d, n) state for them: b * l * d * n floats several times over.
"""

import torch

from .fusions import positive_step, skip_and_gate, state_dtype


def why_not(u):
    """The loop takes every float tensor on every device."""
    return None


def scan(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus):
    """`selective_scan`'s arguments, checked -> y: (b, l, d), last state: (b, d, n)."""
    dtype = state_dtype(u)
    step = positive_step(delta, delta_bias, delta_softplus, dtype)  # (b, l, d)
    A, B, C = A.to(dtype), B.to(dtype), C.to(dtype)
    (b, _, d), n = u.shape, A.shape[1]
    h = u.new_zeros(b, d, n, dtype=dtype) if h0 is None else h0.to(dtype)
    ys = []
    # unbind, not x[:, t]: the gradient of an index is a whole (b, l, d) tensor of zeros, once for each t
    for u_t, step_t, B_t, C_t in zip(u.to(dtype).unbind(1), step.unbind(1), B.unbind(1), C.unbind(1)):
        a = torch.exp(step_t[:, :, None] * A)  # (b, d, n)
        h = a * h + (step_t * u_t)[:, :, None] * B_t[:, None, :]  # (b, d, n)
        ys.append((h * C_t[:, None, :]).sum(-1))  # (b, d)
    return skip_and_gate(torch.stack(ys, 1), u, D, z), h


def scan_nothing(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus):
    """The same for l = 0, where the last state is h0, and for b, d or n = 0, where there is no state to carry.

    There is no step to loop over, yet y and the last state still hang on every input, so that each has a gradient
    (zeros; h0 has the last state's).
    """
    dtype = state_dtype(u)
    step = positive_step(delta, delta_bias, delta_softplus, dtype)  # (b, l, d)
    x = (
        torch.exp(step[..., None] * A.to(dtype)) * (step * u.to(dtype))[..., None] * B.to(dtype)[:, :, None]
    )  # no elements
    y = skip_and_gate((x * C.to(dtype)[:, :, None]).sum(-1), u, D, z)
    last_state = x.sum(1) if h0 is None else x.sum(1) + h0.to(dtype)
    return y, last_state
