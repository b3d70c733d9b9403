"""A short causal convolution over time, one filter per channel: what stands before the scan in every Mamba block."""

import math

import torch
from torch import nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F

from ._validate import check_flag, check_int, check_tensor


class _ShiftedProducts(torch.autograd.Function):
    """y_t = bias + sum_j taps[j] * x_{t-j}, nothing before t = 0. x: (b, l, d), taps: (k, d), bias: (d) or None.

    Channels stay last, so there is nothing to transpose and nothing to trim. The gradient is written out because the
    automatic one makes k arrays of x's size and adds them up: forward and backward take 4 ms of one core at b4 l512
    d512 k4 instead of 11, and PyTorch's grouped conv1d, with its transposes, takes longer still. There is no second
    derivative, as there is none of the scan.
    """

    @staticmethod
    def forward(x, taps, bias):
        l = x.shape[1]
        y = x * taps[0] if bias is None else torch.addcmul(bias, x, taps[0])  # (b, l, d)
        for j in range(1, min(len(taps), l)):
            y[:, j:].addcmul_(x[:, : l - j], taps[j])
        return y

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:2])

    @staticmethod
    @once_differentiable
    def backward(ctx, g):
        x, taps = ctx.saved_tensors
        l = x.shape[1]
        reach = range(1, min(len(taps), l))
        grad_x = grad_taps = None
        if ctx.needs_input_grad[0]:
            grad_x = g * taps[0]  # (b, l, d)
            for j in reach:
                grad_x[:, : l - j].addcmul_(g[:, j:], taps[j])
        if ctx.needs_input_grad[1]:
            grad_taps = torch.zeros_like(taps)  # (k, d); taps that never met an input keep their zero
            for j in (0, *reach):
                grad_taps[j] = (g[:, j:] * x[:, : l - j]).sum((0, 1))
        return grad_x, grad_taps, g.sum((0, 1)) if ctx.needs_input_grad[2] else None


class CausalConv1d(nn.Module):
    """y_t = bias + sum_j weight[:, 0, j] x_{t - (k - 1) + j}: channel c at time t sees its own last k inputs, no more.

    d_inner: channels. d_conv: k, the filter's length. bias: whether to add one. Parameters as the official conv1d has
    them: weight (d_inner, 1, d_conv), bias (d_inner) or None; both start uniform in +-d_conv^-0.5, PyTorch's default.

    The state is the last k - 1 inputs, (batch, d_conv - 1, d_inner), oldest first; zeros are what stands before the
    sequence. Raises TypeError or ValueError, naming the argument, for sizes, shapes and devices that don't fit.
    """

    def __init__(self, d_inner, d_conv=4, bias=True):
        super().__init__()
        self.d_inner = check_int("d_inner", d_inner, 1)
        self.d_conv = check_int("d_conv", d_conv, 1)
        bound = 1 / math.sqrt(self.d_conv)
        self.weight = nn.Parameter(torch.empty(d_inner, 1, d_conv).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(d_inner).uniform_(-bound, bound)) if check_flag("bias", bias) else None

    def extra_repr(self):
        return f"d_inner={self.d_inner}, d_conv={self.d_conv}, bias={self.bias is not None}"

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_inner) -> y (b, l, d_inner) in x's dtype, or (y, state)."""
        b, _, _ = check_tensor("x", x, "(b, l, d)", {"d": self.d_inner}, device=self.weight.device)
        if state is None:
            y = self._filter(x)
        else:
            self._check_state(state, b)
            x = torch.cat([state.to(x.dtype), x], dim=1)  # (b, k - 1 + l, d)
            y = self._filter(x)[:, self.d_conv - 1 :]  # (b, l, d)
        if not return_state:
            return y
        last = x[:, max(x.shape[1] - self.d_conv + 1, 0) :]
        # pad also where there is nothing to add: it copies, and a view would keep the whole sequence alive
        return y, F.pad(last, (0, 0, self.d_conv - 1 - last.shape[1], 0))  # (b, k - 1, d)

    def _filter(self, x):
        taps = self.weight[:, 0].t().flip(0).to(x.dtype).contiguous()  # (k, d), the newest first
        return _ShiftedProducts.apply(x, taps, None if self.bias is None else self.bias.to(x.dtype))

    def init_state(self, batch, device=None, dtype=None):
        """Zeros (batch, d_conv - 1, d_inner); device and dtype default to the weight's."""
        check_int("batch", batch, 0)
        return self.weight.new_zeros(batch, self.d_conv - 1, self.d_inner, device=device, dtype=dtype)

    def step(self, x_t, state):
        """x_t: (b, d_inner), state: (b, d_conv - 1, d_inner) -> (y_t (b, d_inner), new state)."""
        b, _ = check_tensor("x_t", x_t, "(b, d)", {"d": self.d_inner}, device=self.weight.device)
        self._check_state(state, b)
        window = torch.cat([state.to(x_t.dtype), x_t[:, None]], dim=1)  # (b, k, d)
        y = (window * self.weight[:, 0].t().to(x_t.dtype)).sum(1)  # (b, d)
        return (y if self.bias is None else y + self.bias.to(y.dtype)), window[:, 1:]

    def _check_state(self, state, b):
        sizes = {"b": b, "k-1": self.d_conv - 1, "d": self.d_inner}
        check_tensor("state", state, "(b, k-1, d)", sizes, device=self.weight.device)
