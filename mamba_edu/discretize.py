"""From a differential equation to a recurrence: h' = A h + B u becomes h_t = A_bar h_{t-1} + B_bar u_t.

Every rule is a function (delta, A, B) -> (A_bar, B_bar), and reads its shapes in the same way:

==========================  =================  ===========================  =======================================
what it is                  A                  delta                        B
==========================  =================  ===========================  =======================================
one diagonal system         (n)                (...), or a number           (n) or (..., n)
a diagonal one per channel  (d, n)             (..., d), or a number        (..., n) shared by the channels, as Mamba
                                                                            has it, or (..., d, n): one axis more
                                                                            than delta
one full state matrix       (n, n)             (...), or a number           (n, 1): the column says that A is full
==========================  =================  ===========================  =======================================

A diagonal A gives A_bar and B_bar of shape (..., n) or (..., d, n); a full one gives (..., n, n) and (..., n, 1). The
leading axes are delta's, e.g. (batch, seqlen). delta is the positive step, in the unit of time in which A is a rate.
Floating point or complex. Raises TypeError for what is no such tensor, ValueError for shapes that don't fit.
"""

import torch


def discretize_zoh(delta, A, B):
    """Zero-order hold, the exact solution while u stands still for one step (Mamba eq. 4).

    A_bar = exp(delta A), B_bar = (delta A)^-1 (exp(delta A) - 1) delta B; where A is zero, B_bar is its limit, delta B.
    A full A goes through `torch.linalg.matrix_exp`, in float64 right to 1e-10 at least. Shapes: see the module.
    """
    delta, A, B, full = _read(delta, A, B)
    if not full:
        return torch.exp(delta * A), delta * B * _expm1_over(delta * A)
    # exp of [[A, B], [0, 0]] holds both at once, and never divides by A
    n = A.shape[-1]
    system = torch.cat([torch.cat([A, B], dim=1), A.new_zeros(1, n + 1)])  # (n + 1, n + 1)
    system = torch.linalg.matrix_exp(delta * system)
    return system[..., :n, :n], system[..., :n, n:]


def discretize_bilinear(delta, A, B):
    """The trapezoid rule (Tustin), which averages the slope at both ends of the step.

    A_bar = (1 - delta A / 2)^-1 (1 + delta A / 2), B_bar = (1 - delta A / 2)^-1 delta B.
    S4's choice (S4 eq. 3). Stable for every step when A is; rational, so its error is O(delta^3) a step.
    Shapes: see the module.
    """
    delta, A, B, full = _read(delta, A, B)
    half = delta * A / 2
    if not full:
        return (1 + half) / (1 - half), delta * B / (1 - half)
    one = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device)
    return torch.linalg.solve(one - half, one + half), torch.linalg.solve(one - half, delta * B)


def discretize_euler(delta, A, B):
    """One straight step along the slope: A_bar = 1 + delta A, B_bar = delta B; the error is O(delta^2) a step.

    Explodes once an eigenvalue's delta A leaves the disc of radius 1 around -1: for a real one when delta |A| > 2, for
    an undamped oscillation at every step. Shapes: see the module.
    """
    delta, A, B, full = _read(delta, A, B)
    one = torch.eye(A.shape[-1], dtype=A.dtype, device=A.device) if full else 1
    return one + delta * A, delta * B


def discretize_mixed(delta, A, B):
    """Mamba's own rule, the one in `selective_scan`: A_bar = exp(delta A) as in ZOH, B_bar = delta B as in Euler.

    The paper writes ZOH for both (Mamba eq. 4); the authors' code has this. B_bar differs from the exact one by the
    factor (exp(x) - 1) / x = 1 + x / 2 + ..., x = delta A, which a learned B can take up. Shapes: see the module.
    """
    delta, A, B, full = _read(delta, A, B)
    return (torch.linalg.matrix_exp if full else torch.exp)(delta * A), delta * B


def _expm1_over(x):
    """(exp(x) - 1) / x, right at 0 and near it, in value and in gradient."""
    small = x.abs() < 1e-2
    away = torch.where(small, torch.ones_like(x), x)  # the branch not taken must not send a NaN back
    series = 1 + x / 2 * (1 + x / 3 * (1 + x / 4 * (1 + x / 5 * (1 + x / 6))))  # error below 1e-15 there
    return torch.where(small, series, torch.expm1(away) / away)


def _read(delta, A, B):
    """(delta, A, B, full): checked, and with axes added so that `delta * A` and `delta * B` broadcast."""
    delta = _check_kinds(delta, A, B)
    n = A.shape[-1]
    if A.dim() == 2 and A.shape[0] == n > 1 and tuple(B.shape) == (n, 1):
        dtype = torch.promote_types(A.dtype, B.dtype)
        return delta[..., None, None], A.to(dtype), B.to(dtype), True
    if B.dim() == 0 or B.shape[-1] != n:
        raise ValueError(f"B must end in n={n}, or be a column (n, 1) beside a full A (n, n), got {tuple(B.shape)}")
    if A.dim() == 2:
        if delta.dim() == 0 and B.dim() == 1 and A.shape[0] == n > 1:  # most likely a full A, and a B that lies flat
            raise ValueError(f"B must be (n, 1) where A is full, (1, n) where its rows are channels, got {(n,)}")
        if delta.dim() > 0 and delta.shape[-1] not in (1, A.shape[0]):
            raise ValueError(f"delta must have shape (..., d) with d={A.shape[0]} like A, got {tuple(delta.shape)}")
        if 0 < B.dim() == delta.dim():
            B = B.unsqueeze(-2)  # (..., 1, n): one B for all channels
    delta = delta[..., None]
    try:
        torch.broadcast_shapes(delta.shape, A.shape, B.shape)
    except RuntimeError:
        steps, rates = tuple(delta.shape[:-1]), tuple(A.shape)
        raise ValueError(f"B must fit delta {steps} and A {rates}, got {tuple(B.shape)}") from None
    return delta, A, B, False


def _check_kinds(delta, A, B):
    """Refuse what is no such tensor; return delta as a tensor."""
    for name, x in (("A", A), ("B", B)):
        if not isinstance(x, torch.Tensor) or not (x.is_floating_point() or x.is_complex()):
            raise TypeError(f"{name} must be a floating-point or complex tensor, got {_kind(x)}")
    if A.dim() not in (1, 2):
        raise ValueError(f"A must have shape (n), (d, n) or (n, n), got {tuple(A.shape)}")
    if isinstance(delta, (int, float)) and not isinstance(delta, bool):
        return torch.tensor(float(delta), dtype=A.real.dtype, device=A.device)
    if not isinstance(delta, torch.Tensor) or not delta.is_floating_point():
        raise TypeError(f"delta must be a number or a floating-point tensor, got {_kind(delta)}")
    return delta


def _kind(x):
    return str(x.dtype) if isinstance(x, torch.Tensor) else type(x).__name__
