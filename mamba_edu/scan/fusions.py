"""What the backends share around the recurrence: the step's bias and softplus, the skip D, the gate z."""

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


def refuse_second_derivative(backend):
    """Raise RuntimeError inside a backward pass that is itself to be differentiated.

    `once_differentiable` isn't enough: where the gradient of y doesn't require grad, as that of a plain sum, it says
    nothing, and the gradients come out as constants.
    """
    if torch.is_grad_enabled():  # autograd turns it on in a backward pass only for create_graph=True
        raise RuntimeError(f"backend={backend!r} has no second derivative (create_graph=True); backend='reference' has")
