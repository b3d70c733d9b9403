"""What a run must remember beside its weights, to go on as if it had never stopped."""

import torch

from mamba_edu.training.history import History

_OPTIMIZER, _CARRIED, _RANDOM = "optimizer.", "carried.", "random."


def flat(state):
    """The tensors of a model's state, nested tuples of them, in order."""
    if isinstance(state, torch.Tensor):
        return [state]
    return [leaf for part in state for leaf in flat(part)]


def like(state, leaves):
    """`leaves` in the nesting of `state`: the inverse of `flat`. leaves: an iterator."""
    if isinstance(state, torch.Tensor):
        return next(leaves)
    parts = [like(part, leaves) for part in state]
    return type(state)(*parts) if hasattr(state, "_fields") else type(state)(parts)


def detached(state):
    """The same numbers without the graph that made them: where truncated backpropagation through time truncates."""
    return like(state, iter([leaf.detach() for leaf in flat(state)]))


def remember(optimizer, states, ranks):
    """{name: tensor} of the optimizer's means, the states carried between windows and the random generators.

    states: one a part of the batch, or None. All processes call this together; each gets the whole.
    """
    tensors = {}
    for i, entry in optimizer.state_dict()["state"].items():
        tensors.update({f"{_OPTIMIZER}{i}.{key}": value for key, value in entry.items()})
    if states and states[0] is not None:
        for k, parts in enumerate(zip(*map(flat, states))):  # the parts of the batch, rows in order
            tensors[f"{_CARRIED}{k}"] = ranks.gather(torch.cat(parts)).flatten(0, 1)  # (batch, ...)
    tensors[_RANDOM + "cpu"] = ranks.gather(torch.get_rng_state()).cpu()  # (world, bytes)
    if ranks.device.type == "cuda":
        tensors[_RANDOM + "cuda"] = ranks.gather(torch.cuda.get_rng_state(ranks.device)).cpu()
    return tensors


def recall_optimizer(optimizer, tensors):
    """Give `optimizer` the means it had. The learning rate is the schedule's business."""
    state = {}
    for name, value in tensors.items():
        if name.startswith(_OPTIMIZER):
            i, key = name.removeprefix(_OPTIMIZER).split(".")
            state.setdefault(int(i), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def recall_states(model, tensors, accumulate, ranks):
    """The states carried between windows, one a part of this process' share; a list of None if there were none."""
    leaves = [tensors[f"{_CARRIED}{k}"] for k in range(sum(name.startswith(_CARRIED) for name in tensors))]
    if not leaves:
        return [None] * accumulate
    shares = [ranks.share(leaf.to(ranks.device)).chunk(accumulate) for leaf in leaves]
    pattern = model.init_state(1)
    return [like(pattern, iter(parts)) for parts in zip(*shares)]


def recall_random(tensors, ranks, seed):
    """Put the random generators where they were; with another number of processes, somewhere new for each of them."""
    if len(tensors[_RANDOM + "cpu"]) != ranks.world:
        torch.manual_seed(seed + 1_000_003 * (1 + ranks.rank))
        return
    torch.set_rng_state(tensors[_RANDOM + "cpu"][ranks.rank].clone())  # a row of its own memory: PyTorch reads it raw
    if ranks.device.type == "cuda" and _RANDOM + "cuda" in tensors:
        torch.cuda.set_rng_state(tensors[_RANDOM + "cuda"][ranks.rank].clone(), ranks.device)


def numbers_of(history, losses, norms, first_step):
    """The numbers of a run in progress as plain JSON values; its rows are in the log."""
    same = {name: getattr(history, name) for name in ("steps", "tokens", "seconds", "train_seconds")}
    return {**same, "losses": losses, "norms": norms, "first_step": first_step}


def history_of(numbers, train, valid):
    """The History that `numbers_of` was given, with its rows."""
    same = {name: numbers[name] for name in ("steps", "tokens", "seconds", "train_seconds")}
    return History(train=list(train), valid=list(valid), **same)
