"""Graders of chapter 13: the schedule, what decays, one norm for the gradient, a batch in parts, a run resumed."""

import math

import torch
from torch import nn

from ._answers import expect_number
from ._result import expect, grader


def _near(got, wanted):
    return abs(got - wanted) <= 1e-6 * max(1.0, abs(wanted))


@grader
def check_schedule(rate):
    """`rate(step, steps, peak, floor, warmup)`: a line to the peak, half a cosine to the floor at the last step."""
    steps, peak, floor, warmup = 101, 2e-3, 1e-4, 20
    got = [expect_number(rate(step, steps, peak, floor, warmup), "the rate") for step in range(steps)]
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


@grader
def check_parts(gradient_in_parts):
    """`gradient_in_parts(model, inputs, targets, parts)` leaves in .grad the gradient of the mean over all targets."""
    inputs, targets = torch.arange(21).view(7, 3) % 5, (torch.arange(21).view(7, 3) * 3 + 1) % 5
    model, wanted = _tiny(), _tiny()
    _loss(wanted, inputs, targets).backward()
    for parts in (1, 3):
        model.zero_grad(set_to_none=True)
        gradient_in_parts(model, inputs, targets, parts)
        expect(all(p.grad is not None for p in model.parameters()), "some parameter has no gradient: call backward()")
        if not _same_gradient(model, wanted):
            expect(parts > 1, "in one part, too, it should be the gradient of the mean loss over all targets")
            expect(
                not _is(model, wanted, _mean_of_means, inputs, targets),
                "7 rows in 3 parts are 3, 3 and 1: "
                "the last row has three times the say of the others; weigh a part by its share of the batch",
            )
            expect(
                not _is(model, wanted, _sum_of_means, inputs, targets),
                "the means of the parts are added up: that is some three times too long a gradient",
            )
            expect(
                not _is(model, wanted, _last_part, inputs, targets),
                "only the last part is left: zero the gradients before the first part, not before each",
            )
            expect(False, "in three parts it is another gradient than that of the whole batch")
    return "less memory, the same step"


def _tiny():
    """Logits for five tokens, always from the same first weights, in float64."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return nn.Sequential(nn.Embedding(5, 4), nn.Linear(4, 5)).double()


def _loss(model, inputs, targets):
    return nn.functional.cross_entropy(model(inputs).flatten(0, 1), targets.flatten())


def _gradient(model):
    return torch.cat([p.grad.flatten() for p in model.parameters()])


def _same_gradient(model, other):
    return bool(torch.allclose(_gradient(model), _gradient(other), rtol=1e-9, atol=1e-12))


def _is(model, like, mistake, inputs, targets):
    """Whether the model's gradient is the one that `mistake` makes."""
    other = _tiny()
    mistake(other, [(x, y) for x, y in zip(inputs.chunk(3), targets.chunk(3))])
    return _same_gradient(model, other)


def _mean_of_means(model, parts):
    (sum(_loss(model, x, y) for x, y in parts) / len(parts)).backward()


def _sum_of_means(model, parts):
    sum(_loss(model, x, y) for x, y in parts).backward()


def _last_part(model, parts):
    (_loss(model, *parts[-1])).backward()


@grader
def check_resume(pair):
    """(save, load): save(model, optimizer, generator, step) gives x; load(x, model, optimizer, generator) the step."""
    expect(isinstance(pair, (tuple, list)) and len(pair) == 2, "hand over both functions: (my_save, my_load)")
    save, load = pair
    with torch.random.fork_rng(devices=[]):
        run = _Run(seed=0)
        run.steps(5)
        saved = save(run.model, run.optimizer, run.generator, run.step)
        expect(saved is not None, "my_save should return what it saved")
        kept = _Run(seed=0)
        kept.steps(5)
        run.steps(6)  # the run goes on: what was saved must not
        again = _Run(seed=7)
        again.steps(2)
        again.step = load(saved, again.model, again.optimizer, again.generator)
        _compare(again, kept)
        random = torch.get_rng_state()
        kept = _Run(seed=0)
        kept.steps(5)
        expect(
            torch.equal(random, torch.get_rng_state()),
            "dropout draws from PyTorch's global generator: torch.get_rng_state() is a part of the run, too",
        )
        return "the same run, as if it had never stopped"


class _Run:
    """A short training with dropout and random batches, every step of which depends on all that a run remembers."""

    def __init__(self, seed):
        torch.manual_seed(seed)
        self.model = nn.Sequential(nn.Embedding(5, 8), nn.Dropout(0.5), nn.Linear(8, 5))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self.generator = torch.Generator().manual_seed(seed)
        self.step = 0

    def steps(self, n):
        for _ in range(n):
            tokens = torch.randint(0, 5, (6, 4), generator=self.generator)
            self.optimizer.zero_grad()
            _loss(self.model, tokens[:, :-1], tokens[:, 1:]).backward()
            self.optimizer.step()
            self.step += 1


def _compare(again, kept):
    """Whether all that `again` has been given back is what `kept` had; else a hint on the first thing that isn't."""
    state, wanted = again.model.state_dict(), kept.model.state_dict()
    expect(
        all(torch.equal(state[name], wanted[name]) for name in wanted),
        "the weights are not those of the moment of "
        "saving: does state_dict() hand out copies, or the tensors that training goes on to change?",
    )
    moments, right = again.optimizer.state_dict()["state"], kept.optimizer.state_dict()["state"]
    whole = moments.keys() == right.keys() and all(
        torch.equal(moments[i][key], right[i][key]) for i in right for key in right[i]
    )
    expect(whole, "AdamW's running means are not those of the moment of saving: the first steps would be other ones")
    same = torch.equal(again.generator.get_state(), kept.generator.get_state())
    expect(same, "the batches that come next are other ones: the generator's state is missing")
    expect(
        again.step == kept.step,
        f"my_load should return the step, {kept.step}; the schedule needs it; yours returns {again.step!r}",
    )
