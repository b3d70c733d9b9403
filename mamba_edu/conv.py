"""A short causal convolution over time, one filter per channel: what stands before the scan in every Mamba block."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from ._validate import check_flag, check_int, check_tensor


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
        b, l, _ = check_tensor("x", x, "(b, l, d)", {"d": self.d_inner}, device=self.weight.device)
        if state is None:
            window = F.pad(x, (0, 0, self.d_conv - 1, 0))  # (b, k - 1 + l, d)
        else:
            self._check_state(state, b)
            window = torch.cat([state.to(x.dtype), x], dim=1)  # (b, k - 1 + l, d)
        y = self._filter(window, l)
        # a copy: a view would keep the whole sequence alive
        return (y, window[:, l:].clone()) if return_state else y

    def _filter(self, window, l):
        """k shifted products over the window (b, k - 1 + l, d). No transpose, and trimmed to l by construction."""
        taps = self.weight[:, 0].to(window.dtype).unbind(1)  # k times (d)
        y = window[:, :l] * taps[0] if self.bias is None else self.bias.to(window.dtype)
        for j in range(0 if self.bias is not None else 1, self.d_conv):
            y = torch.addcmul(y, window[:, j : j + l], taps[j])  # (b, l, d)
        return y

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
