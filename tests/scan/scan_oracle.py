"""Holds a backend of the scan against the float64 loop: y, the last state and every gradient."""

import torch

from mamba_edu import selective_scan

NAMES = ("u", "delta", "A", "B", "C", "D", "z", "delta_bias", "h0")
GATES = {torch.float64: 1e-9, torch.float32: 1e-5, torch.bfloat16: 2e-2, torch.float16: 2e-2}
# What is smaller than the smallest normal float32 everywhere counts as zero: float32 has no digits left for it.
TINY = torch.finfo(torch.float32).tiny


def make(b, l, d, n, *, only=NAMES, dtype=torch.float32, seed=0, delta=None, A=None):
    """Ordinary arguments, as a dict; the float32 ones (A, D, delta_bias) stay so beside half-precision ones.

    delta, A: ranges (low, high) of log-uniform positive steps, and of log-uniform -A, instead of the ordinary ones.
    """
    g = torch.Generator().manual_seed(seed)

    def normal(*shape):
        return torch.randn(*shape, generator=g, dtype=torch.float64)

    def between(low, high, *shape):
        return low * (high / low) ** torch.rand(*shape, generator=g, dtype=torch.float64)

    x = {
        "u": normal(b, l, d),
        "delta": normal(b, l, d) if delta is None else between(*delta, b, l, d),
        "A": -torch.arange(1, n + 1).double().repeat(d, 1) * (1 + 0.1 * normal(d, n).abs()),
        "B": normal(b, l, n),
        "C": normal(b, l, n),
        "D": normal(d),
        "z": normal(b, l, d),
        "delta_bias": normal(d) - 3,
        "h0": normal(b, d, n),
    }
    if A is not None:
        x["A"] = -between(*A, d, n)
    keep = torch.float64 if dtype == torch.float64 else torch.float32
    wide = ("A", "D", "delta_bias", "h0")
    return {name: x[name].to(keep if name in wide else dtype) for name in NAMES if name in only}


def run(x, backend, *, wrt=None, loss="both", **options):
    """y, the last state and the gradients `d_NAME` of a fixed random functional of them ("both", "y" or "last")."""
    wrt = list(x) if wrt is None else wrt
    x = {name: t.detach().requires_grad_(name in wrt) for name, t in x.items()}
    y, last = selective_scan(**x, backend=backend, return_last_state=True, **options)
    g = torch.Generator().manual_seed(1)
    weights = [torch.randn(t.shape, generator=g, dtype=torch.float64) for t in (y, last)]
    # a tensor is expanded, transposed or not as `x` gave it; the gradient is asked of that very tensor
    parts = {"y": [(y, weights[0])], "last": [(last, weights[1])]}
    parts["both"] = parts["y"] + parts["last"]
    total = sum((t.double() * w).sum() for t, w in parts[loss])
    grads = torch.autograd.grad(total, [x[name] for name in wrt], allow_unused=loss == "last")
    grads = [torch.zeros_like(x[name]) if grad is None else grad for name, grad in zip(wrt, grads)]
    return {"y": y.detach(), "last_state": last.detach(), **{f"d_{name}": g for name, g in zip(wrt, grads)}}


def doubled(x):
    """The same numbers in float64."""
    return {name: t.double() for name, t in x.items()}


def error(got, true):
    """The largest difference, relative to the largest true value. Not finite where the truth is: an AssertionError."""
    assert got.shape == true.shape, f"shape {tuple(got.shape)}, expected {tuple(true.shape)}"
    if not true.numel():
        return 0.0
    assert torch.isfinite(true).all(), "the reference itself is not finite"
    assert torch.isfinite(got).all(), f"{(~torch.isfinite(got)).sum().item()} of {got.numel()} values are not finite"
    return ((got.double() - true.double()).abs().max() / true.double().abs().max().clamp(min=TINY)).item()


def assert_close(x, backend, *, gate=None, **options):
    """Every result of `backend` on x is within the contract's gate of the float64 loop, and of the right dtype."""
    got, true = run(x, backend, **options), run(doubled(x), "reference", **options)
    dtype = x["u"].dtype
    loop = run(x, "reference", **options) if dtype == torch.float32 else None
    assert got["y"].dtype == dtype
    assert got["last_state"].dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    for name, value in got.items():
        if name.startswith("d_"):
            assert value.dtype == x[name[2:]].dtype, f"{name} is {value.dtype}"
        limit = gate or GATES[dtype]
        if loop is not None:
            limit = max(limit, 4 * error(loop[name], true[name]))
        try:
            off = error(value, true[name])
        except AssertionError as problem:
            raise AssertionError(f"{name} of {backend!r}: {problem}") from None
        assert off <= limit, f"{name} of {backend!r} is off by {off:.1e}, allowed {limit:.1e}"
