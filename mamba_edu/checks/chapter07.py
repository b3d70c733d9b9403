"""Graders of chapter 7: the convolution, its step, the norm, a leak to find, parameters and memory to count."""

import torch
from torch import nn

from ._result import expect, grader


def _drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def _expected_conv(x, weight, bias):
    k = weight.shape[-1]
    padded = torch.cat([x.new_zeros(x.shape[0], k - 1, x.shape[2]), x], dim=1)
    return sum(weight[:, 0, i] * padded[:, i : i + x.shape[1]] for i in range(k)) + bias


def _close(got, wanted):
    """Equal but for float32's rounding: an answer may compute in float32."""
    return bool(torch.isfinite(got).all()) and (got - wanted).abs().max() <= 1e-5 * wanted.abs().max().clamp(min=1e-3)


def _expect_tensor(got, shape, what):
    expect(isinstance(got, torch.Tensor), f"{what} should be a tensor, yours is {type(got).__name__}")
    expect(tuple(got.shape) == tuple(shape), f"{what} should have shape {tuple(shape)}, yours has {tuple(got.shape)}")


@grader
def check_conv_continued(conv_continued):
    """`conv_continued(x (b, l, d), before (b, k - 1, d), weight (d, 1, k), bias (d)) -> (b, l, d)`, causal."""
    for k in (4, 3, 1):
        whole, weight, bias = _drawn(2, 12, 5, seed=k), _drawn(5, 1, k, seed=10 + k), _drawn(5, seed=20 + k)
        x, before = whole[:, 7:], whole[:, 7 - (k - 1) : 7]
        y, wanted = conv_continued(x.clone(), before.clone(), weight, bias), _expected_conv(whole, weight, bias)[:, 7:]
        _expect_tensor(y, x.shape, f"the output for k = {k}")
        later = x.clone()
        later[:, 3:] += 1
        moved = (conv_continued(later, before, weight, bias) - y)[:, :3].abs().max() > 1e-12
        expect(not moved, f"with k = {k}, outputs before step 3 moved when only steps 3 and later changed: a leak")
        if _close(y, wanted):
            continue
        expect(not _close(y, _expected_conv(x, weight, bias)), "zeros stand before the first step: put `before` there")
        reversed_taps = _expected_conv(whole, weight.flip(-1), bias)[:, 7:]
        expect(not _close(y, reversed_taps), "the taps are in the wrong order: weight[:, 0, -1] is now")
        expect(not _close(y, wanted - bias), "the bias is missing")
        expect(False, f"with k = {k} some values are off: `before` comes oldest first, right before x")
    return "two halves give what the whole gives, for kernels of 4, 3 and 1"


@grader
def check_conv_step(conv_step):
    """`conv_step(x_t (b, d), window (b, k - 1, d), weight, bias) -> (y_t, new window)`, as the whole convolution."""
    x, weight, bias = _drawn(3, 8, 6), _drawn(6, 1, 4, seed=1), _drawn(6, seed=2)
    wanted, window = _expected_conv(x, weight, bias), x.new_zeros(3, 3, 6)
    for t in range(8):
        before = window.clone()
        answer = conv_step(x[:, t].clone(), window, weight, bias)
        expect(isinstance(answer, (tuple, list)) and len(answer) == 2, "return two things: y_t and the new window")
        y_t, new = answer
        _expect_tensor(y_t, (3, 6), "y_t")
        _expect_tensor(new, (3, 3, 6), "the new window")
        expect(torch.equal(window, before), "the old window was changed in place: build a new one, e.g. by torch.cat")
        expect(_close(y_t, wanted[:, t]), f"y_t differs from the convolution over the whole sequence at step {t}")
        expect(
            torch.equal(new, torch.cat([before, x[:, t : t + 1]], 1)[:, 1:]), "the window should drop its oldest step"
        )
        window = new
    return "the same outputs, one step at a time"


@grader
def check_rms_norm(rms_norm):
    """`rms_norm(x (..., d), weight (d), eps) -> (..., d)`: scaled to a root mean square of 1, then by weight."""
    weight = _drawn(7, seed=3)
    for scale, eps in ((1.0, 1e-5), (1e-3, 1e-5), (1e4, 0.5)):
        x = scale * _drawn(2, 4, 7)
        y = rms_norm(x.clone(), weight, eps)
        wanted = x / (x.pow(2).mean(-1, keepdim=True) + eps).sqrt() * weight
        _expect_tensor(y, x.shape, "the output")
        centred = nn.functional.layer_norm(x, (7,), weight, None, eps)
        expect(not _close(y, centred), "this subtracts the mean: that is LayerNorm; RMSNorm only scales")
        summed = x / (x.pow(2).sum(-1, keepdim=True) + eps).sqrt() * weight
        expect(not _close(y, summed), "divide by the root of the mean of the squares, not of their sum")
        outside = x / (x.pow(2).mean(-1, keepdim=True).sqrt() + eps) * weight
        expect(not _close(y, outside) or _close(y, wanted), "eps belongs under the root")
        expect(_close(y, wanted), f"values are off for inputs of size {scale:g} and eps {eps:g}")
    return "root mean square 1, at every size of input"


class _Suspect(nn.Module):
    """A layer over (b, l, d) that mixes steps t - back .. t + ahead."""

    def __init__(self, back, ahead, seed):
        super().__init__()
        self._back, self._ahead = back, ahead
        self._taps = 0.5 + _drawn(back + ahead + 1, seed=seed).abs().float()

    def forward(self, x):
        l = x.shape[1]
        padded = nn.functional.pad(x, (0, 0, self._back, self._ahead))
        return torch.tanh(sum(tap * padded[:, i : i + l] for i, tap in enumerate(self._taps)))


def suspects():
    """Three layers over (b, l, d), named "a", "b" and "c". One of them looks ahead."""
    return {"a": _Suspect(6, 0, 1), "b": _Suspect(3, 2, 2), "c": _Suspect(0, 0, 3)}


@grader
def check_leak(answer):
    """`(name, steps)`: the suspect that looks ahead, and how many steps."""
    expect(isinstance(answer, (tuple, list)) and len(answer) == 2, "answer with a pair: (name, how many steps ahead)")
    name, steps = answer
    expect(name in ("a", "b", "c"), f'the name is "a", "b" or "c", yours is {name!r}')
    expect(name == "b", f'"{name}" moves no output before the step that you change: look to the right of the diagonal')
    expect(
        steps == 2,
        f"it does look ahead, but not {steps!r} steps: count the squares to the right of the diagonal in one row",
    )
    return '"b" looks two steps ahead'


def _true_count(d_model, n_layer, vocab_size, d_state, d_conv, expand):
    d_inner, dt_rank = expand * d_model, -(-d_model // 16)
    scan = d_inner * (dt_rank + 2 * d_state) + (dt_rank + 1) * d_inner + d_inner * d_state + d_inner
    mixer = d_model * 2 * d_inner + d_inner * (d_conv + 1) + scan + d_inner * d_model
    return vocab_size * d_model + n_layer * (mixer + d_model) + d_model


@grader
def check_parameter_count(count):
    """`count(d_model, n_layer) -> int` for a byte model with d_state 16, d_conv 4, expand 2, a tied head."""
    for d_model, n_layer in ((40, 3), (64, 1), (256, 4)):  # in the first no two parts have one size
        got, wanted = count(d_model, n_layer), _true_count(d_model, n_layer, 256, 16, 4, 2)
        expect(isinstance(got, int), f"the count should be an int, yours is {type(got).__name__}")
        off = got - wanted
        expect(off != 256 * d_model, "the head is tied to the embedding: its weights count once")
        expect(off != -d_model, "one vector of d_model is missing: the last norm, before the head")
        expect(off != -n_layer * d_model, "each layer has a norm of its own, before the mixer")
        expect(off != -n_layer * 2 * d_model, "a vector of d_inner is missing in each layer: a bias, or D")
        expect(off == 0, f"for d_model {d_model} and {n_layer} layers you are off by {off:+,}")
    return "every parameter is counted, once"


@grader
def check_break_even(tokens):
    """`tokens(d_model, n_layer) -> int`: the first length at which a Transformer's KV cache outgrows a whole Mamba.

    Both have n_layer layers and the same float type. The cache keeps d_model keys and d_model values a token and layer.
    Mamba: the byte model of `check_parameter_count`, and the state of one sequence, in each layer 2 d_model channels of
    16 numbers and a window of 3 steps.
    """
    for d_model, n_layer in ((40, 3), (64, 2), (256, 4)):
        got, token = tokens(d_model, n_layer), 2 * d_model * n_layer
        weights, state = _true_count(d_model, n_layer, 256, 16, 4, 2), n_layer * 2 * d_model * (16 + 3)
        wanted = (weights + state) // token + 1
        expect(isinstance(got, int), f"a number of tokens is an int, yours is {type(got).__name__}")
        expect(got != state // token + 1, "that is where the cache outgrows the state: the weights are wanted, too")
        expect(got != weights // token + 1, "the state counts, too: numbers of state and the convolution's window")
        expect(got != (weights + state) // (token // n_layer) + 1, "every layer has a cache of its own")
        expect(got != wanted - 1, "there Mamba still holds more: the first length at which the cache is larger")
        expect(
            got == wanted,
            f"for d_model {d_model} and {n_layer} layers not {got:,}: the model has {weights:,} weights, "
            f"a token takes {token:,} numbers",
        )
    return "a cache outgrows the whole model soon, and then goes on growing"
