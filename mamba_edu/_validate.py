"""One clear error for bad input: the argument's name, what came, what was expected. Imported by every room."""

import math

import torch


def check_tensor(name, x, dims, sizes=None, *, dtype="float", device=None):
    """Check that `x` is a tensor of shape `dims` and return its shape.

    dims: the layout in words, e.g. "(b, l, d)". sizes: what is already known, e.g. {"b": 2}; sizes of letters that are
    not in it are free. dtype: "float", "integer" or None for any. device: where it must be, or None for anywhere.
    Raises TypeError for what is no tensor or has the wrong kind of dtype, ValueError for a wrong shape or device.
    """
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name} must be a tensor {dims}, got {type(x).__name__}")
    letters = [letter.strip() for letter in dims.strip("()").split(",") if letter.strip()]
    sizes = sizes or {}
    fits = x.dim() == len(letters) and all(sizes.get(k, size) == size for k, size in zip(letters, x.shape))
    if not fits:
        known = ", ".join(f"{k}={sizes[k]}" for k in letters if k in sizes)
        raise ValueError(f"{name} must have shape {dims}{' with ' + known if known else ''}, got {tuple(x.shape)}")
    if dtype == "float" and not x.is_floating_point():
        raise TypeError(f"{name} must be a floating-point tensor, got {x.dtype}")
    if dtype == "integer" and (x.is_floating_point() or x.is_complex() or x.dtype == torch.bool):
        raise TypeError(f"{name} must be an integer tensor, got {x.dtype}")
    if device is not None and x.device != device:
        raise ValueError(f"{name} is on {x.device}, expected {device} like the other tensors")
    return x.shape


def check_int(name, value, minimum):
    """Check that `value` is a whole number of at least `minimum` (bool is none) and return it as int."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise TypeError(f"{name} must be a whole number of at least {minimum}, got {value!r}")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return value


def check_choice(name, value, choices):
    """Check that `value` is one of `choices` and return it."""
    if value not in choices:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, choices))}, got {value!r}")
    return value


def check_number(name, value, *, above=None, at_least=None, below=None):
    """Check that `value` is a finite real number inside the bounds (bool is none) and return it as float."""
    bounds = [(above, f"above {above}"), (at_least, f"at least {at_least}"), (below, f"below {below}")]
    wanted = " and ".join(["a finite number"] + [text for bound, text in bounds if bound is not None])
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"{name} must be {wanted}, got {value!r}")
    inside = (above is None or value > above) and (at_least is None or value >= at_least)
    if not (math.isfinite(value) and inside and (below is None or value < below)):
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return float(value)


def check_flag(name, value):
    """Check that `value` is True or False and return it."""
    if not isinstance(value, bool):
        raise TypeError(f"{name} must be True or False, got {value!r}")
    return value


def check_tokens(name, tokens, dims, vocab_size, *, device=None):
    """Check integer tokens of shape `dims`, each in [0, vocab_size), and return their shape."""
    shape = check_tensor(name, tokens, dims, dtype="integer", device=device)
    if tokens.numel():
        low, high = int(tokens.min()), int(tokens.max())
        if low < 0 or high >= vocab_size:
            raise ValueError(f"{name} must lie in [0, {vocab_size}), got values from {low} to {high}")
    return shape
