"""The Mamba block: two projections in, a short convolution, the selective scan, a gate, one projection out."""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.nn import functional as F

from ._validate import check_flag, check_int, check_number, check_tensor
from .conv import CausalConv1d
from .selection import S6


class RMSNorm(nn.Module):
    """y = weight * x / sqrt(mean(x^2) + eps), the mean over the last axis; computed in float32 at least.

    d_model: the size of the last axis. eps: keeps a vector of zeros finite. weight (d_model) starts at one.
    """

    def __init__(self, d_model, eps=1e-5):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(check_int("d_model", d_model, 1)))
        self.eps = check_number("eps", eps, above=0)

    def extra_repr(self):
        return f"d_model={self.weight.shape[0]}, eps={self.eps}"

    def forward(self, x):
        """x: (..., d_model) -> the same shape and dtype."""
        d = self.weight.shape[0]
        if not isinstance(x, torch.Tensor) or not x.is_floating_point():
            raise TypeError(
                f"x must be a floating-point tensor (..., {d}), got {getattr(x, 'dtype', type(x).__name__)}"
            )
        if x.dim() == 0 or x.shape[-1] != d:
            raise ValueError(f"x must have shape (..., d) with d={d}, got {tuple(x.shape)}")
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        scale = torch.rsqrt(exact.square().mean(-1, keepdim=True) + self.eps)  # (..., 1)
        return (exact * scale * self.weight).to(x.dtype)


class BlockState(NamedTuple):
    """What a block remembers: conv, the last inputs (b, d_conv - 1, d_inner), and ssm, the scan's h (b, d_inner, n)."""

    conv: torch.Tensor
    ssm: torch.Tensor


class MambaBlock(nn.Module):
    """The mixer, (b, l, d_model) -> (b, l, d_model) (Mamba section 3.4); norm and residual are around it in `Mamba`.

        x, z = in_proj(input)        each (b, l, d_inner), d_inner = expand * d_model
        x = silu(conv1d(x))          the last d_conv inputs of the same channel
        y = s6(x) * silu(z)          the selective scan, gated
        out_proj(y)                  (b, l, d_model)

    d_model, d_state, d_conv, expand: sizes, see `MambaConfig`. dt_rank: "auto" is d_model / 16, rounded up. dt_min,
    dt_max, dt_init_floor, selective, backend: see `S6`. conv_bias: a bias in the convolution. bias: one in in_proj and
    out_proj, starting at zero. The state is a `BlockState`. Raises TypeError or ValueError, naming the argument.
    """

    def __init__(
        self,
        d_model,
        d_state=16,
        d_conv=4,
        expand=2,
        dt_rank="auto",
        dt_min=1e-3,
        dt_max=1e-1,
        dt_init_floor=1e-4,
        conv_bias=True,
        bias=False,
        selective=True,
        backend="auto",
    ):
        super().__init__()
        self.d_model = check_int("d_model", d_model, 1)
        self.d_inner = check_int("expand", expand, 1) * d_model
        rank = math.ceil(d_model / 16) if dt_rank == "auto" else dt_rank
        self.in_proj = nn.Linear(d_model, 2 * self.d_inner, bias=check_flag("bias", bias))
        self.conv1d = CausalConv1d(self.d_inner, d_conv, check_flag("conv_bias", conv_bias))
        self.s6 = S6(self.d_inner, d_state, rank, dt_min, dt_max, dt_init_floor, selective, backend)
        self.out_proj = nn.Linear(self.d_inner, d_model, bias=bias)
        if bias:
            nn.init.zeros_(self.in_proj.bias)
            nn.init.zeros_(self.out_proj.bias)

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_model) -> y (b, l, d_model), or (y, state)."""
        check_tensor("x", x, "(b, l, d)", {"d": self.d_model}, device=self.in_proj.weight.device)
        before = BlockState(None, None) if state is None else self._check_state(state)
        x, z = self.in_proj(x).chunk(2, dim=-1)  # (b, l, d_inner) each
        if not return_state:
            return self.out_proj(self.s6(F.silu(self.conv1d(x, before.conv)), before.ssm, z=z))
        x, conv = self.conv1d(x, before.conv, return_state=True)
        y, ssm = self.s6(F.silu(x), before.ssm, return_state=True, z=z)
        return self.out_proj(y), BlockState(conv, ssm)

    def init_state(self, batch, device=None, dtype=None):
        """A `BlockState` of zeros: what stands before a sequence."""
        return BlockState(self.conv1d.init_state(batch, device, dtype), self.s6.init_state(batch, device, dtype))

    def step(self, x_t, state):
        """x_t: (b, d_model) -> (y_t (b, d_model), new state): one token, in time and memory that don't grow."""
        check_tensor("x_t", x_t, "(b, d)", {"d": self.d_model}, device=self.in_proj.weight.device)
        state = self._check_state(state)
        x, z = self.in_proj(x_t).chunk(2, dim=-1)  # (b, d_inner) each
        x, conv = self.conv1d.step(x, state.conv)
        y, ssm = self.s6.step(F.silu(x), state.ssm, z_t=z)
        return self.out_proj(y), BlockState(conv, ssm)

    @staticmethod
    def _check_state(state):
        if not isinstance(state, tuple) or len(state) != 2:
            kind = f"{len(state)} entries" if isinstance(state, tuple) else type(state).__name__
            raise TypeError(f"state must be a BlockState (conv, ssm), as init_state gives it, got {kind}")
        return BlockState(*state)
