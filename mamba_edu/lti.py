"""A linear time-invariant system three ways: as a recurrence, as a convolution with its kernel, one step at a time.

    h_t = A_bar h_{t-1} + B_bar u_t        y_t = C h_t + D u_t                        (S4 eq. 3)
    y_t = sum_k K_k u_{t-k} + D u_t        K_k = C A_bar^k B_bar, k = 0 ... l - 1     (S4 eq. 4, 5)

All three compute the same y. A_bar and B_bar are what `discretize` makes of A, B and a step. Two layouts:

======================  ========  =========  =======  ================  ============  ===========
what it is              A_bar     B_bar      C        u and y           state h       D
======================  ========  =========  =======  ================  ============  ===========
one full system         (n, n)    (n, 1)     (1, n)   (b, l)            (b, n)        a number
a diagonal per channel  (d, n)    (d, n)     (d, n)   (b, l, d)         (b, d, n)     (d)
======================  ========  =========  =======  ================  ============  ===========

The column B_bar says that A_bar is full. With n = 1 there is nothing to tell apart: that is a diagonal with d = 1.
Real or complex; a complex system gives the plain complex sum C h. Where each number of a complex state stands for a
conjugate pair, 2 Re(y) is the caller's business. Everything is computed and returned in the type in which all inputs
fit, float32 at least. Raises TypeError for what is no such tensor, ValueError for shapes and devices that don't fit;
both name the argument.
"""

import math
from numbers import Number

import torch

from ._validate import check_flag, check_int, check_tensor


def lti_recurrence(u, A_bar, B_bar, C, D=None, h0=None, *, return_last_state=False):
    """y (b, l) or (b, l, d), or (y, last state): l steps one after the other, from h0 or from zero.

    l n products per sequence and channel, n^2 where A_bar is full; one state in memory (and all of them for gradients).
    """
    full = _check_system(A_bar, B_bar, C)
    check_flag("return_last_state", return_last_state)
    _check_signal("u", u, "(b, l)" if full else "(b, l, d)", A_bar)
    D = _check_skip(D, A_bar, full)
    h = _start("h0", h0, u, A_bar, B_bar, C, full)
    u, A_bar, B_bar, C = (x.to(h.dtype) for x in (u, A_bar, B_bar, C))
    y = []
    for u_t in u.unbind(1):  # (b) or (b, d)
        h = _advance(h, u_t, A_bar, B_bar, full)
        y.append(_read(h, C, full))
    y = torch.stack(y, dim=1) if y else u * 0  # (b, l) or (b, l, d)
    y = y if D is None else y + D * u
    return (y, h) if return_last_state else y


def lti_step(u_t, h, A_bar, B_bar, C, D=None):
    """u_t (b) or (b, d), state h -> (y_t, new h): one turn of the recurrence. h is not changed in place."""
    full = _check_system(A_bar, B_bar, C)
    _check_signal("u_t", u_t, "(b)" if full else "(b, d)", A_bar)
    D = _check_skip(D, A_bar, full)
    _check_kind("h", h, "(b, n)" if full else "(b, d, n)")
    h = _start("h", h, u_t, A_bar, B_bar, C, full)
    u_t, A_bar, B_bar, C = (x.to(h.dtype) for x in (u_t, A_bar, B_bar, C))
    h = _advance(h, u_t, A_bar, B_bar, full)
    y = _read(h, C, full)
    return (y if D is None else y + D * u_t), h


def lti_kernel(A_bar, B_bar, C, l):
    """K_k = C A_bar^k B_bar, the answer to a single 1: (l), or (l, d) for diagonals.

    Split k = m i + j with m near the root of l: K_k = (C A_bar^(m i)) (A_bar^j B_bar), rows times columns. So l n
    products a channel need no more memory than 2 m n numbers and K itself. D is not in it: it would be added to K_0.
    """
    full = _check_system(A_bar, B_bar, C)
    check_int("l", l, 0)
    dtype = _common(A_bar, B_bar, C)
    A_bar, B_bar, C = (x.to(dtype) for x in (A_bar, B_bar, C))
    m = 1
    while m * m < l:
        m *= 2
    columns, step = _powers(A_bar, B_bar if full else B_bar[..., None], m, full)  # (n, m) or (d, n, m), A_bar^m
    rows, _ = _powers(step.mT if full else step, C.mT if full else C[..., None], math.ceil(l / m), full)
    K = (rows.mT @ columns).flatten(-2)[..., :l]  # (l) or (d, l)
    return K if full else K.T.contiguous()


def _powers(A_bar, v, m, full):
    """v, A_bar v, ... A_bar^(m-1) v: (..., n, 1) -> (..., n, m), by doubling; and A_bar^m where m is a power of two."""
    columns = v
    while columns.shape[-1] < m:
        more = columns[..., : m - columns.shape[-1]]
        columns = torch.cat([columns, A_bar @ more if full else A_bar[..., None] * more], -1)
        A_bar = A_bar @ A_bar if full else A_bar * A_bar
    return columns[..., :m], A_bar


def fft_convolution(u, K):
    """y_t = sum_k K_k u_{t-k}, causal: u (b, l), K (k), or u (b, l, d), K (k, d); y has u's shape.

    Through the Fourier transform, (l + k) log(l + k) operations per sequence and channel instead of l k. Both are
    padded with zeros to l + k - 1 at least; without them the FFT's circle would carry the end of u into the beginning
    of y. A K shorter than u counts as zero beyond its end, one that is longer is cut.
    """
    if isinstance(u, torch.Tensor) and u.dim() == 2:
        _, l = _check_signal("u", u, "(b, l)")
        _check_kind("K", K, "(k)", device=u.device)
    else:
        _, l, d = _check_signal("u", u, "(b, l) or (b, l, d)")
        _check_kind("K", K, "(k, d)", {"d": d}, u.device)
    dtype, K = _common(u, K), K[:l]
    if min(u.numel(), K.numel()) == 0:
        return u.to(dtype) * 0
    size = _fast_length(l + len(K) - 1)
    forward, back = (torch.fft.fft, torch.fft.ifft) if dtype.is_complex else (torch.fft.rfft, torch.fft.irfft)
    u, K = u.to(dtype).transpose(1, -1), K.to(dtype).transpose(0, -1)  # time last, where an FFT reads in one go
    y = back(forward(u.contiguous(), n=size) * forward(K.contiguous(), n=size), n=size)[..., :l]
    return y.transpose(1, -1).contiguous()


def _fast_length(least):
    """The smallest length >= least without a prime factor above 5: FFTs are fast there, and slow at large primes."""
    size = max(least, 1)
    while True:
        rest = size
        for prime in (2, 3, 5):
            while rest % prime == 0:
                rest //= prime
        if rest == 1:
            return size
        size += 1


def _advance(h, u_t, A_bar, B_bar, full):
    if full:
        return h @ A_bar.T + u_t[:, None] * B_bar[:, 0]  # (b, n)
    return A_bar * h + B_bar * u_t[..., None]  # (b, d, n)


def _read(h, C, full):
    return h @ C[0] if full else (h * C).sum(-1)  # (b) or (b, d)


def _common(*tensors):
    """The type in which all of them fit, float32 at least."""
    dtype = torch.float32
    for x in tensors:
        dtype = torch.promote_types(dtype, x.dtype)
    return dtype


def _start(name, h, u, A_bar, B_bar, C, full):
    """The state to begin with, zeros where h is None, in the type of the whole computation."""
    shape = (u.shape[0], A_bar.shape[1]) if full else (u.shape[0], *A_bar.shape)
    dtype = _common(u, A_bar, B_bar, C)
    if h is None:
        return torch.zeros(shape, dtype=dtype, device=u.device)
    dims, letters = ("(b, n)", "bn") if full else ("(b, d, n)", "bdn")
    _check_kind(name, h, dims, dict(zip(letters, shape)), u.device)
    return h.to(torch.promote_types(dtype, h.dtype))


def _check_system(A_bar, B_bar, C):
    """Check the three against each other; return whether A_bar is full."""
    _check_kind("A_bar", A_bar, "(n, n) or (d, n)")
    d, n = A_bar.shape
    full = isinstance(B_bar, torch.Tensor) and d == n > 1 and tuple(B_bar.shape) == (n, 1)
    if full:
        _check_kind("C", C, "(1, n)", {"1": 1, "n": n}, A_bar.device)
    else:
        also = f", or (n, 1) for a full A_bar ({n}, {n})" if d == n > 1 else ""
        _check_kind("B_bar", B_bar, "(d, n)", {"d": d, "n": n}, A_bar.device, also)
        _check_kind("C", C, "(d, n)", {"d": d, "n": n}, A_bar.device)
    return full


def _check_signal(name, u, dims, A_bar=None):
    known = {} if A_bar is None else {"d": A_bar.shape[0]}
    _check_kind(name, u, dims, known, None if A_bar is None else A_bar.device)
    return u.shape


def _check_skip(D, A_bar, full):
    if D is None or (isinstance(D, Number) and not isinstance(D, bool) and full):
        return D
    if full:
        if not isinstance(D, torch.Tensor) or D.numel() != 1:
            got = tuple(D.shape) if isinstance(D, torch.Tensor) else type(D).__name__
            raise ValueError(f"D must be a number where A_bar is full, got {got}")
        return D.reshape(())
    _check_kind("D", D, "(d)", {"d": A_bar.shape[0]}, A_bar.device)
    return D


def _check_kind(name, x, dims, sizes=None, device=None, also=""):
    """`check_tensor` for what may be floating point or complex."""
    if isinstance(x, torch.Tensor) and not (x.is_floating_point() or x.is_complex()):
        raise TypeError(f"{name} must be floating point or complex, got {x.dtype}")
    last = dims.split(" or ")[-1]
    try:
        check_tensor(name, x, last, sizes, dtype=None, device=device)
    except (TypeError, ValueError) as error:
        raise type(error)(str(error).replace(last, dims) + also) from None
