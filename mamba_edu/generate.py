"""Sampling: read the prompt once, then one step per token from a state that never grows."""

from contextlib import contextmanager

import torch

from ._validate import check_int, check_number, check_tensor, check_tokens


@torch.no_grad()
def generate(model, prompt, max_new_tokens, *, temperature=1.0, top_k=None, seed=None):
    """Continue each row of `prompt` by `max_new_tokens` tokens: (b, l) -> (b, l + max_new_tokens), int64.

    model: anything with `forward(tokens, state, return_state)` and `step(tokens, state)`, such as `Mamba`; where it has
    a `config.vocab_size`, no token at or above that is ever drawn. prompt: integers (b, l), l >= 1; the rows have one
    length, since a state has no place for padding. temperature: divides the logits; 0 takes the likeliest token.
    top_k: draw from the k likeliest only. seed: the same seed gives the same tokens on the same device; None takes a
    new one each time. PyTorch's global generators are neither read nor moved.

    The model runs in eval mode without gradients, and is handed back in the mode it came in. Raises TypeError or
    ValueError, naming the argument.
    """
    vocab_size = getattr(getattr(model, "config", None), "vocab_size", None)
    b, l = _check_prompt(prompt, model, vocab_size)
    check_int("max_new_tokens", max_new_tokens, 0)
    check_number("temperature", temperature, at_least=0)
    if top_k is not None:
        check_int("top_k", top_k, 1)
    random = torch.Generator(device=prompt.device)
    if seed is None:
        random.seed()
    else:
        random.manual_seed(check_int("seed", seed, 0))

    tokens = torch.empty(b, l + max_new_tokens, dtype=torch.int64, device=prompt.device)
    tokens[:, :l] = prompt
    if max_new_tokens == 0:
        return tokens
    with _eval_mode(model):
        logits, state = model(tokens[:, :l], return_state=True)
        logits = logits[:, -1].clone()  # (b, v); the rest of the prompt's logits can go
        for t in range(l, l + max_new_tokens):
            tokens[:, t] = _draw(logits[:, :vocab_size].float(), temperature, top_k, random)
            if t + 1 < l + max_new_tokens:
                logits, state = model.step(tokens[:, t], state)
    return tokens


def _draw(logits, temperature, top_k, random):
    """One token a row from logits (b, v): (b)."""
    if temperature == 0:
        return logits.argmax(-1)
    if top_k is not None and top_k < logits.shape[-1]:
        logits, likeliest = logits.topk(top_k, dim=-1)  # (b, k)
    else:
        likeliest = None
    logits = (logits - logits.amax(-1, keepdim=True)) / temperature  # a tiny temperature must not overflow
    drawn = torch.multinomial(logits.softmax(-1), 1, generator=random)  # (b, 1)
    return (drawn if likeliest is None else likeliest.gather(1, drawn)).squeeze(1)


def _check_prompt(prompt, model, vocab_size):
    if not isinstance(model, torch.nn.Module) or not callable(getattr(model, "step", None)):
        raise TypeError(f"model must be a module with forward and step, got {type(model).__name__}")
    weight = next(model.parameters(), None)
    device = None if weight is None else weight.device
    if vocab_size is None:
        b, l = check_tensor("prompt", prompt, "(b, l)", dtype="integer", device=device)
    else:
        b, l = check_tokens("prompt", prompt, "(b, l)", vocab_size, device=device)
    if l == 0:
        raise ValueError(f"prompt must hold at least one token a row, got shape {(b, l)}")
    return b, l


@contextmanager
def _eval_mode(model):
    """Every part in eval mode, and afterwards each in the mode that it had."""
    modes = {part: part.training for part in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for part, mode in modes.items():
            part.training = mode
