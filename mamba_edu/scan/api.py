"""`selective_scan`: checks what comes in, picks the backend, hands over."""

from .._validate import check_tensor
from . import backends
from .reference import scan_nothing

_FLOATS = "float16, bfloat16, float32 or float64"


def selective_scan(
    u,
    delta,
    A,
    B,
    C,
    D=None,
    z=None,
    delta_bias=None,
    h0=None,
    *,
    delta_softplus=False,
    return_last_state=False,
    backend="auto",
):
    """The recurrence at the heart of Mamba, over a whole sequence.

        h_t = exp(delta_t A) * h_{t-1} + delta_t B_t u_t        # (b, d, n), Mamba eq. 2a with a diagonal A
        y_t = (C_t . h_t + D u_t) * silu(z_t)                   # (b, d), Mamba eq. 2b, then the block's gate

    u: (b, l, d), the input. delta: (b, l, d), the positive step; raw only beside `delta_softplus=True`, which makes it
    softplus(delta + delta_bias). A: (d, n), negative in Mamba, though any value is computed. B, C: (b, l, n).
    D: (d), z: (b, l, d), delta_bias: (d), h0: (b, d, n) are optional; left out they count as nothing (h0 as zeros).
    Any of float16, bfloat16, float32 and float64, mixed at will; l may be 0, and so may b, d and n.

    Returns y: (b, l, d) in u's dtype, or (y, last_state) with last_state: (b, d, n). The state is carried and returned
    in float32, or in float64 where u is float64. Gradients reach every tensor, each in its own dtype.

    backend: "auto" takes the fastest that fits; "reference" is the loop that defines the result; "chunked" is plain
    PyTorch with bounded memory; "cpu" is compiled by numba on first use (some seconds, cached on disk afterwards);
    "doubling" and "blelloch" are the textbook's parallel scans, which lay out every step and take much memory.
    "chunked" and "cpu" refuse a second derivative (create_graph=True).
    Raises TypeError or ValueError, naming the argument, for a wrong shape, dtype, device or backend.
    """
    _check(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus, return_last_state)
    scan = backends.choose(backend, u)
    if 0 in (*u.shape, A.shape[1]):  # no time step, or no state: nothing to iterate over
        scan = scan_nothing
    y, last_state = scan(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus)
    return (y, last_state) if return_last_state else y


def _check(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus, return_last_state):
    """One error that names the first argument that doesn't fit."""
    b, l, d = check_tensor("u", u, "(b, l, d)")
    sizes = {"b": b, "l": l, "d": d}
    _, sizes["n"] = check_tensor("A", A, "(d, n)", sizes, device=u.device)
    layouts = {
        "delta": (delta, "(b, l, d)"),
        "B": (B, "(b, l, n)"),
        "C": (C, "(b, l, n)"),
        "D": (D, "(d)"),
        "z": (z, "(b, l, d)"),
        "delta_bias": (delta_bias, "(d)"),
        "h0": (h0, "(b, d, n)"),
    }
    for name, (x, dims) in layouts.items():
        if x is not None or name in ("delta", "B", "C"):
            check_tensor(name, x, dims, sizes, device=u.device)
    for name, x in {"u": u, "A": A, **{name: x for name, (x, _) in layouts.items()}}.items():
        if x is not None and x.dtype not in backends.FLOATS:
            raise TypeError(f"{name} must be {_FLOATS}, got {x.dtype}")
    for name, flag in {"delta_softplus": delta_softplus, "return_last_state": return_last_state}.items():
        if not isinstance(flag, bool):
            raise TypeError(f"{name} must be True or False, got {flag!r}")
