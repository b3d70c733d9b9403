"""Graders of chapter 13: bits from nats, a fair mean, the schedule, what decays, one norm for the whole gradient."""

import math

import torch

from ._result import expect, grader


def _expect_number(value, what):
    numeric = isinstance(value, (int, float)) and not isinstance(value, bool)
    scalar = isinstance(value, torch.Tensor) and value.numel() == 1
    expect(numeric or scalar, f"{what} should be a number, yours is {type(value).__name__}")
    return float(value)


def _near(got, wanted):
    return math.isfinite(got) and abs(got - wanted) <= 1e-6 * max(1.0, abs(wanted))


@grader
def check_bits_and_perplexity(scores):
    """`scores(nats, n) -> (bits per byte, perplexity)` for a text of n bytes, the first of which is not predicted."""
    for nats, n in ((1386.3, 1001), (0.0, 2), (693.147, 501)):
        answer = scores(nats, n)
        expect(
            isinstance(answer, (tuple, list)) and len(answer) == 2, "return two numbers: (bits per byte, perplexity)"
        )
        bits = _expect_number(answer[0], "bits per byte")
        perplexity = _expect_number(answer[1], "the perplexity")
        loss = nats / (n - 1)
        expect(_near(bits, loss / math.log(2)) or not _near(bits, nats / n / math.log(2)), "n bytes have n - 1 targets")
        expect(_near(bits, loss / math.log(2)) or not _near(bits, loss), "that is nats: a bit is log 2 = 0.693 of them")
        expect(_near(bits, loss / math.log(2)), f"{nats} nats over {n} bytes are not {bits:.4g} bits per byte")
        wrong_base = not _near(perplexity, math.exp(bits)) or _near(bits, 0)
        expect(wrong_base, "e goes with nats, 2 with bits: you raised e to a number of bits")
        expect(_near(perplexity, math.exp(loss)), f"the perplexity of {loss:.4g} nats a byte is not {perplexity:.4g}")
    return "both are the same loss, in two units"


@grader
def check_mean_loss(mean_loss):
    """`mean_loss(windows) -> float`: windows is a list of 1-d tensors, the losses of each window's bytes."""
    windows = [torch.tensor([1.0, 2.0, 3.0, 4.0]), torch.tensor([1.0, 1.0, 1.0, 1.0]), torch.tensor([9.0])]
    got, wanted = _expect_number(mean_loss(windows), "the mean"), 23 / 9
    unfair = (2.5 + 1 + 9) / 3
    expect(not _near(got, unfair), "a mean of means: the last window's single byte counts as much as four others")
    expect(not _near(got, 14 / 8), "the short window is missing: every byte is scored once")
    expect(_near(got, wanted), f"for losses of [1, 2, 3, 4], [1, 1, 1, 1] and [9] the mean is not {got:.4g}")
    return "every byte has one vote"


@grader
def check_schedule(rate):
    """`rate(step, steps, peak, floor, warmup)`: a line to the peak, half a cosine to the floor at the last step."""
    steps, peak, floor, warmup = 101, 2e-3, 1e-4, 20
    got = [_expect_number(rate(step, steps, peak, floor, warmup), "the rate") for step in range(steps)]
    expect(got[0] > 0, "step 0 has a rate of 0: a step that does nothing; let it have peak / warmup")
    expect(_near(got[0] / peak, 1 / warmup), "the first step should have peak / warmup")
    expect(_near(got[warmup - 1] / peak, 1), f"step {warmup - 1}, the last of the warm-up, should reach the peak")
    expect(_near(got[-1] / peak, floor / peak), f"the last step should have the floor, yours has {got[-1]:.2e}")
    middle = warmup + (steps - 1 - warmup) // 2
    halfway = (peak + floor) / 2
    expect(_near(got[middle] / peak, halfway / peak), "halfway down it should be halfway between peak and floor")
    quarter = floor + (peak - floor) * (1 + math.cos(math.pi / 4)) / 2
    at = warmup + (steps - 1 - warmup) // 4
    expect(_near(got[at] / peak, quarter / peak), "a straight line down? half a cosine starts and ends flat")
    return "up in a line, down in half a cosine"


@grader
def check_decays(decays):
    """`decays(name, parameter) -> bool`: whether weight decay may shrink this parameter of a Mamba."""
    from mamba_edu.model import Mamba, MambaConfig

    for selective in (True, False):
        model = Mamba(MambaConfig(d_model=32, n_layer=1, selective=selective))
        for name, parameter in model.named_parameters():
            marked = getattr(parameter, "_no_weight_decay", False)
            got, wanted = decays(name, parameter), parameter.dim() >= 2 and not marked
            expect(isinstance(got, bool), f"answer True or False, for {name} yours is {got!r}")
            if got and not wanted:
                why = "it carries the mark _no_weight_decay" if parameter.dim() >= 2 else "0 is no neutral value for it"
                expect(False, f"{name} should be left alone: {why}")
            expect(got == wanted, f"{name} is a matrix that mixes features: it may decay")
    return "matrices decay; rates, gains, biases and steps don't"


@grader
def check_clip(clip):
    """`clip(gradients, longest) -> list of tensors`: shortened as one vector over all of them."""
    for scale in (10.0, 0.01, 0.0):
        gradients = [scale * torch.tensor([[3.0, 0.0], [0.0, 4.0]]), scale * torch.tensor([12.0])]
        norm = 13.0 * scale
        got = clip([g.clone() for g in gradients], 1.0)
        expect(isinstance(got, (list, tuple)) and len(got) == 2, "return the list of clipped gradients")
        expect(all(bool(torch.isfinite(g).all()) for g in got), "not finite: what if every gradient is zero?")
        wanted = [g / max(1.0, norm) for g in gradients]
        if all(torch.allclose(a, b, atol=1e-4) for a, b in zip(got, wanted)):
            continue
        if scale < 1:
            expect(False, "a gradient that is short enough stays as it is")
        apart = [g / g.norm() for g in gradients]
        alike = all(torch.allclose(a, b, atol=1e-4) for a, b in zip(got, apart))
        expect(not alike, "clipped one by one: that bends the gradient's direction; take one norm over all")
        clamped = all(torch.allclose(a, g.clamp(-1, 1)) for a, g in zip(got, gradients))
        expect(not clamped, "clamping each entry bends the direction; scale the whole by one factor")
        length = math.sqrt(sum(float(g.square().sum()) for g in got))
        expect(False, f"together your gradients have length {length:.3f}, not 1, or another direction")
    return "shorter, and in the same direction"
