"""S6, the selective state space: the input decides what is remembered, for how long, and what is read."""

import math

import torch
from torch import nn
from torch.nn import functional as F

from ._exact import ExactModule
from ._validate import check_choice, check_flag, check_int, check_number, check_tensor
from .scan import selective_scan
from .scan.backends import names as backend_names


class S6(ExactModule):
    """x -> delta, B, C, then the scan (Mamba algorithm 2).

        h_t = exp(delta_t A) h_{t-1} + delta_t B_t x_t        y_t = C_t h_t + D x_t

    d_inner: channels d. d_state: n numbers of state per channel. dt_rank: the rank of the map from x to delta; "auto"
    is d_inner / 32, rounded up, which at the usual expansion of 2 is the paper's d_model / 16.
    dt_min, dt_max: delta starts log-uniform between them, never below dt_init_floor. backend: handed to
    `selective_scan`; an attribute, may be changed at any time.

    Parameters (official names): x_proj.weight (dt_rank + 2 n, d), dt_proj.weight (d, dt_rank), dt_proj.bias (d),
    A_log (d, n), D (d). A = -exp(A_log): the log keeps A negative, so every state decays. A_log and D stay float32
    whatever `.to(torch.bfloat16)` or `.half()` does to the rest: rounding a rate is felt again at every step.

    selective=False is the time-invariant twin, the layer to compare with: delta, B and C are parameters instead of
    functions of x, dt_bias (d), B (n) and C (n), with the same start for delta and the same state. B and C are shared
    by the channels, as in the selective layer, so that only the dependence on time is taken away.

    The state is h, (batch, d_inner, d_state), in float32 at least. Raises TypeError or ValueError, naming the argument.
    """

    def __init__(
        self,
        d_inner,
        d_state=16,
        dt_rank="auto",
        dt_min=1e-3,
        dt_max=1e-1,
        dt_init_floor=1e-4,
        selective=True,
        backend="auto",
    ):
        super().__init__()
        self.d_inner = check_int("d_inner", d_inner, 1)
        self.d_state = check_int("d_state", d_state, 1)
        self.dt_rank = math.ceil(d_inner / 32) if dt_rank == "auto" else check_int("dt_rank", dt_rank, 1)
        self.selective = check_flag("selective", selective)
        self.backend = check_choice("backend", backend, backend_names())
        bias = initial_delta_bias(d_inner, dt_min, dt_max, dt_init_floor)  # (d)
        if selective:
            self.x_proj = nn.Linear(d_inner, self.dt_rank + 2 * d_state, bias=False)
            self.dt_proj = nn.Linear(self.dt_rank, d_inner)
            nn.init.uniform_(self.dt_proj.weight, -(self.dt_rank**-0.5), self.dt_rank**-0.5)
            self.dt_proj.bias = nn.Parameter(bias)
        else:
            self.dt_bias = nn.Parameter(bias)
            self.B = nn.Parameter(torch.ones(d_state))
            self.C = nn.Parameter(torch.randn(d_state))
        rates = torch.arange(1, d_state + 1, dtype=torch.float32)  # S4D-Real: A = -1, -2, ... -n
        self.A_log = nn.Parameter(rates.log().repeat(d_inner, 1))  # (d, n)
        self.D = nn.Parameter(torch.ones(d_inner))
        self._mark()

    def _mark(self):
        """Notes for whoever trains this layer: what must not decay, what a global initialisation must leave alone."""
        for name in ("A_log", "D", "dt_bias", "B", "C"):
            if name in self._parameters:
                self._parameters[name]._no_weight_decay = True
        if self.selective:
            self.dt_proj.bias._no_weight_decay = True
            self.dt_proj.bias._no_reinit = True

    def _exact(self):
        return "A_log", "D"

    @property
    def A(self):
        """-exp(A_log): (d, n), negative, float32 or float64."""
        return -torch.exp(self.A_log)

    def extra_repr(self):
        sizes = f"d_inner={self.d_inner}, d_state={self.d_state}, dt_rank={self.dt_rank}"
        return f"{sizes}, selective={self.selective}, backend={self.backend!r}"

    def select(self, x):
        """x: (..., d) -> delta (..., d) before its bias and the softplus, B (..., n), C (..., n), all from x alone."""
        if not self.selective:
            steps = x.shape[:-1]
            delta = x.new_zeros(()).expand(x.shape)  # the bias is all there is
            return delta, self.B.to(x.dtype).expand(*steps, -1), self.C.to(x.dtype).expand(*steps, -1)
        low_rank, B, C = self.x_proj(x).split([self.dt_rank, self.d_state, self.d_state], dim=-1)
        return F.linear(low_rank, self.dt_proj.weight), B, C  # the bias goes to the scan, which adds it in its one pass

    @property
    def delta_bias(self):
        """What is added to `select`'s delta before the softplus: (d)."""
        return self.dt_proj.bias if self.selective else self.dt_bias

    def forward(self, x, state=None, return_state=False, z=None):
        """x: (b, l, d) -> y (b, l, d) in x's dtype, or (y, state). z: (b, l, d) gates the output, y * silu(z)."""
        b, _, _ = check_tensor("x", x, "(b, l, d)", {"d": self.d_inner}, device=self.A_log.device)
        if state is not None:
            self._check_state(state, b)
        delta, B, C = self.select(x)
        return selective_scan(
            x,
            delta,
            self.A,
            B,
            C,
            D=self.D,
            z=z,
            delta_bias=self.delta_bias,
            h0=state,
            delta_softplus=True,
            return_last_state=return_state,
            backend=self.backend,
        )

    def init_state(self, batch, device=None, dtype=None):
        """Zeros (batch, d, n). dtype: the inputs' dtype; the state takes float32 where that is less."""
        check_int("batch", batch, 0)
        dtype = torch.promote_types(self.A_log.dtype if dtype is None else dtype, torch.float32)
        return self.A_log.new_zeros(batch, self.d_inner, self.d_state, device=device, dtype=dtype)

    def step(self, x_t, state, z_t=None):
        """x_t: (b, d), state: (b, d, n) -> (y_t (b, d), new state): one turn of the recurrence, spelled out."""
        b, d = check_tensor("x_t", x_t, "(b, d)", {"d": self.d_inner}, device=self.A_log.device)
        self._check_state(state, b)
        exact = torch.promote_types(x_t.dtype, torch.float32)
        delta, B, C = (t.to(exact) for t in self.select(x_t))
        delta = F.softplus(delta + self.delta_bias.to(exact))[..., None]  # (b, d, 1)
        u = x_t.to(exact)
        h = torch.exp(delta * self.A.to(exact)) * state.to(exact) + delta * B[:, None] * u[..., None]  # (b, d, n)
        y = (h * C[:, None]).sum(-1) + self.D.to(exact) * u  # (b, d)
        if z_t is not None:
            check_tensor("z_t", z_t, "(b, d)", {"b": b, "d": d}, device=x_t.device)
            y = y * F.silu(z_t.to(exact))
        return y.to(x_t.dtype), h

    def _check_state(self, state, b):
        sizes = {"b": b, "d": self.d_inner, "n": self.d_state}
        check_tensor("state", state, "(b, d, n)", sizes, device=self.A_log.device)


def initial_delta_bias(d_inner, dt_min=1e-3, dt_max=1e-1, dt_init_floor=1e-4):
    """A bias (d_inner) whose softplus is log-uniform in [dt_min, dt_max] and at least dt_init_floor.

    A channel with step delta forgets over about 1 / delta tokens: the layer starts with memories of 10 to 1000 tokens.
    """
    check_number("dt_min", dt_min, above=0)
    check_number("dt_max", dt_max, at_least=dt_min)
    check_number("dt_init_floor", dt_init_floor, at_least=0)
    low, high = math.log(dt_min), math.log(dt_max)
    delta = torch.exp(low + (high - low) * torch.rand(d_inner)).clamp(min=dt_init_floor)
    # the inverse of softplus, log(exp(delta) - 1), in a form that keeps small steps exact
    return delta + torch.log(-torch.expm1(-delta))
