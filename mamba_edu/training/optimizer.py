"""Which parameters weight decay may shrink, and which it must leave alone."""

import torch
from torch import nn

from mamba_edu._validate import check_number


def parameter_groups(model, weight_decay):
    """Split the parameters of `model` into the two groups of AdamW: [decayed, not decayed].

    weight_decay: AdamW's coefficient for the first group, at least 0; the second group gets 0. Each parameter is in
    exactly one group; a tied one (`lm_head.weight` is `backbone.embedding.weight`) counts once.

    Decay pulls a weight towards 0, which is a sensible guess for a matrix that mixes features: with less evidence, mix
    less. For the others 0 is no neutral value. A_log = 0 means A = -1, the same memory for every state; a norm's
    gain of 0 silences the layer; a bias of `dt_proj` at 0 puts delta at 0.69, far outside the range it was given. So
    these are left alone: what carries the mark `_no_weight_decay` (A_log and D, as in the official code; all that S4
    and S4D learn) and everything of less than two dimensions (norms, biases, delta, B and C of the time-invariant
    twin). The embedding is decayed, as GPTs do it: tied, the same matrix is the output layer, whose large entries make
    over-confident predictions.

    Raises TypeError for a model that is no module, ValueError for one without parameters or a negative weight_decay.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    check_number("weight_decay", weight_decay, at_least=0)
    decayed, left_alone = [], []
    for parameter in model.parameters():  # a tied one comes once
        is_matrix = parameter.dim() >= 2 and not getattr(parameter, "_no_weight_decay", False)
        (decayed if is_matrix else left_alone).append(parameter)
    if not decayed and not left_alone:
        raise ValueError(f"model must have parameters to train, got {type(model).__name__} without any")
    return [{"params": decayed, "weight_decay": weight_decay}, {"params": left_alone, "weight_decay": 0.0}]


def make_optimizer(model, settings):
    """AdamW over the two groups, with the learning rate, betas and weight decay of `settings` (a TrainSettings)."""
    groups = [group for group in parameter_groups(model, settings.weight_decay) if group["params"]]
    return torch.optim.AdamW(groups, lr=settings.lr, betas=settings.betas)
