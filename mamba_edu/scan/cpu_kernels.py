"""The compiled loops of the `cpu` backend. Importing this file imports numba; `cpu.py` does so on first use.

Layout: channel-last, as everywhere. The states of a block of channels, 4096 at most, stay in the L1 cache, and
time runs in order; what is parallel is (batch, block of channels), one worker each. The inner loop runs over channels
that lie side by side in memory, and holds nothing but straight-line arithmetic: LLVM makes vectors of it, of whatever
width the processor has. A call into the C library would stop it, so exp is spelled out here.

Forward: one exponential and about 20 operations for each (b, l, d, n). For a backward pass the states at the tiles'
borders are kept. Backward: a tile's states and decays are computed once more into a tape, which fits the L2 cache, and
the tile is walked from its end. dB and dC are sums over channels: each block writes its own, the caller adds them.

All of it sits in one file, because numba's cache on disk looks at the date of this one alone.
"""

import math

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload, register_jitable

TILE = 16  # steps between two kept states
LOG2E, LN2 = math.log2(math.e), math.log(2)
# contract: a product and a sum may become one fused operation. Nothing may assume that there is no NaN and no inf.
_EXACT = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
# reassoc: sums over channels may be taken lane by lane.
_SUMS = {"nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc", "nsz"}}


def _compiled(**options):
    """njit with a cache on disk, or without one where no folder for it can be written."""

    def wrap(function):
        try:
            return njit(cache=True, **options)(function)
        except RuntimeError:  # "no locator available": neither the package's folder nor the user's cache is writable
            return njit(**options)(function)

    return wrap


# --- exp, softplus, sigmoid: scalars in, scalars out, inlined. NaN stays NaN. ---


@intrinsic
def _power_of_two(typingctx, k):
    """2^m, where m + bias sits in the lowest bits of the float k (see `_exp2_single`)."""
    bits, mantissa = (ir.IntType(32), 23) if k == types.float32 else (ir.IntType(64), 52)

    def codegen(context, builder, signature, args):
        exponent = builder.shl(builder.bitcast(args[0], bits), ir.Constant(bits, mantissa))
        return builder.bitcast(exponent, args[0].type)

    return k(k), codegen


# 2^t = 2^k 2^f with k = round(t) and |f| <= 1/2. Adding 1.5 * 2^23 pushes t's fraction out of the mantissa; the bias on
# top makes the lowest bits the exponent field of 2^k. t is clamped *before* it is rounded: at 128, where 2^k is inf,
# and at -151, where it is 0. Below 2^-126 there is no exponent field: there 2^k is made 2^64 times larger first, and
# digits are lost gradually, as in the loop's exp. 2^f = 1 + f q(f) is fitted: its largest relative error is 2.0e-9.
_ROUND, _LOW, _HIGH, _ONE = np.float32(1.5 * 2**23 + 127), np.float32(-151), np.float32(128), np.float32(1)
_NORMAL, _LIFT, _ZERO, _LOWER = np.float32(-126), np.float32(64), np.float32(0), np.float32(2.0**-64)
_Q1, _Q2, _Q3 = np.float32(0.6931472028559705), np.float32(0.24022647913498263), np.float32(0.055503324696931636)
_Q4, _Q5, _Q6 = np.float32(0.009618437366492069), np.float32(0.0013398874866896353), np.float32(0.00015353360611630146)


def _exp2_single(t):
    t = _LOW if t < _LOW else t  # written so that NaN stays NaN
    t = _HIGH if t > _HIGH else t
    k = t + _ROUND
    f = t - (k - _ROUND)
    power = _power_of_two(k + (_LIFT if t < _NORMAL else _ZERO))
    p = _ONE + f * (_Q1 + f * (_Q2 + f * (_Q3 + f * (_Q4 + f * (_Q5 + f * _Q6)))))
    return p * power * (_LOWER if t < _NORMAL else _ONE)


_ROUND_D = 1.5 * 2**52 + 1023
_T = tuple(LN2**i / math.factorial(i) for i in range(14))  # Taylor: 4e-18 at |f| = 1/2


def _exp2_double(t):
    t = -1076.0 if t < -1076.0 else t
    t = 1024.0 if t > 1024.0 else t
    k = t + _ROUND_D
    f = t - (k - _ROUND_D)
    power = _power_of_two(k + (512.0 if t < -1022.0 else 0.0))
    p = _T[7] + f * (_T[8] + f * (_T[9] + f * (_T[10] + f * (_T[11] + f * (_T[12] + f * _T[13])))))
    p = _T[0] + f * (_T[1] + f * (_T[2] + f * (_T[3] + f * (_T[4] + f * (_T[5] + f * (_T[6] + f * p))))))
    return p * power * (2.0**-512 if t < -1022.0 else 1.0)


def exp2(t):
    """2^t. In Python (this body) only a stand-in; compiled code gets one of the two above, by type."""
    return 2.0**t


@overload(exp2, jit_options={"error_model": "numpy", "fastmath": {"contract"}})
def _exp2_by_type(t):
    return _exp2_single if t == types.float32 else _exp2_double


@register_jitable(error_model="numpy", fastmath={"contract"})
def sigmoid(x):
    """1 / (1 + e^-x)."""
    one = type(x)(1)
    return one / (one + exp2(x * type(x)(-LOG2E)))


_ATANH = tuple(1 / (2 * i + 1) for i in range(17))


def _softplus_of(terms, real):
    odd = tuple(real(c) for c in _ATANH[:terms])
    zero, two, log2e = real(0), real(2), real(LOG2E)

    def softplus(x):
        w = exp2(-abs(x) * log2e)
        s = w / (two + w)  # at most 1/3
        square, tail = s * s, odd[terms - 1]
        for i in range(terms - 2, -1, -1):
            tail = odd[i] + square * tail
        return (x if x > zero else zero) + two * s * tail

    return softplus


_softplus_single, _softplus_double = _softplus_of(7, np.float32), _softplus_of(17, np.float64)


def softplus(x):
    """log(1 + e^x) = max(x, 0) + log1p(w), w = e^-|x|, and log1p(w) = 2 atanh(w / (2 + w)) by its series."""
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


@overload(softplus, jit_options={"error_model": "numpy", "fastmath": {"contract"}})
def _softplus_by_type(x):
    return _softplus_single if x == types.float32 else _softplus_double


# --- one time step of a block of w channels: rows (w) and (n), states (n, w). A row of size 0 is one not given. ---


@_compiled(**_EXACT)
def _take_in(u, delta, bias, use_softplus, step, x):
    """Fill the positive step and what comes in, step * u. All (w)."""
    w = step.size
    for c in range(w):
        step[c] = delta[c]
    if bias.size:
        for c in range(w):
            step[c] += bias[c]
    if use_softplus:
        for c in range(w):
            step[c] = softplus(step[c])
    for c in range(w):
        x[c] = step[c] * u[c]


@_compiled(**_EXACT)
def _advance(A, B, C, step, x, h, y):
    """h = exp(step A) h + x B and y = C . h, in place. A, h: (n, w); B, C: (n); step, x, y: (w)."""
    n, w = A.shape
    for c in range(w):
        y[c] = 0
    for k in range(n):
        B_k, C_k = B[k], C[k]
        for c in range(w):
            state = exp2(step[c] * A[k, c]) * h[k, c] + x[c] * B_k
            h[k, c] = state
            y[c] += state * C_k


@_compiled(**_EXACT)
def _record(A, B, step, x, before, a, h):
    """The same without y, kept: a = exp(step A), h = a before + x B. A, before, a, h: (n, w)."""
    n, w = A.shape
    for k in range(n):
        B_k = B[k]
        for c in range(w):
            decay = exp2(step[c] * A[k, c])
            a[k, c] = decay
            h[k, c] = decay * before[k, c] + x[c] * B_k


@_compiled(**_EXACT)
def _skip_and_gate(u, z, D, y):
    """y = (y + D u) * silu(z), in place. All (w)."""
    w = y.size
    if D.size:
        for c in range(w):
            y[c] += D[c] * u[c]
    if z.size:
        for c in range(w):
            y[c] *= z[c] * sigmoid(z[c])


@_compiled(**_EXACT)
def _gate_backward(u, C, D, z, h, grad, grad_z, y):
    """grad: of y after the gate, becomes that of y before it, which is computed once more for grad_z. h: (n, w)."""
    n, w = h.shape
    one = z.dtype.type(1)
    for c in range(w):
        y[c] = 0
    for k in range(n):
        C_k = C[k]
        for c in range(w):
            y[c] += C_k * h[k, c]
    if D.size:
        for c in range(w):
            y[c] += D[c] * u[c]
    for c in range(w):
        s = sigmoid(z[c])
        grad_z[c] = grad[c] * y[c] * s * (one + z[c] * (one - s))
        grad[c] *= z[c] * s


@_compiled(**_SUMS)
def _walk_back(A, B, C, grad, step, x, a, before, h, g, from_A, sum_B, sum_A, grad_B, grad_C):
    """g: (n, w), the gradient of h that later steps gave, becomes the one that the state before gets.

    A, a, before, h, from_A: (n, w). grad, step, x: (w). sum_B: sum_n dL/dh B, and sum_A: sum_n dL/d(step A) A, both
    (w), make up the step's gradient. B, C, grad_B, grad_C: (n); of the last two only this block's share.
    """
    n, w = A.shape
    for c in range(w):
        sum_B[c] = 0
        sum_A[c] = 0
    for k in range(n):
        B_k, C_k = B[k], C[k]
        share_B, share_C = A.dtype.type(0), A.dtype.type(0)
        for c in range(w):
            of_h = g[k, c] + grad[c] * C_k
            share_C += grad[c] * h[k, c]
            share_B += of_h * x[c]
            sum_B[c] += of_h * B_k
            passed_on = of_h * a[k, c]
            g[k, c] = passed_on
            of_decay = passed_on * before[k, c]
            from_A[k, c] += of_decay * step[c]
            sum_A[c] += of_decay * A[k, c]
        grad_B[k], grad_C[k] = share_B, share_C


@_compiled(**_EXACT)
def _give_out(u, delta, bias, D, use_softplus, grad, step, sum_B, sum_A, grad_u, grad_delta, of_D, of_bias):
    """The gradients of u and delta, and what this step adds to D's and the bias's. All (w)."""
    w = grad.size
    ln2 = u.dtype.type(LN2)  # A is kept times log2(e), so sum_A too
    for c in range(w):
        grad_u[c] = sum_B[c] * step[c]
        grad_delta[c] = sum_B[c] * u[c] + sum_A[c] * ln2
    if D.size:
        for c in range(w):
            grad_u[c] += D[c] * grad[c]
            of_D[c] += grad[c] * u[c]
    if use_softplus:
        for c in range(w):
            grad_delta[c] *= sigmoid(delta[c] + bias[c]) if bias.size else sigmoid(delta[c])
    if bias.size:
        for c in range(w):
            of_bias[c] += grad_delta[c]


# --- whole sequences ---


@_compiled(**_EXACT)
def forward(u, delta, A2, B, C, D, z, bias, use_softplus, h0, y, last, borders, width, first, stop):
    """Work items first to stop of (batch, block of `width` channels): fills y, last and, unless of size 0, borders.

    u, delta, z, y: (b, l, d). A2: (n, d), A log2(e). B, C: (b, l, n). D, bias: (d). h0, last: (b, d, n).
    borders: (b, tiles, n, d). D, z, bias and borders may have 0 where d stands: not given, or not wanted.
    """
    _, l, d = u.shape
    blocks, real = -(-d // width), u.dtype
    for item in range(first, stop):
        i, c0 = item // blocks, item % blocks * width
        c1 = min(c0 + width, d)
        w = c1 - c0
        A, h = A2[:, c0:c1].copy(), h0[i, c0:c1].T.copy()
        step, x = np.empty(w, real), np.empty(w, real)
        for t in range(l):
            if borders.size and t % TILE == 0:
                borders[i, t // TILE, :, c0:c1] = h
            now, out = u[i, t, c0:c1], y[i, t, c0:c1]
            _take_in(now, delta[i, t, c0:c1], bias[c0:c1], use_softplus, step, x)
            _advance(A, B[i, t], C[i, t], step, x, h, out)
            _skip_and_gate(now, z[i, t, c0:c1], D[c0:c1], out)
        last[i, c0:c1] = h.T


@_compiled(**_EXACT)
def backward(
    u, delta, A2, B, C, D, z, bias, use_softplus, borders, grad_y, grad_last,
    grad_u, grad_delta, grad_A, grad_B, grad_C, grad_D, grad_z, grad_bias, grad_h0, width, first, stop,
):  # fmt: skip
    """Work items first to stop of (batch, block of `width` channels): fills grad_*.

    grad_A: (b, n, d), grad_D, grad_bias: (b, d) and grad_B, grad_C: (blocks, b, l, n) still have to be summed over what
    they have in front. The rest is as in `forward`; grad_last, grad_h0: (b, d, n).
    """
    _, l, d = u.shape
    n, blocks, real = A2.shape[0], -(-d // width), u.dtype
    for item in range(first, stop):
        i, block = item // blocks, item % blocks
        c0, c1 = block * width, min(block * width + width, d)
        w = c1 - c0
        A, g, from_A = A2[:, c0:c1].copy(), grad_last[i, c0:c1].T.copy(), np.zeros((n, w), real)
        step, x, grad = np.empty((TILE, w), real), np.empty((TILE, w), real), np.empty(w, real)
        a, h = np.empty((TILE, n, w), real), np.empty((TILE + 1, n, w), real)
        sum_B, sum_A, of_D, of_bias = np.empty(w, real), np.empty(w, real), np.zeros(w, real), np.zeros(w, real)
        for tile in range((l - 1) // TILE, -1, -1):
            t0, t1 = tile * TILE, min(tile * TILE + TILE, l)  # the last tile may be shorter
            h[0] = borders[i, tile, :, c0:c1]
            for t in range(t0, t1):
                j = t - t0
                _take_in(u[i, t, c0:c1], delta[i, t, c0:c1], bias[c0:c1], use_softplus, step[j], x[j])
                _record(A, B[i, t], step[j], x[j], h[j], a[j], h[j + 1])
            for t in range(t1 - 1, t0 - 1, -1):
                j, now = t - t0, u[i, t, c0:c1]
                grad[:] = grad_y[i, t, c0:c1]
                if z.size:
                    gate = z[i, t, c0:c1]
                    _gate_backward(now, C[i, t], D[c0:c1], gate, h[j + 1], grad, grad_z[i, t, c0:c1], sum_A)
                rows = grad_B[block, i, t], grad_C[block, i, t]
                _walk_back(
                    A, B[i, t], C[i, t], grad, step[j], x[j], a[j], h[j], h[j + 1], g, from_A, sum_B, sum_A, *rows
                )
                rows = grad_u[i, t, c0:c1], grad_delta[i, t, c0:c1]
                _give_out(
                    now, delta[i, t, c0:c1], bias[c0:c1], D[c0:c1], use_softplus, grad, step[j], sum_B, sum_A, *rows,
                    of_D, of_bias,
                )  # fmt: skip
        grad_h0[i, c0:c1] = g.T
        grad_A[i, :, c0:c1] = from_A
        grad_D[i, c0:c1] = of_D
        grad_bias[i, c0:c1] = of_bias
