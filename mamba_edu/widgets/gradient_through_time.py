"""`GradientThroughTime`, the figure of chapter 2: how much of a change of the state is left some steps later."""

import torch
from traitlets import default

from ..rnn import LSTM, RNN, gradient_through_time, step_jacobians
from ._figure import LiveFigure
from ._traits import Number, Whole, Word

N, D_INPUT, LONGEST = 8, 3, 100
NETWORKS = ("linear", "tanh", "lstm")
ENOUGH = 0.01  # of a change: less is not felt


def draws(seed, *shape):
    """Even draws from (-1, 1) that JavaScript makes as well: the generator of Park and Miller (1988). float64."""
    values = []
    for _ in range(torch.Size(shape).numel()):
        seed = 16807 * seed % 2147483647
        values.append(2 * seed / 2147483647 - 1)
    return torch.tensor(values, dtype=torch.float64).reshape(shape)


class GradientThroughTime(LiveFigure):
    """A network of 8 numbers reads `length` inputs; how much of a change of its state arrives at the end?

        dh_l / dh_t = J_l J_{l-1} ... J_{t+1},  J_t = dh_t / dh_{t-1}

    Its largest singular value, by real products of the Jacobians at the states that these inputs bring about. An
    LSTM's state is h and c together.

    network: "linear", "tanh" or "lstm". radius: the spectral radius of W_h, 0.5 to 2; an LSTM's W_h is what it is.
    bias: of the forget gate, 0 to 6, an LSTM's only. length: 20 to 100 steps. ago: the marked state, in steps before
    the last, 0 to 100. guess: the reader's, after how many steps 1 % is left, 0 to 100; -1 is none yet.
    """

    name = "gradient-through-time"
    network = Word("tanh", NETWORKS)
    radius = Number(1.0, 0.5, 2)
    bias = Number(0.0, 0, 6)
    length = Whole(60, 20, LONGEST)
    ago = Whole(11, 0, LONGEST)
    guess = Whole(-1, -1, LONGEST)

    @default("question")
    def _default_question(self):
        return "After how many steps is one per cent of a change left?"

    def data(self):
        """What is drawn, float64; l is `length`.

        norms: (l + 1), the spectral norm of dh_l / dh_t for t = 0 ... l; the last is 1. passes: (l), what one step lets
        through by itself: the mean slope of tanh, or the mean forget gate. reach: (), how many steps back at least 1 %
        is left at every step on the way.
        """
        x = draws(1, LONGEST, D_INPUT)[: self.length]
        layer = self._layer()
        steps = step_jacobians(layer, x)
        if self.network == "lstm":
            passes = steps[:, N:, N:].diagonal(dim1=1, dim2=2).mean(1)
        elif self.network == "tanh":
            passes = (1 - layer(x[None])[0].detach() ** 2).mean(1)
        else:
            passes = x.new_ones(len(x))
        norms = gradient_through_time(layer, x).detach()
        left = (norms.flip(0)[1:] >= ENOUGH).double().cumprod(0)
        return {"norms": norms, "passes": passes, "reach": left.sum()}

    def _layer(self):
        """The network with the figure's weights, which are drawn once and for all."""
        if self.network == "lstm":
            layer = LSTM(D_INPUT, N, bias=True).double()
            bias = torch.zeros(4, N, dtype=torch.float64)
            bias[1] = self.bias
            weights = {"weight_ih": draws(4, 4 * N, D_INPUT), "weight_hh": draws(5, 4 * N, N) / N**0.5}
            weights |= {"bias_ih": bias.flatten(), "bias_hh": torch.zeros(4 * N, dtype=torch.float64)}
        else:
            layer = RNN(D_INPUT, N, "tanh" if self.network == "tanh" else "identity", bias=False).double()
            W_h = draws(2, N, N)
            W_h = self.radius / torch.linalg.eigvals(W_h).abs().max() * W_h
            weights = {"weight_ih": draws(3, N, D_INPUT), "weight_hh": W_h}
        layer.load_state_dict(weights)
        return layer

    def still(self):
        from ..plots.still_gradient_through_time import gradient_through_time_still

        return gradient_through_time_still(self.data(), self.network, self.radius, self.bias, self.guess)
