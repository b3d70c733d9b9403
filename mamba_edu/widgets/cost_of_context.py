"""`CostOfContext`: what the past costs a model that keeps all of it, and one that keeps a state."""

import torch
from traitlets import default

from ..block import MambaBlock
from ..s4 import S4D
from ._figure import LiveFigure
from ._traits import Whole, Word

MODELS = ("attention", "RNN", "S4", "Mamba")
VIEWS = ("memory", "token", "prompt")
LENGTHS = tuple(2**k for k in range(21))
S4_STATE = 64  # numbers per channel, as in the S4 paper
BYTES = 4  # of a float32
WEIGHT, PAST, TURN = 2, 2, 7  # operations for each weight, each number of the cache, each number that a scan turns
FFT = 15  # l log2(2 l) for a channel: three real FFTs of length 2 l, 2.5 (2 l) log2(2 l) each


class CostOfContext(LiveFigure):
    """n_layer layers of four kinds, all d_model wide, read `length` tokens one after the other.

    attention: four projections, and the cache, a key and a value of d_model numbers for each token. RNN: two matrices,
    a state of d_model numbers. S4: d_model systems of 64 numbers, and no matrix, as the package's layer has none.
    Mamba: a block with expand = 2 (Mamba section 3.4) and d_conv = 4 (the authors' code); its state is d_state and 3
    numbers for each of 2 d_model channels.

    Bytes are of float32; in half precision the cache is half as large. Operations are multiplications, additions and
    exponentials: 2 for each weight of a matrix or a convolution; 2 for each number of the cache, once for the score and
    once for the sum; 7 for each number that a scan turns, as `data` tells. Left out are norms, MLPs, embedding and
    head, whose cost doesn't know how long the past is; and biases, D, softmax, activations. A Mamba of equal size has
    two blocks where a Transformer has attention and an MLP: its state is twice what is drawn.

    view: "memory", the bytes kept for a sequence; "token", operations for its last token; "prompt", for all of its
    tokens. length: 1 to 1,048,576. n_layer: 1 to 96. d_model: 64 to 8,192. d_state: Mamba's, 1 to 256. guess: the
    reader's, at 2^guess tokens the cache passes Mamba's state, 0 to 20; -1 is none yet. Mamba 130M has n_layer 24,
    d_model 768 and Mamba 2.8B n_layer 64, d_model 2560 (the authors' `state-spaces/mamba-130m`, `mamba-2.8b`).
    """

    name = "cost-of-context"
    view = Word("memory", VIEWS)
    length = Whole(1024, 1, LENGTHS[-1])
    n_layer = Whole(24, 1, 96)
    d_model = Whole(1024, 64, 8192)
    d_state = Whole(16, 1, 256)
    guess = Whole(-1, -1, len(LENGTHS) - 1)

    @default("question")
    def _default_question(self):
        return "After how many tokens does remembering all of them cost more than a state?"

    def data(self):
        """What is drawn, float64; rows are `MODELS`, columns `LENGTHS`. Each layer is the package's own, see `counts`.

        memory: (4, 21), bytes kept after l tokens, 4 (state + cache l). token: (4, 21), operations for token l, which
        sees itself and l - 1 others, 2 weights + 7 turned + 2 cache l. Mamba's 7: delta A, its exponential, times h;
        delta u times B; the sum of both; times C; the sum over n. S4's bars are made once, but its numbers are complex:
        A_bar h 6, B_bar u 2, their sum 2, the real part of C h 3, the sum over n 1 are 14 for a pair. prompt: (4, 21),
        the sum of token over 1 to l; for S4, which is one convolution, by FFT, 15 d_model l log2(2 l).
        now: (3, 4), memory, token and prompt at `length`.
        crossing: (3), the length at which the cache is as large as Mamba's state; at which a token costs attention as
        much for the past as for its projections; at which all tokens together do.
        """
        weights, turned, state, cache = self.n_layer * counts(self.d_model, self.d_state)  # (4) each
        l = torch.tensor([*LENGTHS, self.length], dtype=torch.float64)
        fixed = (WEIGHT * weights + TURN * turned)[:, None]  # (4, 1)
        past = PAST * cache[:, None]
        memory = BYTES * (state[:, None] + cache[:, None] * l)  # (4, 22)
        token = fixed + past * l
        prompt = fixed * l + past * l * (l + 1) / 2
        prompt[2] = self.n_layer * FFT * self.d_model * l * torch.log2(2 * l)
        share = WEIGHT * weights[0] / past[0, 0]
        crossing = torch.stack([state[3] / cache[0], share, 2 * share - 1])
        every = {"memory": memory, "token": token, "prompt": prompt}
        now = torch.stack([values[:, -1] for values in every.values()])
        return {**{name: values[:, :-1] for name, values in every.items()}, "now": now, "crossing": crossing}

    def still(self):
        from ..plots.still_cost_of_context import cost_of_context_still

        sizes = {name: getattr(self, name) for name in ("length", "n_layer", "d_model", "d_state")}
        return cost_of_context_still(self.data(), self.view, guess=self.guess, **sizes)


def counts(d_model, d_state):
    """What one layer of each of `MODELS` has, counted in the package's own layers: (4, 4) float64.

    Rows: weights, of its matrices and convolution; turned, numbers that a scan turns at each token; state, numbers that
    it keeps whatever the length; cache, numbers that it keeps of each token.
    """
    from ..attention import CausalSelfAttention
    from ..rnn import RNN

    with torch.device("meta"):  # shapes alone: no memory, no random numbers
        attention = CausalSelfAttention(2 * d_model, 1)  # rotary positions want an even width
        one, two = (attention(torch.empty(1, l, 2 * d_model), return_state=True)[1] for l in (1, 2))
        rnn, s4 = RNN(d_model, d_model), S4D(d_model, S4_STATE)
        mamba = MambaBlock(d_model, d_state)
        kept = [layer.init_state(1) for layer in (rnn, s4, mamba)]
    rows = [
        [_weights(attention) / 4, _weights(rnn), 0, _weights(mamba)],  # at twice the width four times the weights
        [0, 0, _numbers(kept[1]), _numbers(kept[2].ssm)],
        [0, *map(_numbers, kept)],
        [(_numbers(two) - _numbers(one)) / 2, 0, 0, 0],
    ]
    return torch.tensor(rows, dtype=torch.float64)


def _weights(layer):
    """How many weights a token is multiplied with: those of matrices and of a convolution."""
    return sum(p.numel() for name, p in layer.named_parameters() if p.dim() > 1 and not name.endswith("A_log"))


def _numbers(state):
    """Real numbers in a state, a tensor or a tuple of such; a complex number is two."""
    if isinstance(state, torch.Tensor):
        return state.numel() * (1 + state.is_complex()) * (state.is_complex() or state.is_floating_point())
    return sum(map(_numbers, state)) if isinstance(state, (tuple, list)) else 0
