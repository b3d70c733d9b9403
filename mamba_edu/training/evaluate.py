"""The loss of a model on a text it was not trained on: every byte scored once."""

from contextlib import contextmanager

import torch
from torch import nn
from torch.nn import functional as F

from mamba_edu._validate import check_flag, check_int, check_tensor, check_tokens
from mamba_edu.training.distributed import ALONE


def _vocab_size(model):
    model = getattr(model, "module", model)  # inside of DistributedDataParallel
    return getattr(getattr(model, "config", None), "vocab_size", None)


def token_losses(model, inputs, targets, state=None, return_state=False):
    """Nats that `model` pays for each target: -log p(target), with the gradient.

    inputs, targets: (b, l) integers. Returns (b, l), in float32 (float64 where the logits are); with return_state the
    pair of it and the model's state after the inputs, which were read from `state`. The probabilities are those over
    the real vocabulary: where the model has a `config.vocab_size` below the width of its logits (padded for the
    hardware), the padding has no share in them.
    Raises TypeError or ValueError when the model doesn't return logits (b, l, vocabulary).
    """
    logits = model(inputs, state, return_state=True) if return_state else model(inputs)
    if return_state:
        logits, state = logits
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"model must return a tensor of logits (b, l, vocabulary), got {type(logits).__name__}")
    if logits.dim() != 3 or logits.shape[:2] != inputs.shape:
        raise ValueError(
            f"model must return logits (b, l, vocabulary) for tokens {tuple(inputs.shape)}, got {tuple(logits.shape)}"
        )
    logits = logits[..., : _vocab_size(model)]  # (b, l, v)
    if logits.dtype != torch.float64:
        logits = logits.float()
    losses = F.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none").view_as(targets)
    return (losses, state) if return_state else losses


@contextmanager
def in_mode(model, training):
    """Every module of `model` in train (True) or eval mode (False); afterwards each in the mode that it had."""
    modes = [(module, module.training) for module in model.modules()]
    model.train(training)
    try:
        yield
    finally:
        for module, mode in modes:
            module.training = mode


def tokens_for(model, name, tokens):
    """`tokens` (n) as int64 on the device of `model`, once they are known to lie in its vocabulary."""
    check_tokens(name, tokens, "(n)", _vocab_size(model) or 2**63)
    parameter = next(model.parameters(), None)
    return tokens.to(device=tokens.device if parameter is None else parameter.device, dtype=torch.int64)


def _windows(tokens, seqlen, batch_size):
    """(inputs, targets) batches, in order, that make each token but the first a target once."""
    n = len(tokens) - 1
    whole = n // seqlen
    inputs = tokens[: whole * seqlen].view(whole, seqlen)
    targets = tokens[1 : whole * seqlen + 1].view(whole, seqlen)
    for i in range(0, whole, batch_size):
        yield inputs[i : i + batch_size], targets[i : i + batch_size]
    if n % seqlen:  # the rest is shorter; alone, it needs no padding that could be scored
        yield tokens[None, whole * seqlen : -1], tokens[None, whole * seqlen + 1 :]


def summed_losses(model, tokens, seqlen, batch_size, *, carry_state=False, ranks=ALONE):
    """(nats, targets): the losses of all targets of `tokens`, summed in float64 over all processes, and their number.

    Arguments as in `evaluate`, already checked. Each process reads every world-th batch; a stream has only one.
    """
    total, count, state = 0.0, 0, None
    batches = enumerate(_windows(tokens, seqlen, 1 if carry_state else batch_size))
    with in_mode(model, training=False), torch.no_grad():
        for i, (inputs, targets) in batches:
            if carry_state and ranks.first:
                losses, state = token_losses(model, inputs, targets, state, return_state=True)
            elif not carry_state and i % ranks.world == ranks.rank:
                losses = token_losses(model, inputs, targets)
            else:
                continue
            total, count = total + losses.double().sum().item(), count + targets.numel()
    return ranks.sum(total, count)


def evaluate(model, tokens, seqlen, batch_size=32, *, carry_state=False, ranks=ALONE):
    """Mean loss of `model` on `tokens`, in nats a token (for bytes: divide by log 2 for bits per byte).

    model: any module that maps tokens (b, l) to logits (b, l, vocabulary). tokens: (n) integers, at least 2. The text
    is cut into windows of `seqlen` inputs (the last may be shorter), each read from a zero state; the losses of all
    n - 1 targets are summed in float64 and divided by n - 1. A longer window gives the model more to look back on and
    so a lower loss: a score is one only with its seqlen. carry_state: instead, the windows are read one after the other
    and each begins with the state that the one before it left (the model's forward takes `state` and `return_state`):
    every byte is predicted from all before it. Without gradients, in eval mode; the mode of every module is restored
    afterwards. ranks: the processes that share the work, see `training.distributed`; all get the same result.

    Raises TypeError or ValueError that names the argument. A loss that is not finite comes back as it is.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    (n,) = check_tensor("tokens", tokens, "(n)", dtype="integer")
    if n < 2:
        raise ValueError(f"tokens must hold at least 2 tokens, one to read and one to predict, got {n}")
    check_int("seqlen", seqlen, 1)
    check_int("batch_size", batch_size, 1)
    check_flag("carry_state", carry_state)
    tokens = tokens_for(model, "tokens", tokens)
    total, count = summed_losses(model, tokens, seqlen, batch_size, carry_state=carry_state, ranks=ranks)
    assert count == n - 1, f"{count} of {n - 1} targets were scored"
    return total / count
