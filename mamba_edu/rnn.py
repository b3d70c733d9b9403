"""Recurrent networks from scratch, as they were before state spaces: one step, an RNN, an LSTM, and what comes back.

All sequences are (batch, seqlen, d_input), channels last; the state is one vector of n = d_hidden numbers (an LSTM has
two). Weights are (out, in), and those of the LSTM stack its four gates in PyTorch's order, so that the weights of
`torch.nn.RNN` and `torch.nn.LSTM` can be copied over, `weight_ih_l0` to `weight_ih` and so on.
"""

import math

import torch
from torch import nn

from ._validate import check_choice, check_flag, check_int, check_number, check_tensor

_NONLINEARITIES = {"tanh": torch.tanh, "identity": lambda x: x}


def rnn_step(x_t, h, weight_ih, weight_hh, bias=None, nonlinearity="tanh"):
    """h_t = tanh(weight_ih x_t + weight_hh h_{t-1} + bias), the network of Elman (1990).

    x_t: (b, d_in), h: (b, n), weight_ih: (n, d_in), weight_hh: (n, n), bias: (n) or None -> the new h, (b, n).
    nonlinearity: "tanh", or "identity" for the linear network whose products can be followed by hand.
    Raises TypeError or ValueError, naming the argument.
    """
    b, d_in = check_tensor("x_t", x_t, "(b, d_in)")
    n, _ = check_tensor("weight_ih", weight_ih, "(n, d_in)", {"d_in": d_in}, device=x_t.device)
    check_tensor("weight_hh", weight_hh, "(n, n)", {"n": n}, device=x_t.device)
    check_tensor("h", h, "(b, n)", {"b": b, "n": n}, device=x_t.device)
    if bias is not None:
        check_tensor("bias", bias, "(n)", {"n": n}, device=x_t.device)
    check_choice("nonlinearity", nonlinearity, tuple(_NONLINEARITIES))
    return _rnn_step(x_t @ weight_ih.T + (0 if bias is None else bias), h, weight_hh, _NONLINEARITIES[nonlinearity])


def _rnn_step(driven, h, weight_hh, f):
    """driven: (b, n), what the input and the biases bring."""
    return f(driven + h @ weight_hh.T)


class _Recurrent(nn.Module):
    """What RNN and LSTM share: weights for `gates` pre-activations a state number, and the loop over time."""

    def __init__(self, d_input, d_hidden, bias, gates):
        super().__init__()
        self.d_input = check_int("d_input", d_input, 1)
        self.d_hidden = check_int("d_hidden", d_hidden, 1)
        bound = 1 / math.sqrt(d_hidden)  # PyTorch's start

        def drawn(*shape):
            return nn.Parameter(torch.empty(*shape).uniform_(-bound, bound))

        rows = gates * d_hidden
        self.weight_ih, self.weight_hh = drawn(rows, d_input), drawn(rows, d_hidden)
        self.bias_ih = drawn(rows) if check_flag("bias", bias) else None
        self.bias_hh = drawn(rows) if bias else None

    def _driven(self, x):
        """What the input and both biases bring to every step, (..., rows): one product for the whole sequence."""
        y = x @ self.weight_ih.T
        return y if self.bias_ih is None else y + (self.bias_ih + self.bias_hh)

    def forward(self, x, state=None, return_state=False):
        """x: (b, l, d_input) -> h at every step, (b, l, d_hidden), or (h, state). state: None is zeros."""
        sizes = {"d_input": self.d_input}
        b, l, _ = check_tensor("x", x, "(b, l, d_input)", sizes, device=self.weight_hh.device)
        state = self.init_state(b, dtype=x.dtype) if state is None else self._checked(state, b)
        driven, outputs = self._driven(x), []
        for t in range(l):
            h, state = self._advance(driven[:, t], state)
            outputs.append(h)
        y = torch.stack(outputs, dim=1) if l else x.new_zeros(b, 0, self.d_hidden)
        return (y, state) if return_state else y

    def step(self, x_t, state):
        """x_t: (b, d_input) -> (h (b, d_hidden), new state); the given state stays as it is."""
        sizes = {"d_input": self.d_input}
        b, _ = check_tensor("x_t", x_t, "(b, d_input)", sizes, device=self.weight_hh.device)
        return self._advance(self._driven(x_t), self._checked(state, b))


class RNN(_Recurrent):
    """h_t = tanh(weight_ih x_t + bias_ih + weight_hh h_{t-1} + bias_hh): `torch.nn.RNN` of one layer, as a loop.

    d_input: numbers that come in each step; d_hidden: numbers of state, n. nonlinearity: "tanh" or "identity".
    Parameters: weight_ih (n, d_input), weight_hh (n, n), bias_ih and bias_hh (n) each, or None.
    The state is h, (b, n). Raises TypeError or ValueError, naming the argument.
    """

    def __init__(self, d_input, d_hidden, nonlinearity="tanh", bias=True):
        super().__init__(d_input, d_hidden, bias, gates=1)
        self.nonlinearity = check_choice("nonlinearity", nonlinearity, tuple(_NONLINEARITIES))

    def extra_repr(self):
        bias = self.bias_ih is not None
        return f"d_input={self.d_input}, d_hidden={self.d_hidden}, nonlinearity={self.nonlinearity!r}, bias={bias}"

    def init_state(self, batch, device=None, dtype=None):
        """Zeros (batch, d_hidden); device and dtype default to the weights'."""
        check_int("batch", batch, 0)
        return self.weight_hh.new_zeros(batch, self.d_hidden, device=device, dtype=dtype)

    def _advance(self, driven, h):
        h = _rnn_step(driven, h, self.weight_hh, _NONLINEARITIES[self.nonlinearity])
        return h, h

    def _checked(self, state, b):
        sizes = {"b": b, "n": self.d_hidden}
        check_tensor("state", state, "(b, n)", sizes, device=self.weight_hh.device)
        return state

    def _state_from(self, flat):
        return flat

    def _flat(self, state):
        return state


class LSTM(_Recurrent):
    """c_t = f c_{t-1} + i g, h_t = o tanh(c_t): `torch.nn.LSTM` of one layer, as a loop (Hochreiter and Schmidhuber
    1997; the forget gate f is Gers, Schmidhuber and Cummins 2000).

    The gates i, f, o = sigmoid(...) and the candidate g = tanh(...), the book's c~, are each made of x_t and h_{t-1};
    the weights stack them in the order i, f, g, o: weight_ih (4 n, d_input), weight_hh (4 n, n), bias_ih and bias_hh
    (4 n) each, or None.

    d_input, d_hidden: as in `RNN`. forget_bias: added to f's share of bias_ih at the start, where it lies around 0 as
    in PyTorch; 1 begins with f near 0.73 (Jozefowicz et al. 2015). The state is (h, c), (b, n) each.
    Raises TypeError or ValueError, naming the argument.
    """

    def __init__(self, d_input, d_hidden, bias=True, forget_bias=0.0):
        super().__init__(d_input, d_hidden, bias, gates=4)
        forget_bias = check_number("forget_bias", forget_bias)
        if forget_bias and not bias:
            raise ValueError(f"forget_bias needs bias=True, got forget_bias={forget_bias!r} with bias=False")
        if bias:
            with torch.no_grad():
                self.bias_ih[d_hidden : 2 * d_hidden] += forget_bias

    def extra_repr(self):
        return f"d_input={self.d_input}, d_hidden={self.d_hidden}, bias={self.bias_ih is not None}"

    def init_state(self, batch, device=None, dtype=None):
        """(h, c), zeros (batch, d_hidden) each; device and dtype default to the weights'."""
        check_int("batch", batch, 0)
        return tuple(self.weight_hh.new_zeros(batch, self.d_hidden, device=device, dtype=dtype) for _ in "hc")

    def _advance(self, driven, state):
        h, c = state
        i, f, g, o = (driven + h @ self.weight_hh.T).chunk(4, dim=-1)  # (b, n) each
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return h, (h, c)

    def _checked(self, state, b):
        if not isinstance(state, tuple) or len(state) != 2:
            raise TypeError(f"state must be a pair (h, c), got {type(state).__name__}")
        for name, part in zip(("state[0], h,", "state[1], c,"), state):
            check_tensor(name, part, "(b, n)", {"b": b, "n": self.d_hidden}, device=self.weight_hh.device)
        return state

    def _state_from(self, flat):
        return tuple(flat.chunk(2, dim=-1))

    def _flat(self, state):
        return torch.cat(state, dim=-1)


def step_jacobians(layer, x, state=None):
    """How each step's state depends on the one before it: dh_t / dh_{t-1} along a sequence, by autograd.

    layer: an RNN or an LSTM. x: (l, d_input), one sequence; state: that of a batch of one, None is zeros.
    Returns (l, n, n): entry [t, i, j] is the derivative of number i of the state after step t by number j before it.
    An LSTM's state is h and c, one after the other: (l, 2 n, 2 n); its corner [:, n:, n:] is dc_t / dc_{t-1} with
    h_{t-1} held, the diagonal of the forget gates.
    Raises TypeError or ValueError, naming the argument.
    """
    if not isinstance(layer, (RNN, LSTM)):
        raise TypeError(f"layer must be an RNN or an LSTM, got {type(layer).__name__}")
    check_tensor("x", x, "(l, d_input)", {"d_input": layer.d_input}, device=layer.weight_hh.device)
    state = layer.init_state(1, dtype=x.dtype) if state is None else layer._checked(state, 1)
    with torch.no_grad():
        driven, flat, before = layer._driven(x), layer._flat(state)[0], []
        for t in range(len(x)):
            before.append(flat)
            flat = layer._flat(layer._advance(driven[t][None], layer._state_from(flat[None]))[1])[0]

    def step(driven_t, flat):
        return layer._flat(layer._advance(driven_t[None], layer._state_from(flat[None]))[1])[0]

    if not before:
        return flat.new_zeros(0, len(flat), len(flat))
    return torch.func.vmap(torch.func.jacrev(step, argnums=1))(driven, torch.stack(before)).detach()


def gradient_through_time(layer, x, state=None):
    """How much of a change of the state t steps into a sequence is left at its end: the spectral norm of dh_l / dh_t.

    layer, x, state: as in `step_jacobians`. Returns (l + 1): entry t is the largest factor by which a small change of
    the state after t steps can arrive after the last one, the largest singular value of the real product
    J_l J_{l-1} ... J_{t+1}; the last entry is 1. A gradient that comes in at the end is multiplied by the same matrix
    on its way back (Bengio, Simard and Frasconi 1994; Pascanu, Mikolov and Bengio 2013).
    """
    steps = step_jacobians(layer, x, state)  # (l, n, n)
    product = torch.eye(steps.shape[-1], dtype=steps.dtype, device=steps.device)
    norms = [torch.linalg.matrix_norm(product, 2)]
    for step in steps.flip(0):
        product = product @ step
        norms.append(torch.linalg.matrix_norm(product, 2))
    return torch.stack(norms).flip(0)
