"""Decay groups: nothing in two of them, nothing in none, and nothing decayed that 0 means something to."""

import copy
import math

import pytest
import torch
from models import TinyGRU
from torch import nn

from mamba_edu import Mamba, MambaConfig, parameter_groups
from mamba_edu.training import TrainSettings
from mamba_edu.training.optimizer import make_optimizer

DECAYED = {"in_proj.weight", "conv1d.weight", "x_proj.weight", "dt_proj.weight", "out_proj.weight", "embedding.weight"}


def small(**options):
    torch.manual_seed(0)
    return Mamba(MambaConfig(d_model=16, n_layer=2, d_state=4, bias=True, **options))


MODELS = {
    "selective": small,
    "time-invariant": lambda: small(selective=False),
    "untied": lambda: small(tie_embeddings=False),
    "a copy": lambda: copy.deepcopy(small()),
    "cast": lambda: small().double(),
    "gru": TinyGRU,
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_every_parameter_is_in_exactly_one_group(make):
    model = make()
    grouped = [p for group in parameter_groups(model, 0.1) for p in group["params"]]
    assert len(grouped) == len({id(p) for p in grouped})
    assert {id(p) for p in grouped} == {id(p) for p in model.parameters()}
    assert [group["weight_decay"] for group in parameter_groups(model, 0.1)] == [0.1, 0.0]


@pytest.mark.parametrize("make", [MODELS[k] for k in list(MODELS)[:5]], ids=list(MODELS)[:5])
def test_a_step_without_gradient_shrinks_the_matrices_and_nothing_else(make):
    """With a gradient of zero Adam's own update is zero: what moves, moves by decay."""
    model = make()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.1  # a bias that starts at zero would hide its decay
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    optimizer = make_optimizer(model, TrainSettings(steps=1, lr=0.1, weight_decay=0.5))
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter)
    optimizer.step()
    for name, parameter in model.named_parameters():
        if ".".join(name.split(".")[-2:]) in DECAYED or name == "lm_head.weight":
            torch.testing.assert_close(parameter, before[name] * (1 - 0.1 * 0.5), msg=name)
        else:
            assert torch.equal(parameter, before[name]), f"{name} was decayed"


def test_the_list_of_what_is_spared():
    model = small()
    spared = {id(p) for p in parameter_groups(model, 0.1)[1]["params"]}
    names = {name.split(".")[-2] + "." + name.split(".")[-1] for name, p in model.named_parameters() if id(p) in spared}
    inner = {name.rpartition(".")[2] for name in names}
    assert inner == {"A_log", "D", "bias", "weight"}
    assert {name for name in names if name.endswith("weight")} == {"norm.weight", "norm_f.weight"}


def test_a_mark_counts_whatever_the_shape():
    model = nn.Linear(3, 3, bias=False)
    assert parameter_groups(model, 0.1)[0]["params"]
    model.weight._no_weight_decay = True
    assert parameter_groups(model, 0.1)[0]["params"] == []
    make_optimizer(model, TrainSettings(steps=1))  # an empty group is no reason to fail


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (([nn.Linear(2, 2)], 0.1), TypeError, "model must be a torch.nn.Module, got list"),
        ((nn.ReLU(), 0.1), ValueError, "model must have parameters to train, got ReLU"),
        ((nn.Linear(2, 2), -0.1), ValueError, "weight_decay must be .* got -0.1"),
        ((nn.Linear(2, 2), math.nan), ValueError, "weight_decay must be .* got nan"),
        ((nn.Linear(2, 2), "0.1"), TypeError, "weight_decay must be .* got '0.1'"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        parameter_groups(*arguments)
