"""`cost-of-context` in Python: what it counts is what the package's layers keep and do."""

import math
import re

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode
from traitlets import TraitError

from mamba_edu.attention import CausalSelfAttention, Transformer, TransformerConfig, causal_attention
from mamba_edu.block import MambaBlock
from mamba_edu.model import Mamba, MambaConfig
from mamba_edu.plots.style import LIGHT
from mamba_edu.rnn import RNN
from mamba_edu.s4 import S4D
from mamba_edu.widgets import CostOfContext
from mamba_edu.widgets.cost_of_context import LENGTHS, MODELS, TURN, VIEWS, counts

sizes = pytest.mark.parametrize("d, n", [(64, 1), (64, 16), (96, 7), (200, 24)])
GPT, RECURRENT, LTI, SELECTIVE = range(4)


def held(state):
    """The bytes of every tensor in a state."""
    return state.nbytes if isinstance(state, torch.Tensor) else sum(map(held, state))


def cost(view, length, model, **sizes):
    """What the figure says of one model at one length."""
    return CostOfContext(length=length, **sizes).data()["now"][VIEWS.index(view), model].item()


def multiplied(run):
    """The operations of the matrix products in `run`, by PyTorch's own counter."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        run()
    return counter.get_total_flops()


class Turns(TorchDispatchMode):
    """Counts, by kind, the operations whose result or operand has the shape of a state."""

    def __init__(self, shape):
        super().__init__()
        self.shape, self.found = shape, {}

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        out = function(*args, **(kwargs or {}))
        name = function.__name__.split(".")[0]
        source = args[0] if name == "sum" else out
        if name in ("mul", "add", "exp", "sum") and source.shape == self.shape:
            self.found[name] = self.found.get(name, 0) + 1
        return out


# ---- memory ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d, layers", [(64, 1), (96, 3)])
@pytest.mark.parametrize("length", [1, 2, 13, 40])
def test_a_transformer_keeps_so_many_bytes(d, layers, length):
    model = Transformer(TransformerConfig(d_model=d, n_layer=layers, n_head=2))
    tokens = torch.arange(length)[None]
    with torch.no_grad():
        _, state = model(tokens, return_state=True)
    assert held(state) == cost("memory", length, GPT, d_model=d, n_layer=layers)
    assert held(model.init_state(1)) == 0


@pytest.mark.parametrize("layers", [1, 3])
@sizes
def test_a_mamba_keeps_so_many_bytes_whatever_it_has_read(d, n, layers):
    model = Mamba(MambaConfig(d_model=d, n_layer=layers, d_state=n))
    with torch.no_grad():
        states = [model(torch.arange(length)[None], return_state=True)[1] for length in (1, 17)]
    for length, state in zip((1, 17), states):
        assert held(state) == cost("memory", length, SELECTIVE, d_model=d, n_layer=layers, d_state=n)
    assert held(model.init_state(1)) == held(states[0])


@pytest.mark.parametrize("d", [64, 96])
def test_an_rnn_and_s4_keep_so_many_bytes(d):
    for model, layer in ((RECURRENT, RNN(d, d)), (LTI, S4D(d, 64))):
        for length in (1, 9):
            with torch.no_grad():
                _, state = layer(torch.ones(1, length, d), return_state=True)
            assert held(state) == cost("memory", length, model, d_model=d, n_layer=1)


@sizes
def test_the_cache_passes_the_state_where_the_marker_is(d, n):
    width = {"d_model": d, "n_layer": 2}
    crossing = CostOfContext(**width, d_state=n).data()["crossing"][0].item()
    assert crossing == n + 3
    transformer, mamba = Transformer(TransformerConfig(**width, n_head=2)), Mamba(MambaConfig(**width, d_state=n))
    state = held(mamba.init_state(1))
    with torch.no_grad():
        caches = [
            held(transformer(torch.zeros(1, n + 3 + more, dtype=int), return_state=True)[1]) for more in range(-1, 2)
        ]
    assert caches[0] < state == caches[1] < caches[2]


# ---- operations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d, length", [(64, 1), (64, 10), (96, 77)])
def test_attention_does_so_many_operations_for_a_token(d, length):
    layer = CausalSelfAttention(d, 2)
    q, k, v = torch.randn(1, 2, 1, d // 2), *torch.randn(2, 1, 2, length, d // 2)
    past = multiplied(lambda: causal_attention(q, k, v))
    weights = sum(p.numel() for p in layer.parameters())
    assert past == 4 * length * d
    assert cost("token", length, GPT, d_model=d, n_layer=1) == past + 2 * weights
    assert cost("token", length, GPT, d_model=d, n_layer=5) == 5 * (past + 2 * weights)
    projections = multiplied(lambda: layer.out_proj(layer.qkv(torch.randn(1, d))[:, :d]))
    assert projections == 2 * weights


@sizes
def test_mamba_does_so_many_operations_for_a_token(d, n):
    layer = MambaBlock(d, n)
    matrices = multiplied(lambda: layer.step(torch.randn(1, d), layer.init_state(1)))
    convolution = 2 * layer.conv1d.weight.numel()
    said = cost("token", 5, SELECTIVE, d_model=d, n_layer=1, d_state=n)
    assert said == matrices + convolution + 7 * layer.init_state(1).ssm.numel()


def test_a_scan_turns_each_number_by_seven_operations():
    """`S6.step` multiplies delta B by u, eight operations; delta u, once a channel, saves one and is the same."""
    layer = MambaBlock(64, 16).s6.double()
    x, state = torch.randn(1, 128, dtype=torch.float64), torch.randn(1, 128, 16, dtype=torch.float64)
    with torch.no_grad(), Turns((1, 128, 16)) as turns:
        y, true = layer.step(x, state)
    assert turns.found == {"mul": 5, "exp": 1, "add": 1, "sum": 1}
    with torch.no_grad():
        delta, B, C = layer.select(x)
        delta, A = torch.nn.functional.softplus(delta + layer.delta_bias), layer.A
        with Turns((1, 128, 16)) as turns:
            h = torch.exp(delta[..., None] * A) * state + (delta * x)[..., None] * B[:, None]
            out = (h * C[:, None]).sum(-1) + layer.D * x
    assert sum(turns.found.values()) == TURN == 7
    torch.testing.assert_close(h, true, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(out, y, rtol=1e-12, atol=1e-12)


def test_s4_turns_a_pair_of_numbers_by_fourteen_operations():
    layer = S4D(64, 64)
    with torch.no_grad(), Turns((1, 64, 32)) as turns:
        layer.step(torch.randn(1, 64), layer.init_state(1))
    assert turns.found == {"mul": 3, "add": 1, "sum": 1}
    keep, write, read = 6, 2, 3  # complex times complex, complex times real, the real part of complex times complex
    assert 2 * TURN == keep + write + 2 + read + 1
    assert cost("token", 5, LTI, d_model=64, n_layer=1) == 14 * 64 * 32


def test_an_rnn_does_so_many_operations_for_a_token():
    layer = RNN(64, 64)
    assert multiplied(lambda: layer.step(torch.randn(1, 64), layer.init_state(1))) == 4 * 64 * 64
    assert cost("token", 9, RECURRENT, d_model=64, n_layer=3) == 3 * 4 * 64 * 64


@pytest.mark.parametrize("model", [GPT, RECURRENT, SELECTIVE], ids=lambda model: MODELS[model])
def test_a_prompt_costs_what_its_tokens_cost(model):
    width = {"d_model": 96, "n_layer": 2}
    total = sum(cost("token", length, model, **width) for length in range(1, 13))
    assert cost("prompt", 12, model, **width) == pytest.approx(total, rel=1e-14)
    assert cost("prompt", 1, model, **width) == cost("token", 1, model, **width)


@pytest.mark.parametrize("length", [1, 12, 1024, 1048576])
def test_s4_reads_a_prompt_by_three_ffts(length):
    fft = 2.5 * 2 * length * math.log2(2 * length)
    said = cost("prompt", length, LTI, d_model=96, n_layer=2)
    assert said == pytest.approx(2 * 96 * 3 * fft, rel=1e-14)
    assert said < length * cost("token", length, LTI, d_model=96, n_layer=2), "the recurrence would be cheaper"


@pytest.mark.parametrize("d", [64, 320])
def test_the_past_costs_what_the_projections_cost(d):
    width = {"d_model": d, "n_layer": 3}
    _, token, prompt = CostOfContext(**width).data()["crossing"].tolist()
    assert (token, prompt) == (2 * d, 4 * d - 1)
    projections = 3 * 8 * d * d
    assert cost("token", int(token), GPT, **width) == 2 * projections
    assert cost("prompt", int(prompt), GPT, **width) == 2 * projections * prompt


def test_chapter_one_counts_the_same():
    """Thousands of operations that one layer of width 128 spends on token 1, 256 and 16,384, as the chapter prints."""
    table = [(131.6, 262.1, 8519.7), (65.5,) * 3, (57.3,) * 3, (251.9,) * 3]
    for model, wanted in enumerate(table):
        said = [cost("token", length, model, d_model=128, n_layer=1) / 1e3 for length in (1, 256, 16384)]
        assert said == pytest.approx(wanted, abs=0.1)


# ---- counts ---------------------------------------------------------------------------------------------------------


@sizes
def test_the_weights_are_the_models_own(d, n):
    weights = dict(zip(MODELS, counts(d, n)[0].tolist()))
    mamba = Mamba(MambaConfig(d_model=d, n_layer=3, d_state=n))
    beside = d + 2 * d * (n + 3)  # the norm; A_log, D and the biases of the convolution and of delta
    assert mamba.num_parameters() == 3 * (weights["Mamba"] + beside) + 256 * d + d
    config = TransformerConfig(d_model=d, n_layer=3, n_head=2)
    beside = 3 * d * config.resolved_d_mlp + 2 * d  # the MLP, two norms
    assert Transformer(config).num_parameters() == 3 * (weights["attention"] + beside) + 256 * d + d
    assert sum(p.numel() for p in RNN(d, d).parameters()) == weights["RNN"] + 2 * d
    assert weights["S4"] == 0 and {p.dim() for p in S4D(d, 64).parameters()} == {1, 2, 3}, "systems alone"


@pytest.mark.parametrize("d, n", [(65, 1), (64, 256), (8192, 3), (8191, 17)])
def test_every_width_can_be_counted(d, n):
    rank = -(-d // 16)
    inner = 2 * d
    mamba = 2 * d * inner + 4 * inner + inner * (rank + 2 * n) + rank * inner + inner * d
    true = [[4 * d * d, 2 * d * d, 0, mamba], [0, 0, 64 * d, n * inner],
            [0, d, 64 * d, (n + 3) * inner], [2 * d, 0, 0, 0]]  # fmt: skip
    assert counts(d, n).tolist() == true


def test_counting_draws_no_random_numbers():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    CostOfContext().data()
    assert (torch.get_rng_state() == before).all()


def test_the_curves_pass_through_now():
    assert (LENGTHS[0], LENGTHS[-1], len(LENGTHS)) == (1, 1048576, 21)
    for k in (0, 1, 10, 20):
        data = CostOfContext(length=2**k).data()
        for row, view in enumerate(VIEWS):
            assert data[view].shape == (4, 21) and torch.isfinite(data[view]).all()
            assert (data[view][:, k] == data["now"][row]).all()
    memory, token = data["memory"], data["token"]
    assert (memory[1:, 0] == memory[1:, -1]).all() and (token[1:, 0] == token[1:, -1]).all(), "a state does not grow"
    assert (memory[0].diff() > 0).all() and (token[0].diff() > 0).all()


def test_a_million_tokens_of_the_largest_mamba():
    """By hand: 2 numbers of 2560 x 64 x 4 bytes a token; 19 numbers for each of 2 x 2560 channels in 64 layers."""
    now = CostOfContext(length=1048576, d_model=2560, n_layer=64).data()["now"][0]
    assert now[GPT].item() == 1048576 * 2 * 2560 * 64 * 4 == 1374389534720
    assert now[SELECTIVE].item() == 19 * 5120 * 64 * 4 == 24903680


WRONG = {
    "view": ["memories", "", 1, None],
    "length": [0, 1048577, 1.5, "1", True],
    "d_model": [63, 8193, 64.5],
    "n_layer": [0, 97],
    "d_state": [0, 257],
    "guess": [-2, 21],
}


@pytest.mark.parametrize("name, value", [(name, value) for name, values in WRONG.items() for value in values])
def test_a_wrong_value_is_refused_by_name(name, value):
    with pytest.raises(TraitError, match=rf"'{name}'.*expected"):
        CostOfContext(**{name: value})


# ---- the still ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("view, row, meets", [("memory", 0, "12"), ("token", 1, "1,536"), ("prompt", 2, "3,071")])
@pytest.mark.parametrize("length", [1, 300, 1048576])
def test_the_still_tells_the_same(view, row, meets, length):
    figure = CostOfContext(view=view, length=length, d_model=768, n_layer=12, d_state=9, guess=4)
    still, data = figure.still(), figure.data()
    words = re.findall(r">([^<>\n]+)</text>", still.svg())
    assert {*MODELS, f"{meets} tokens", "tokens read"} <= set(words)
    assert (
        f"12 layers of width 768, d_state 9, after {length:,} token" in still.alt and f"At {meets} tokens" in still.alt
    )
    for name, true in zip(MODELS, data["now"][row].tolist()):
        digits, unit = re.search(rf"{name} ([\d.]+) ([kMGT]?B|· 10[⁰¹²³⁴⁵⁶⁷⁸⁹]+)", still.alt).groups()
        power = {"B": 0, "kB": 3, "MB": 6, "GB": 9, "TB": 12}.get(unit)
        if power is None:
            power = int("".join(str("⁰¹²³⁴⁵⁶⁷⁸⁹".index(digit)) for digit in unit[4:]))
        assert float(digits) * 10.0**power == pytest.approx(true, rel=6e-3)
    curves = [line.get_ydata() for line in still.axes[0].lines[:4]]
    assert all((curve == true.numpy()).all() for curve, true in zip(curves, data[view], strict=True))


@pytest.mark.parametrize("length", [1, 1024])
def test_the_still_leaves_the_guess_to_the_reader(length):
    """As the live figure opens: of the cache nothing but its first token."""
    still = CostOfContext(length=length).still()
    words = " ".join(re.findall(r">([^<>\n]+)</text>", still.svg()))
    for told in (words, still.alt):
        assert not re.search(r"\b19 tokens|201\.33 MB", told) and "token" in told
    assert "a token in the cache" in words and "Attention keeps 196.61 kB more" in still.alt
    axes = still.axes[0]
    (first,) = (line for line in axes.lines if line.get_color() == LIGHT["u"])
    assert first.get_xydata().tolist() == [[1, 196608]]
    low, high = axes.get_ylim()
    assert low < 98304 and high > 196608 * 2**20, "the axis gives the answer away"
