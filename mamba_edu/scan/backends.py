"""Which backends there are, and which of them can take an input.

A backend is a module with two functions:

    why_not(u) -> None, or the reason why it can't take tensors like u
    scan(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus) -> (y, last_state)

`scan` gets what `selective_scan` has checked, with b, l, d and n of at least 1.
"""

from importlib import import_module

import torch

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)

# Each is a module of this name. "auto" asks those of _AUTO, in their order; the others are only taken by name.
_NAMES = ("reference", "chunked", "cpu", "doubling", "blelloch")
_AUTO = ("cpu", "chunked")


def names():
    """Every backend name that `selective_scan` accepts."""
    return ("auto", *_NAMES)


def choose(name, u):
    """The `scan` function of backend `name` for tensors like u: (b, l, d).

    Raises ValueError for an unknown name, and for a backend that can't take u, with the ones that can.
    """
    if not isinstance(name, str):
        raise TypeError(f"backend must be one of {', '.join(map(repr, names()))}, got {name!r}")
    if name == "auto":
        return next(_load(auto).scan for auto in _AUTO if _load(auto).why_not(u) is None)
    if name not in _NAMES:
        raise ValueError(f"backend must be one of {', '.join(map(repr, names()))}, got {name!r}")
    reason = _load(name).why_not(u)
    if reason is not None:
        able = ", ".join(repr(other) for other in _NAMES if _load(other).why_not(u) is None)
        raise ValueError(f"backend={name!r} can't take this input: {reason}; expected one of 'auto', {able}")
    return _load(name).scan


def _load(name):
    return import_module(f".{name}", __package__)
