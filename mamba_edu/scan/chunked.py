"""The scan in plain PyTorch with bounded memory: a chunk of time at a time, on any device.

Inside a chunk the exponentials and products of all its steps are a few large operations; only h_t = a_t h_{t-1} + x_t
itself goes step by step, one fused multiply-add each. Nothing is divided by a product of decays, so that decays of any
strength are safe. Autograd sees one operation: the forward pass keeps the states at the chunks' borders, one in 64, and
the backward pass computes those in between once more.
"""

import torch

from .fusions import positive_step, refuse_second_derivative, skip_and_gate, state_dtype

_CHUNK = 64  # steps; a chunk works in up to three (64, b, d, n) tensors, the same for all chunks


def why_not(u):
    """Plain PyTorch takes every float tensor on every device."""
    return None


def scan(u, delta, A, B, C, D, z, delta_bias, h0, delta_softplus):
    """`selective_scan`'s arguments, checked -> y: (b, l, d), last state: (b, d, n)."""
    dtype = state_dtype(u)
    step = positive_step(delta, delta_bias, delta_softplus, dtype)  # (b, l, d)
    (b, _, d), n = u.shape, A.shape[1]
    h0 = u.new_zeros(b, d, n, dtype=dtype) if h0 is None else h0.to(dtype)
    inputs = u.to(dtype), step, A.to(dtype), B.to(dtype), C.to(dtype), h0
    taped = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    y, last_state = _Recurrence.apply(*inputs) if taped else _forward(*inputs, keep=False)[:2]
    return skip_and_gate(y, u, D, z), last_state


class _Recurrence(torch.autograd.Function):
    """y and the last state of the bare recurrence, with a backward pass that walks the chunks from the end."""

    @staticmethod
    def forward(ctx, u, delta, A, B, C, h0):
        y, last_state, borders = _forward(u, delta, A, B, C, h0, keep=True)
        ctx.save_for_backward(u, delta, A, B, C, *borders)
        return y, last_state

    @staticmethod
    def backward(ctx, grad_y, grad_last):
        refuse_second_derivative("chunked")
        u, delta, A, B, C, *borders = ctx.saved_tensors
        with torch.autocast(u.device.type, enabled=False):
            return _backward(u, delta, A, B, C, borders, grad_y, grad_last)


def _forward(u, delta, A, B, C, h0, keep):
    """-> y: (b, l, d), the last state: (b, d, n) and, if asked to `keep` them, the states before the chunks."""
    y, h, borders, room = torch.empty_like(u), h0, [], _room(2, u, A)
    with torch.autocast(u.device.type, enabled=False):  # it would take the products with C in half precision
        for start in range(0, u.shape[1], _CHUNK):
            now = slice(start, start + _CHUNK)
            borders += [h] * keep
            _, states = _states(u[:, now], delta[:, now], A, B[:, now], h, *room)
            y[:, now] = torch.einsum("tbdn,btn->btd", states, C[:, now])
            h = states[-1].clone()  # a view would keep the whole chunk alive
    return y, h, borders


def _room(count, u, A):
    """Tensors for one chunk, (t, b, d, n) each. New ones for every chunk would leave the heap full of holes."""
    (b, l, d), n = u.shape, A.shape[1]
    return [u.new_empty(min(l, _CHUNK), b, d, n) for _ in range(count)]


def _states(u, delta, A, B, h, decays, states):
    """The decays and the states of one chunk, both (t, b, d, n), from the state h: (b, d, n) before it.

    They are written into the room given for them, which may be longer than the chunk.
    """
    u, delta, B = u.transpose(0, 1), delta.transpose(0, 1), B.transpose(0, 1)  # time first: each state in one piece
    decays, states = decays[: len(u)], states[: len(u)]
    torch.mul(delta[..., None], A, out=decays).exp_()
    torch.mul((delta * u)[..., None], B[:, :, None], out=states)  # so far only what comes in
    for x, a in zip(states, decays):
        h = x.addcmul_(a, h)  # (b, d, n), in place: x + a h
    return decays, states


def _backward(u, delta, A, B, C, borders, grad_y, grad_last):
    """The gradients of u, delta, A, B, C and h0.

    With g_t = dL/dh_t, which follows the same recurrence backwards, g_t = C_t dL/dy_t + a_{t+1} g_{t+1}.
    """
    grads = [torch.empty_like(x) for x in (u, delta, B, C)]
    grad_A, from_later, room = torch.zeros_like(A), grad_last, _room(3, u, A)  # (d, n), (b, d, n)
    for i in reversed(range(len(borders))):
        now = slice(i * _CHUNK, (i + 1) * _CHUNK)
        chunk = u[:, now], delta[:, now], A, B[:, now]
        *parts, chunk_A, from_later = _chunk_backward(*chunk, C[:, now], borders[i], grad_y[:, now], from_later, *room)
        for grad, part in zip(grads, parts):
            grad[:, now] = part
        grad_A += chunk_A
    grad_u, grad_delta, grad_B, grad_C = grads
    return grad_u, grad_delta, grad_A, grad_B, grad_C, from_later


def _chunk_backward(u, delta, A, B, C, border, grad_y, from_later, decays, states, g):
    """One chunk's gradients of u, delta, B, C, its share of A's, and what goes on to the chunk before."""
    decays, states = _states(u, delta, A, B, border, decays, states)  # (t, b, d, n) each
    g = torch.mul(grad_y.transpose(0, 1)[..., None], C.transpose(0, 1)[:, :, None], out=g[: len(states)])
    g[-1] += from_later
    for t in range(len(g) - 2, -1, -1):
        g[t].addcmul_(decays[t + 1], g[t + 1])
    grad_C = torch.einsum("tbdn,btd->btn", states, grad_y)
    grad_B = torch.einsum("tbdn,btd->btn", g, delta * u)
    g_B = torch.einsum("tbdn,btn->btd", g, B)
    through_decay = decays.mul_(g)  # g a h_{t-1}, the gradient of delta A; the decays are not needed any more
    before = through_decay[0].clone()  # (b, d, n)
    through_decay[1:] *= states[:-1]
    through_decay[0] *= border
    # products in rooms that have served: einsum would copy the whole chunk to reorder it
    grad_A = torch.mul(through_decay, delta.transpose(0, 1)[..., None], out=states).sum((0, 1))  # (d, n)
    grad_delta = u * g_B + torch.mul(through_decay, A, out=g).sum(-1).transpose(0, 1)  # (b, t, d)
    return delta * g_B, grad_delta, grad_B, grad_C, grad_A, before
