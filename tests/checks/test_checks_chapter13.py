"""The graders of chapter 13: right answers pass, and each likely mistake gets its own hint."""

import copy

import pytest
import torch
from torch import nn

from mamba_edu import checks


def mean(model, x, y):
    return nn.functional.cross_entropy(model(x).flatten(0, 1), y.flatten())


def in_parts(loss_of, zero=False):
    """An answer that adds up `loss_of(model, x, y, targets, parts)` over the parts."""

    def answer(model, inputs, targets, parts):
        for x, y in zip(inputs.chunk(parts), targets.chunk(parts)):
            if zero:
                model.zero_grad(set_to_none=True)
            loss_of(model, x, y, targets, parts).backward()

    return answer


def weighed(model, x, y, targets, parts):
    return mean(model, x, y) * len(x) / len(targets)


def test_parts_that_are_weighed_pass():
    assert checks.check_parts(in_parts(weighed))


@pytest.mark.parametrize(
    ("answer", "hint"),
    [
        (in_parts(lambda m, x, y, targets, parts: mean(m, x, y) / parts), "weigh a part by its share"),
        (in_parts(lambda m, x, y, targets, parts: mean(m, x, y)), "three times too long"),
        (in_parts(lambda m, x, y, targets, parts: mean(m, x, y), zero=True), "only the last part is left"),
        (in_parts(lambda m, x, y, targets, parts: 2 * weighed(m, x, y, targets, parts)), "in one part, too"),
        (lambda *a: None, "call backward"),
    ],
)
def test_each_mistake_with_parts_has_its_hint(answer, hint):
    result = checks.check_parts(answer)
    assert not result and hint in result.hint


def saved_all(model, optimizer, generator, step):
    state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "step": step}
    return copy.deepcopy({**state, "batches": generator.get_state(), "dropout": torch.get_rng_state()})


def loaded_all(saved, model, optimizer, generator):
    saved = copy.deepcopy(saved)
    model.load_state_dict(saved["model"])
    optimizer.load_state_dict(saved["optimizer"])
    generator.set_state(saved["batches"])
    torch.set_rng_state(saved["dropout"])
    return saved["step"]


def without(part):
    """A pair of answers that forgets one part."""

    def load(saved, model, optimizer, generator):
        now = saved_all(model, optimizer, generator, 0)
        return loaded_all({**saved, part: now[part]}, model, optimizer, generator)

    return saved_all, load


def references(model, optimizer, generator, step):
    return {**saved_all(model, optimizer, generator, step), "model": model.state_dict()}


def test_a_whole_run_passes_and_leaves_the_readers_generator_alone():
    before = torch.get_rng_state()
    assert checks.check_resume((saved_all, loaded_all))
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(
    ("pair", "hint"),
    [
        (without("model"), "the weights are not those"),
        ((references, loaded_all), "does state_dict"),
        (without("optimizer"), "running means"),
        (without("batches"), "the batches that come next"),
        (without("dropout"), "torch.get_rng_state"),
        (without("step"), "my_load should return the step, 5"),
        ((lambda *a: None, loaded_all), "should return what it saved"),
        (saved_all, "hand over both functions"),
    ],
)
def test_each_thing_forgotten_has_its_hint(pair, hint):
    result = checks.check_resume(pair)
    assert not result and hint in result.hint


def test_stubs_are_not_answered_yet():
    def stub(*arguments):
        raise NotImplementedError

    for result in (checks.check_parts(stub), checks.check_resume((stub, stub))):
        assert result.hint == "not answered yet"
