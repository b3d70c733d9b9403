"""`BlockDataflow`, the figure of chapter 7: what each box of the Mamba block costs, and how far back it sees."""

import torch
from torch.nn import functional as F
from traitlets import default

from ..model import MambaConfig, ResidualLayer
from ._figure import LiveFigure
from ._traits import Whole

STAGES = ("RMSNorm", "in_proj", "conv", "SiLU", "δ, B, C", "scan", "× SiLU(z)", "out_proj", "+")
TOKENS = 8  # how many of the last inputs are shown
# where a parameter belongs, by a part of its name
_PARTS = {"norm.": 0, "in_proj.": 1, "conv1d.": 2, "x_proj.": 4, "dt_proj.": 4, "A_log": 5, "s6.D": 5, "out_proj.": 7}


class BlockDataflow(LiveFigure):
    """A Mamba block, its norm and its residual as nine boxes (Mamba section 3.4), in `STAGES`' order.

    `δ, B, C` is x_proj and dt_proj, `scan` the recurrence with A and D; together they are S6. MambaBlock is in_proj to
    out_proj.

    d_model: 8 to 2560. expand: 1 to 4. d_conv: 1 to 8. d_state: 1 to 64. dt_rank is d_model / 16, rounded up. stage:
    the chosen box, 0 to 8. guess: the reader's, which box has the most weights; -1 is none yet.
    """

    name = "block-dataflow"
    d_model = Whole(256, 8, 2560)
    expand = Whole(2, 1, 4)
    d_conv = Whole(4, 1, 8)
    d_state = Whole(16, 1, 64)
    stage = Whole(2, 0, len(STAGES) - 1)
    guess = Whole(-1, -1, len(STAGES) - 1)

    @default("question")
    def _default_question(self):
        return "Where in the block are the weights, and where is the memory?"

    def data(self):
        """What is drawn, float64, a number or a row for each of `STAGES`:

        weights: (9), parameters, of the package's own layers at these sizes. out: (9), numbers that leave the stage for
        each token. state: (9), numbers kept for each sequence between two tokens. own: (9, 8), 1 where the stage's
        output at the last token moves with its own input 7, 6 ... 0 tokens earlier; reach: (9, 8), the same for the
        input of the whole block. own and reach are gradients of a small layer with this d_conv, nonzero or not.
        """
        sizes = {"d_state": self.d_state, "d_conv": self.d_conv, "expand": self.expand}
        with torch.device("meta"):  # shapes alone: no memory, no random numbers
            layer = ResidualLayer(MambaConfig(self.d_model, n_layer=1, **sizes), backend="reference")
            out = [y.shape[-1] for _, y in stages_of(layer, torch.empty(1, 1, self.d_model))]
        weights, state = torch.zeros(2, len(STAGES), dtype=torch.float64)
        for name, parameter in layer.named_parameters():
            weights[next(stage for part, stage in _PARTS.items() if part in name)] += parameter.numel()
        kept = layer.init_state(batch=1)
        state[2], state[5] = kept.conv.numel(), kept.ssm.numel()
        own, reach = visible(self.d_conv)
        return {"weights": weights, "out": weights.new_tensor(out), "state": state, "own": own, "reach": reach}

    def still(self):
        from ..plots.still_block import block_still

        return block_still(self.data(), STAGES, self.d_model, self.expand, self.d_conv, self.d_state, self.stage)


def stages_of(layer, x):
    """Run a `ResidualLayer` box by box, x: (b, l, d_model) -> [(input, output)] of `STAGES`; the last is layer(x).

    Two inputs of a stage are side by side on the last axis.
    """
    block, done = layer.mixer, []

    def run(stage, given):
        done.append((given, stage(given)))
        return done[-1][1]

    u, z = run(block.in_proj, run(layer.norm, x)).chunk(2, dim=-1)  # (b, l, d) each
    u = run(F.silu, run(block.conv1d, u))
    run(lambda u: torch.cat(block.s6.select(u), dim=-1), u)  # (b, l, d + 2 n)
    y = run(block.s6, u)
    y = run(lambda pair: _gated(*pair.chunk(2, dim=-1)), torch.cat([y, z], dim=-1))
    y = run(block.out_proj, y)  # (b, l, d_model)
    run(lambda pair: sum(pair.chunk(2, dim=-1)), torch.cat([x, y], dim=-1))
    return done


def _gated(y, z):
    return y * F.silu(z)


def visible(d_conv):
    """Which of the last 8 inputs move a stage's output at the last: (own (9, 8), reach (9, 8)), float64, 1 or 0."""
    with torch.random.fork_rng(devices=[]):  # a reader's random numbers stay theirs
        torch.manual_seed(0)
        config = MambaConfig(d_model=4, n_layer=1, d_state=2, d_conv=d_conv)
        layer = ResidualLayer(config, backend="reference").double()
        x = torch.randn(1, TOKENS, 4, dtype=torch.float64, requires_grad=True)
    done = stages_of(layer, x)
    own, reach = ([_moved(start, out) for start, out in pairs] for pairs in (done, [(x, out) for _, out in done]))
    return torch.stack(own), torch.stack(reach)


def _moved(given, out):
    """given: (1, l, d) -> (l), 1 where the last step of `out` has a gradient."""
    mix = torch.linspace(1, 2, out.shape[-1], dtype=out.dtype)  # one number from many
    (gradient,) = torch.autograd.grad(out[0, -1] @ mix, given, retain_graph=True)
    return (gradient[0].norm(dim=-1) > 0).double()
