"""Sampling: right, reproducible, inside the vocabulary, in constant memory."""

import gc
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from mamba_edu import Mamba, MambaConfig, generate


def make(**settings):
    model = Mamba(MambaConfig(**{"d_model": 16, "n_layer": 2, "vocab_size": 11, "d_state": 4, **settings}))
    with torch.no_grad():
        for p in model.parameters():
            p += 0.1 * torch.randn_like(p)
    return model


def prompt(b=3, l=6):
    return torch.randint(11, (b, l))


class Fixed(nn.Module):
    """A model with the protocol whose logits are always the same; it counts how it is called."""

    def __init__(self, logits, vocab_size=None):
        super().__init__()
        self.logits = torch.tensor(logits)
        self.calls = []
        if vocab_size is not None:
            self.config = SimpleNamespace(vocab_size=vocab_size)

    def forward(self, tokens, state=None, return_state=False):
        self.calls.append(tuple(tokens.shape))
        return self.logits.expand(*tokens.shape, -1), ()

    def step(self, tokens, state):
        self.calls.append(tuple(tokens.shape))
        return self.logits.expand(*tokens.shape, -1), ()


def test_greedy_is_the_likeliest_token_of_the_whole_text_each_time():
    model, text = make().double(), prompt()
    got = generate(model, text, 12, temperature=0)
    for _ in range(12):
        text = torch.cat([text, model(text)[:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(got, text)
    assert got.dtype == torch.int64


def test_draws_with_the_model_s_probabilities():
    logits = [0.0, 1.0, 2.0, -1.0]
    for temperature in (1.0, 0.5, 2.0):
        drawn = generate(Fixed(logits), torch.zeros(20_000, 1).long(), 2, temperature=temperature, seed=1)
        want = (torch.tensor(logits) / temperature).softmax(-1)
        for t in (1, 2):
            share = torch.bincount(drawn[:, t], minlength=4) / 20_000
            assert (share - want).abs().max() < 0.015


def test_top_k_draws_from_the_k_likeliest_in_their_proportion():
    logits = [0.0, 2.0, 1.0, -1.0]
    drawn = generate(Fixed(logits), torch.zeros(20_000, 1).long(), 1, top_k=2, seed=1)[:, 1]
    share = torch.bincount(drawn, minlength=4) / 20_000
    assert share[0] == share[3] == 0
    assert share[1].item() == pytest.approx(torch.tensor([2.0, 1.0]).softmax(-1)[0].item(), abs=0.015)


def test_top_k_of_one_is_greedy_and_of_everything_changes_nothing():
    model, text = make(), prompt()
    assert torch.equal(generate(model, text, 9, top_k=1, seed=3), generate(model, text, 9, temperature=0))
    assert torch.equal(generate(model, text, 9, top_k=500, seed=3), generate(model, text, 9, seed=3))


def test_a_tiny_temperature_is_greedy():
    model, text = make(), prompt()
    assert torch.equal(generate(model, text, 9, temperature=1e-30, seed=0), generate(model, text, 9, temperature=0))


@pytest.mark.parametrize("settings", [{}, {"temperature": 0}, {"top_k": 3}])
def test_never_leaves_the_vocabulary(settings):
    logits = [0.0, 0.1, 0.2, 9.0, 9.0]  # the padding looks best
    assert generate(Fixed(logits, vocab_size=3), torch.zeros(500, 1).long(), 4, seed=0, **settings).max() < 3
    model = make(pad_vocab_size_multiple=64)
    with torch.no_grad():
        model.backbone.embedding.weight[11:] *= 100
    assert generate(model, prompt(50), 5, seed=0, **settings).max() < 11


def test_a_seed_is_a_text_and_the_global_generator_is_left_alone():
    model, text = make(), prompt()
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first = generate(model, text, 20, seed=7)
    assert torch.equal(torch.get_rng_state(), before)
    torch.rand(3)
    assert torch.equal(generate(model, text, 20, seed=7), first)
    assert not torch.equal(generate(model, text, 20, seed=8), first)
    torch.manual_seed(5)
    fresh = generate(model, text, 20)
    torch.manual_seed(5)
    assert not torch.equal(generate(model, text, 20), fresh)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_row_in_a_batch_is_that_row_alone():
    model, text = make().double(), prompt(4)
    together = generate(model, text, 15, temperature=0)
    for i in range(4):
        assert torch.equal(generate(model, text[i : i + 1], 15, temperature=0), together[i : i + 1])


def test_reads_the_prompt_once_and_then_steps():
    model = Fixed([0.0, 1.0])
    generate(model, torch.zeros(3, 8).long(), 5)
    assert model.calls == [(3, 8), (3,), (3,), (3,), (3,)]


def test_memory_does_not_grow_with_the_text():
    """What all tensors hold, just before token 20 and token 100."""
    model, steps, held = make(), [], {}
    step = model.step

    def counting(tokens, state):
        steps.append(sum(x.numel() for layer in state for x in layer))
        if len(steps) in (20, 100):
            gc.collect()
            storages = [x.untyped_storage() for x in gc.get_objects() if type(x) is torch.Tensor]
            held[len(steps)] = sum({s.data_ptr(): s.nbytes() for s in storages}.values())
        return step(tokens, state)

    model.step = counting
    generate(model, prompt(), 102, seed=0)
    assert len(steps) == 101 and set(steps) == {sum(x.numel() for layer in model.init_state(3) for x in layer)}
    assert held[100] == held[20] > 0


def test_nothing_new_is_the_prompt_copied():
    text = prompt()
    got = generate(make(), text.int(), 0)
    assert torch.equal(got, text) and got.dtype == torch.int64
    same = generate(make(), text, 0)
    same[0, 0] += 1
    assert not torch.equal(same, text)


def test_the_prompt_is_left_alone_and_no_gradient_is_kept():
    text = prompt()
    kept = text.clone()
    assert not generate(make(), text, 3).requires_grad
    assert torch.equal(text, kept)


def test_dropout_is_off_and_the_mode_is_handed_back():
    model, text = make(dropout=0.9).train(), prompt()
    model.backbone.layers[1].eval()
    modes = [part.training for part in model.modules()]
    greedy = generate(model, text, 8, temperature=0)
    assert [part.training for part in model.modules()] == modes
    assert torch.equal(generate(model.eval(), text, 8, temperature=0), greedy)


def test_the_mode_is_handed_back_after_an_error_too():
    model = make().train()
    del model.backbone.norm_f.weight
    with pytest.raises(AttributeError):
        generate(model, prompt(), 3)
    assert model.training and model.backbone.training


@pytest.mark.parametrize(
    "arguments, error, words",
    [
        ({"prompt": torch.zeros(2, 0).long()}, ValueError, r"prompt must hold at least one token.*\(2, 0\)"),
        ({"prompt": torch.zeros(3).long()}, ValueError, r"prompt must have shape \(b, l\), got \(3,\)"),
        ({"prompt": torch.zeros(1, 3)}, TypeError, "prompt must be an integer tensor, got torch.float32"),
        ({"prompt": [[1, 2], [3]]}, TypeError, r"prompt must be a tensor \(b, l\), got list"),
        ({"prompt": torch.zeros(1, 3, device="meta").long()}, ValueError, "prompt is on meta, expected cpu"),
        ({"prompt": torch.full((1, 3), 99)}, ValueError, r"prompt must lie in \[0, 11\), got values from 99 to 99"),
        ({"model": "gpt"}, TypeError, "model must be a module with forward and step, got str"),
        ({"model": nn.Linear(1, 1)}, TypeError, "model must be a module with forward and step, got Linear"),
        ({"max_new_tokens": -1}, ValueError, "max_new_tokens must be at least 0, got -1"),
        ({"max_new_tokens": 2.0}, TypeError, "max_new_tokens must be a whole number"),
        ({"temperature": -0.5}, ValueError, "temperature must be a finite number and at least 0, got -0.5"),
        ({"temperature": float("nan")}, ValueError, "temperature must be a finite number"),
        ({"temperature": "hot"}, TypeError, "temperature must be a finite number"),
        ({"top_k": 0}, ValueError, "top_k must be at least 1, got 0"),
        ({"top_k": 1.5}, TypeError, "top_k must be a whole number"),
        ({"seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"seed": "x"}, TypeError, "seed must be a whole number"),
    ],
)
def test_bad_input_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        generate(**{"model": make(), "prompt": prompt(), "max_new_tokens": 3, **arguments})
