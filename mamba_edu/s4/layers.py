"""S4D and S4: one linear state space model per channel, trained as a convolution and run as a recurrence."""

import math

import torch
from torch import nn

from .._exact import ExactModule
from .._validate import check_choice, check_int, check_number, check_tensor
from ..hippo import legs_dplr, s4d_inv, s4d_lin, s4d_real
from ..lti import fft_convolution
from .kernels import (
    bilinear_of_each,
    diagonal_kernel,
    discretize_pairs,
    dplr_kernel,
    krylov,
    powers_of,
    read_pairs,
    real_system,
    row_times_power,
)


class _StateSpace(ExactModule):
    """What S4D and S4 share: the parameters of d systems, the protocol around them."""

    def __init__(self, d_model, dt_min, dt_max, Lambda, **start):
        super().__init__()
        self.d_model = check_int("d_model", d_model, 1)
        check_number("dt_min", dt_min, above=0)
        check_number("dt_max", dt_max, at_least=dt_min)
        low, high = math.log(dt_min), math.log(dt_max)
        self.log_dt = nn.Parameter(low + (high - low) * torch.rand(d_model))
        self.log_A_real = nn.Parameter((-Lambda.real).log().float().repeat(d_model, 1))  # the log keeps A negative
        if Lambda.is_complex():
            self.A_imag = nn.Parameter(Lambda.imag.float().repeat(d_model, 1))
        C = torch.randn(d_model, len(Lambda), dtype=torch.complex64 if Lambda.is_complex() else torch.float32)
        for name, value in {**start, "C": C}.items():
            value = value.expand(d_model, -1).clone()
            # as two real numbers: `.double()` passes complex parameters by, `.to(torch.float64)` drops imaginary parts
            value = torch.view_as_real(value.to(torch.complex64)) if value.is_complex() else value.float()
            self.register_parameter(name, nn.Parameter(value))
        self.D = nn.Parameter(torch.ones(d_model))
        self._mark()

    def _mark(self):
        """For whoever trains this layer: decay pulls towards 0, which is a rate, a step or a pole like any other."""
        for parameter in self._parameters.values():
            parameter._no_weight_decay = True

    def _exact(self):
        return tuple(self._parameters)

    @property
    def Lambda(self):
        """The rates: (d, n / 2) complex, one of each pair; (d, n) real for `init="real"`."""
        return self._system(self.log_dt.dtype)["Lambda"]

    @property
    def delta(self):
        """The step of each channel: (d)."""
        return self.log_dt.exp()

    def _system(self, dtype):
        """delta, Lambda, B, C (and P) as the functions above take them, in `dtype` or the complex type of its size."""
        system = {"delta": self.log_dt.to(dtype).exp(), "Lambda": -self.log_A_real.to(dtype).exp()}
        if "A_imag" in self._parameters:
            system["Lambda"] = torch.complex(system["Lambda"], self.A_imag.to(dtype))
        for name in {"P", "B", "C"} & self._parameters.keys():
            value = self._parameters[name].to(dtype)
            system[name] = torch.view_as_complex(value) if value.dim() == 3 else value
        return system

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_model) -> y (b, l, d_model) in x's dtype, or (y, state). By convolution with the kernel."""
        b, l, _ = check_tensor("x", x, "(b, l, d)", {"d": self.d_model}, device=self.D.device)
        exact = torch.promote_types(x.dtype, torch.float32)
        state = None if state is None else self._check_state(state, b, exact)
        with torch.autocast(x.device.type, enabled=False):
            u, system = x.to(exact), self._system(exact)
            y = self.D.to(exact) * u
            if l:
                y = y + fft_convolution(u, self._kernel(system, l).mT)
                if state is not None:
                    y = y + self._echo(system, state, l)
            if not return_state:
                return y.to(x.dtype)
            state = self.init_state(b, x.device, exact) if state is None else state
            return y.to(x.dtype), self._advance(system, state, u) if l else state.clone()

    def kernel(self, l):
        """The convolution kernel of the next l steps: (d_model, l), without D."""
        return self._kernel(self._system(self.log_dt.dtype), check_int("l", l, 1))

    def init_state(self, batch, device=None, dtype=None):
        """Zeros (batch, d, n / 2), complex, or (batch, d, n) for `init="real"`. dtype: the inputs' own."""
        check_int("batch", batch, 0)
        dtype = torch.promote_types(self.D.dtype if dtype is None else dtype, torch.float32)
        dtype = dtype.to_complex() if "A_imag" in self._parameters else dtype
        return torch.zeros(
            batch, *self.log_A_real.shape, dtype=dtype, device=self.D.device if device is None else device
        )

    def step(self, x_t, state):
        """x_t: (b, d_model), state as in `init_state` -> (y_t (b, d_model), new state): one turn of the recurrence."""
        b, _ = check_tensor("x_t", x_t, "(b, d)", {"d": self.d_model}, device=self.D.device)
        exact = torch.promote_types(x_t.dtype, torch.float32)
        state = self._check_state(state, b, exact)
        with torch.autocast(x_t.device.type, enabled=False):
            u, system = x_t.to(exact), self._system(exact)
            h = self._turn(system, state, u[..., None])  # (b, d, n / 2)
            y = read_pairs((system["C"] * h).sum(-1)) + self.D.to(exact) * u
            return y.to(x_t.dtype), h

    def _check_state(self, state, b, exact):
        want = self.init_state(0, dtype=exact)
        sizes = {"b": b, "d": want.shape[1], "n": want.shape[2]}
        check_tensor("state", state, "(b, d, n)", sizes, dtype=None, device=self.D.device)
        if state.is_complex() != want.is_complex():
            raise TypeError(f"state must be {want.dtype}, as init_state makes it, got {state.dtype}")
        return state.to(want.dtype)


class S4D(_StateSpace):
    """A diagonal state space model per channel (S4D): h' = Lambda h + B x, y = 2 Re(C h) + D x, sampled at delta.

    d_model: channels. d_state: n real numbers of state per channel. init: "lin", "inv" or "legs" (n / 2 complex pairs;
    `s4d_lin`, `s4d_inv`, the diagonal part of `legs_dplr`), or "real" (n real rates -1 ... -n, no pairs). dt_min,
    dt_max: delta starts log-uniform between them. rule: "zoh" or "bilinear".

    Nothing is mixed across channels and nothing is bent: the matrices and activations around it are the caller's.
    Parameters, all float32 at least and none of them to be decayed: log_dt (d), log_A_real and A_imag (d, n / 2), B and
    C (d, n / 2, 2) with the real and imaginary part last, D (d). With init="real": log_A_real, B, C (d, n), no A_imag.

    The state is h, (batch, d_model, n / 2), complex64 or complex128; for "real" (batch, d_model, n), float.
    """

    def __init__(self, d_model, d_state=64, init="lin", dt_min=1e-3, dt_max=1e-1, rule="zoh"):
        check_choice("init", init, ("lin", "inv", "real", "legs"))
        n = check_int("d_state", d_state, 1) if init == "real" else _check_even(d_state)
        if init == "legs":
            Lambda, _, B, _ = (part[: n // 2] for part in legs_dplr(n))
        else:
            Lambda = s4d_real(n) if init == "real" else {"lin": s4d_lin, "inv": s4d_inv}[init](n)[: n // 2]
            B = torch.ones_like(Lambda)
        super().__init__(d_model, dt_min, dt_max, Lambda, B=B)
        self.d_state, self.init, self.rule = n, init, check_choice("rule", rule, ("zoh", "bilinear"))

    def extra_repr(self):
        return f"d_model={self.d_model}, d_state={self.d_state}, init={self.init!r}, rule={self.rule!r}"

    def _kernel(self, system, l):
        return diagonal_kernel(**system, l=l, rule=self.rule)

    def _bars(self, system):
        return discretize_pairs(self.rule, system["delta"], system["Lambda"], system["B"])

    def _echo(self, system, state, l):
        """What a state says of itself in the l steps to come, C A_bar^(k + 1) h: (b, l, d)."""
        A_bar, _ = self._bars(system)
        powers = powers_of(self.rule, system["delta"], system["Lambda"], A_bar, l)  # (d, n / 2, l)
        return read_pairs(torch.einsum("dnl,bdn->bld", powers, system["C"] * A_bar * state))

    def _advance(self, system, state, u):
        """The state after u (b, l, d): A_bar^l h + sum_k A_bar^(l - 1 - k) B_bar u_k."""
        A_bar, B_bar = self._bars(system)
        powers = powers_of(self.rule, system["delta"], system["Lambda"], A_bar, u.shape[1])  # (d, n / 2, l)
        written = torch.einsum("dnl,bld->bdn", powers.flip(-1), u.to(powers.dtype))
        return A_bar * powers[..., -1] * state + B_bar * written

    def _turn(self, system, state, u):
        A_bar, B_bar = self._bars(system)
        return A_bar * state + B_bar * u


class S4(_StateSpace):
    """S4: a state space model per channel with A = Lambda - P P*, LegS at the start, sampled by the bilinear rule.

    d_model: channels. d_state: n real numbers of state per channel, even. dt_min, dt_max: delta starts log-uniform
    between them. Nothing is mixed across channels and nothing is bent: what surrounds it is the caller's.

    forward costs `dplr_kernel` and an FFT convolution. With a state, given or asked for, it also makes A_bar^k B_bar or
    C A_bar^k for all k, (d, n, l) numbers; training on whole sequences needs neither. step costs n products a channel.

    Parameters, all float32 at least and none of them to be decayed: log_dt (d), log_A_real and A_imag (d, n / 2), P, B
    and C (d, n / 2, 2) with the real and imaginary part last, D (d). P stays the same on both sides of the correction,
    so A's symmetric part is negative whatever is learned, and the recurrence can't explode (Goel et al. 2022).

    The state is h, (batch, d_model, n / 2), complex64 or complex128.
    """

    def __init__(self, d_model, d_state=64, dt_min=1e-3, dt_max=1e-1):
        n = _check_even(d_state)
        Lambda, P, B, _ = (part[: n // 2] for part in legs_dplr(n))
        super().__init__(d_model, dt_min, dt_max, Lambda, P=P, B=B)
        self.d_state = n

    def extra_repr(self):
        return f"d_model={self.d_model}, d_state={self.d_state}"

    def _kernel(self, system, l):
        return dplr_kernel(**system, l=l)

    def _dense(self, system):
        """A_bar (d, n, n), B_bar (d, n, 1), C (d, 1, n), real."""
        A, B, C = real_system(**{name: system[name] for name in ("Lambda", "P", "B", "C")})
        return *bilinear_of_each(system["delta"], A, B), C

    def _echo(self, system, state, l):
        A_bar, _, C = self._dense(system)
        rows = krylov(A_bar.mT, (C @ A_bar).mT, l)  # (d, n, l)
        return torch.einsum("dnl,bdn->bld", rows, torch.cat([state.real, state.imag], -1))

    def _advance(self, system, state, u):
        A_bar, B_bar, _ = self._dense(system)
        columns = krylov(A_bar, B_bar, u.shape[1])  # (d, n, l)
        h = torch.cat([state.real, state.imag], -1).transpose(0, 1)  # (d, b, n)
        h = row_times_power(h, A_bar.mT, u.shape[1]) + torch.einsum("dnl,bld->dbn", columns.flip(-1), u)
        return torch.complex(*h.transpose(0, 1).chunk(2, -1))

    def _turn(self, system, state, u):
        """(1 - delta A / 2) h_new = (1 + delta A / 2) h + delta B u, solved by Woodbury's identity: O(n)."""
        Lambda, P, B, half = system["Lambda"], system["P"], system["B"], system["delta"][:, None] / 2  # (d, 1)
        inner = lambda h: 2 * (P.conj() * h).sum(-1, keepdim=True).real  # noqa: E731  P* h, both halves of the pairs
        right = state + half * (Lambda * state - P * inner(state)) + 2 * half * B * u
        diagonal = 1 - half * Lambda
        right, p = right / diagonal, P / diagonal
        return right - p * half * inner(right) / (1 + half * inner(p))


def _check_even(d_state):
    if check_int("d_state", d_state, 2) % 2:
        raise ValueError(f"d_state must be even, for conjugate pairs, got {d_state}")
    return d_state
