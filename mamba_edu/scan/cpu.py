"""The scan compiled for the CPU by numba: as many threads as `torch.get_num_threads()` says.

The first call compiles for some seconds, once per machine: numba keeps the result on disk, in the package's folder or,
where that can't be written, in the user's cache (`NUMBA_CACHE_DIR` chooses another). numba is imported on first use.

Threads are ordinary Python threads that run without the interpreter's lock. Unlike numba's own parallel loops, they may
be called from several Python threads at once, and start afresh in a forked process.
"""

import functools
import os
from concurrent.futures import ThreadPoolExecutor

import torch

from .fusions import refuse_second_derivative, state_dtype

_WIDTHS = (256, 128, 64, 32)  # channels a block
_STATES = 4096  # states a block: 16 KB as float32, and 0.5 MB of tape in the backward pass
_SMALL = 30_000  # (b, l, d, n) elements for which a second thread isn't worth waking
_pools = {}
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_pools.clear)  # threads don't survive a fork


def why_not(u):
    """None where u is on the CPU and numba works; otherwise the reason."""
    return f"u is on {u.device}, not on the CPU" if u.device.type != "cpu" else _numba_missing()


@functools.cache
def _numba_missing():
    try:
        import numba
    except Exception as error:  # not installed, or at odds with the NumPy that is
        return f"numba can't be imported ({error})"
    return "numba is switched off by NUMBA_DISABLE_JIT" if numba.config.DISABLE_JIT else None


def scan(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus):
    """`selective_scan`'s arguments, checked -> y: (b, l, d), last state: (b, d, n)."""
    tensors = u, delta, A, B, C, D, z, delta_bias, h0
    if torch.is_grad_enabled() and any(x is not None and x.requires_grad for x in tensors):
        return _Scan.apply(*tensors, delta_softplus)
    y, last_state, _ = _forward(*tensors, delta_softplus, keep=False)
    return y, last_state


class _Scan(torch.autograd.Function):
    """The whole of `selective_scan`, softplus and gate included, as one operation of autograd."""

    @staticmethod
    def forward(ctx, u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus):
        y, last_state, borders = _forward(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus, keep=True)
        ctx.save_for_backward(u, delta, A, B, C, D, z, delta_bias, h0, borders)
        ctx.delta_softplus = delta_softplus
        return y, last_state

    @staticmethod
    def backward(ctx, grad_y, grad_last):
        refuse_second_derivative("cpu")
        *tensors, borders = ctx.saved_tensors
        grads = _backward(*tensors, ctx.delta_softplus, borders, grad_y, grad_last)
        return *(None if x is None else grad.to(x.dtype) for x, grad in zip(tensors, grads)), None


def _forward(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus, keep):
    """-> y: (b, l, d), last state: (b, d, n), and the states at the tiles' borders: (b, tiles, n, d) if `keep`."""
    from . import cpu_kernels as kernels

    (b, l, d), n, dtype = u.shape, A.shape[1], state_dtype(u)
    if h0 is None:
        h0 = torch.zeros(b, d, n, dtype=dtype)
    inputs = _inputs(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    y, last_state = torch.empty(b, l, d, dtype=dtype), torch.empty(b, d, n, dtype=dtype)
    borders = torch.empty(b, -(-l // kernels.TILE), n, d if keep else 0, dtype=dtype)
    arrays = *inputs, _array(h0, dtype), y.numpy(), last_state.numpy(), borders.numpy()
    _spread(kernels.forward, arrays, b, d, _width(b, d, n), b * l * d * n)
    return y.to(u.dtype), last_state, borders


def _backward(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus, borders, grad_y, grad_last):
    """The gradients of the first nine, in the state's dtype; those of what is None are to be ignored."""
    from . import cpu_kernels as kernels

    (b, l, d), n, dtype, width = u.shape, A.shape[1], state_dtype(u), _width(*u.shape[::2], A.shape[1])
    inputs = _inputs(u, delta, A, B, C, D, z, delta_bias, delta_softplus)
    new = functools.partial(torch.empty, dtype=dtype)
    grad_u, grad_delta, grad_z = new(b, l, d), new(b, l, d), new(b, l, 0 if z is None else d)
    shares_B, shares_C = (new(-(-d // width), b, l, n) for _ in range(2))  # of the blocks of channels
    shares_A, shares_D, shares_bias, grad_h0 = new(b, n, d), new(b, d), new(b, d), new(b, d, n)
    outputs = grad_u, grad_delta, shares_A, shares_B, shares_C, shares_D, grad_z, shares_bias, grad_h0
    arrays = *inputs, borders.numpy(), _array(grad_y, dtype), _array(grad_last, dtype), *(x.numpy() for x in outputs)
    _spread(kernels.backward, arrays, b, d, width, b * l * d * n)
    grad_A, grad_D, grad_bias = shares_A.sum(0).T, shares_D.sum(0), shares_bias.sum(0)
    return grad_u, grad_delta, grad_A, shares_B.sum(0), shares_C.sum(0), grad_D, grad_z, grad_bias, grad_h0


def _inputs(u, delta, A, B, C, D, z, delta_bias, delta_softplus):
    """What both kernels begin with: contiguous NumPy views or copies in the state's dtype, of size 0 for None."""
    from .cpu_kernels import LOG2E

    dtype = state_dtype(u)
    A2 = (A.detach().to(dtype) * LOG2E).T  # (n, d): the kernels count in powers of two
    some = (_array(x, dtype) for x in (u, delta, A2, B, C))
    none = torch.empty(0, dtype=dtype), torch.empty(*u.shape[:2], 0, dtype=dtype), torch.empty(0, dtype=dtype)
    perhaps = (_array(none[i] if x is None else x, dtype) for i, x in enumerate((D, z, delta_bias)))
    return *some, *perhaps, delta_softplus


def _array(x, dtype):
    return x.detach().to(dtype).contiguous().numpy()


def _width(b, d, n):
    """Channels a block: the most whose states fit and that still leave a block for every thread."""
    threads = torch.get_num_threads()
    fits = (w for w in _WIDTHS if w * n <= _STATES and b * -(-d // w) >= threads)
    return next(fits, _WIDTHS[-1])


def _spread(kernel, arrays, b, d, width, elements):
    """Run the kernel over all b * ceil(d / width) items of work, this thread and those of the pool side by side."""
    items = b * -(-d // width)
    threads = min(torch.get_num_threads(), items)
    if threads == 1 or elements < _SMALL:
        kernel(*arrays, width, 0, items)
        return
    piece = max(1, items // (4 * threads))  # small enough that a thread which the machine holds up costs little
    todo = iter(range(0, items, piece))  # shared: each thread takes the next one when it is done

    def work():
        for first in todo:
            kernel(*arrays, width, first, min(first + piece, items))

    pool = _pools.get(threads - 1) or _pool(threads - 1)
    others = [pool.submit(work) for _ in range(threads - 1)]
    work()
    for other in others:
        other.result()


def _pool(size):
    """A new pool of so many threads. Pools are kept: one may be at work for another thread of this program."""
    _pools[size] = ThreadPoolExecutor(size, thread_name_prefix="selective_scan")
    return _pools[size]
