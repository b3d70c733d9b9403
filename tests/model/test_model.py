"""The language model: what it computes, what it starts from, what it keeps to itself."""

import math

import pytest
import torch
from torch.nn import functional as F

from mamba_edu import Mamba, MambaConfig

SMALL = dict(d_model=8, n_layer=3, vocab_size=11, d_state=4, d_conv=3, dt_rank=2)


def make(double=True, shaken=True, **settings):
    model = Mamba(MambaConfig(**{**SMALL, **settings}))
    if shaken:
        with torch.no_grad():
            for p in model.parameters():
                p += 0.2 * torch.randn_like(p)
    return model.double() if double else model


def tokens(b=2, l=9, vocab_size=11):
    return torch.randint(vocab_size, (b, l))


def from_embedding(model, t):
    """The model as a function of the embedding's output, for gradients through time."""

    def run(x):
        hook = model.backbone.embedding.register_forward_hook(lambda *_: x)
        try:
            return model(t)
        finally:
            hook.remove()

    return run


def test_is_its_layers_in_order(close):
    model, t = make(), tokens()
    x = model.backbone.embedding.weight[t]
    for layer in model.backbone.layers:
        normed = x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-5) * layer.norm.weight
        x = x + layer.mixer(normed)
    x = x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-5) * model.backbone.norm_f.weight
    close(model(t), x @ model.backbone.embedding.weight.T)


@pytest.mark.parametrize("selective", [True, False])
def test_causal_and_the_whole_past_gets_through(selective, assert_causal):
    model, t = make(selective=selective), tokens()
    assert_causal(from_embedding(model, t), model.backbone.embedding(t))


def test_a_later_token_changes_no_earlier_logit():
    model, t = make(double=False), tokens(2, 40)
    other = t.clone()
    other[:, 25] = (other[:, 25] + 1) % 11
    y, changed = model(t), model(other)
    assert torch.equal(y[:, :25], changed[:, :25])
    assert (y[:, 25:] != changed[:, 25:]).any(-1).all()


@pytest.mark.parametrize("selective", [True, False])
@pytest.mark.parametrize("cut", [0, 1, 5])
def test_step_is_forward(selective, cut, assert_steps):
    model = make(selective=selective, pad_vocab_size_multiple=8, bias=True, tie_embeddings=False)
    assert model(tokens()).shape == (2, 9, 16)
    assert_steps(model, tokens(3, 8), cut, width=11)


@pytest.mark.parametrize("d_model, n_layer", [(64, 4), (128, 4), (256, 4), (256, 1)])
@pytest.mark.parametrize("selective", [True, False])
def test_loss_at_the_start_is_that_of_a_guess(d_model, n_layer, selective):
    model = Mamba(MambaConfig(d_model, n_layer, selective=selective))
    t = torch.randint(256, (4, 65))
    with torch.no_grad():
        loss = F.cross_entropy(model(t[:, :-1]).flatten(0, 1), t[:, 1:].flatten())
    assert abs(loss.item() - math.log(256)) < 0.2


def test_learns_one_batch_with_embedding_and_head():
    model, t = make(double=False, shaken=False, d_model=32), tokens(4, 33)
    start = model.backbone.embedding.weight.detach().clone()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(80):
        loss = F.cross_entropy(model(t[:, :-1]).flatten(0, 1), t[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert 0 <= min(losses) < 0.1 < losses[0]
    assert (model.backbone.embedding.weight - start).abs().max() > 0.01


def test_gradient_reaches_every_parameter():
    model = make(tie_embeddings=False, bias=True)
    F.cross_entropy(model(tokens(4, 30)).flatten(0, 1), tokens(4, 30).flatten()).backward()
    for name, p in model.named_parameters():
        assert torch.isfinite(p.grad).all() and (p.grad != 0).any(), name


def test_rows_and_calls_know_nothing_of_each_other():
    model, t = make(double=False).eval(), tokens(3, 9)
    y = model(t)
    other = t.clone()
    other[1] = tokens(1, 9)
    assert torch.equal(model(other)[[0, 2]], y[[0, 2]])
    model(tokens(5, 4), return_state=True)
    assert torch.equal(model(t), y)


def test_nothing_is_kept_but_parameters():
    model = make(double=False)
    model(tokens())
    state = model.init_state(2)
    model.step(tokens()[:, 0], state)
    assert sum(b.numel() for b in model.buffers()) == 0
    for part in model.modules():
        kept = [name for name, value in vars(part).items() if isinstance(value, torch.Tensor)]
        assert not kept, (type(part).__name__, kept)


def test_any_batch_size_and_length():
    model = make()
    for b, l in ((0, 3), (1, 1), (1, 2), (3, 0), (5, 17)):
        y, state = model(tokens(b, l), return_state=True)
        assert y.shape == (b, l, 11)
        assert [s.ssm.shape for s in state] == [(b, 16, 4)] * 3


def test_the_state_does_not_grow():
    model = make()

    def size(state):
        return sum(t.numel() for layer in state for t in layer)

    sizes = {size(model(tokens(2, l), return_state=True)[1]) for l in (0, 1, 2, 9, 100)}
    assert sizes == {size(model.init_state(2))}


def test_padding_is_read_like_any_token(close):
    """A shorter row beside a longer one: its state is right at its own end, and wrong after the padding."""
    model, row, padding = make(), tokens(1, 5), torch.zeros(1, 3, dtype=torch.int64)
    _, state = model(row, return_state=True)
    after = model.step(torch.tensor([7]), state)[0]
    close(after, model(torch.cat([row, torch.tensor([[7]])], 1))[:, -1])
    for padded in (torch.cat([row, padding], 1), torch.cat([padding, row], 1)):
        _, wrong = model(padded, return_state=True)
        assert (model.step(torch.tensor([7]), wrong)[0] - after).abs().max() > 1e-3
    close(model(torch.cat([row, padding], 1))[:, :5], model(row))  # right padding leaves the real positions alone


def test_the_residual_stream_is_what_is_added_to():
    model, t = make(), tokens()
    with torch.no_grad():
        for layer in model.backbone.layers:
            layer.mixer.out_proj.weight.zero_()
    want = F.rms_norm(model.backbone.embedding(t), (8,), model.backbone.norm_f.weight, 1e-5) @ model.lm_head.weight.T
    assert torch.allclose(model(t), want)


def test_dropout_acts_in_training_alone_and_spares_the_stream():
    model, t = make(double=False, dropout=0.999), tokens(4, 9)
    untouched = model.backbone.final_norm(model.backbone.embed(t)) @ model.lm_head.weight.T
    close_to = (model.train()(t) - untouched).abs().lt(1e-6).double().mean()
    assert close_to > 0.5, "with nearly every branch dropped, the embedding should come through as it was"
    assert torch.equal(model.eval()(t), model(t))
    assert (model(t) - untouched).abs().max() > 1e-3


@pytest.mark.parametrize(
    "call, error, words",
    [
        (lambda m: m(torch.tensor([[0, 11]])), ValueError, r"tokens must lie in \[0, 11\), got values from 0 to 11"),
        (lambda m: m(torch.tensor([[-1, 3]])), ValueError, r"tokens must lie in \[0, 11\), got values from -1 to 3"),
        (lambda m: m(torch.tensor([1, 2])), ValueError, r"tokens must have shape \(b, l\), got \(2,\)"),
        (lambda m: m(torch.ones(1, 2)), TypeError, "tokens must be an integer tensor, got torch.float32"),
        (lambda m: m([[1, 2]]), TypeError, r"tokens must be a tensor \(b, l\), got list"),
        (lambda m: m(torch.zeros(1, 2, device="meta").long()), ValueError, "tokens is on meta, expected cpu"),
        (lambda m: m(tokens(), "none"), TypeError, "state must be a tuple of 3 layer states, got str"),
        (lambda m: m(tokens(), m.init_state(2)[:2]), ValueError, "state must have 3 layer states, got 2"),
        (lambda m: m(tokens(), m.init_state(3)), ValueError, "state must have.*b=2"),
        (lambda m: m.step(torch.tensor([11]), m.init_state(1)), ValueError, r"tokens must lie in \[0, 11\)"),
        (lambda m: m.step(torch.tensor([[1]]), m.init_state(1)), ValueError, "tokens must have shape"),
        (lambda m: m.step(torch.tensor([1]), None), TypeError, "state must be a tuple of 3"),
        (lambda m: m.init_state(-1), ValueError, "batch must be at least 0, got -1"),
        (lambda m: Mamba(SMALL), TypeError, "config must be a MambaConfig, got dict"),
        (lambda m: Mamba(MambaConfig(**SMALL), backend="fast"), ValueError, "backend must be one of.*got 'fast'"),
    ],
)
def test_bad_input_is_named(call, error, words):
    with pytest.raises(error, match=words):
        call(make(double=False))


def test_the_last_id_of_a_padded_vocabulary_is_still_outside():
    with pytest.raises(ValueError, match=r"tokens must lie in \[0, 11\)"):
        make(pad_vocab_size_multiple=8)(torch.tensor([[12]]))


def test_tokens_of_any_integer_type():
    model, t = make(), tokens()
    for dtype in (torch.uint8, torch.int16, torch.int32):
        assert torch.equal(model(t.to(dtype)), model(t))
