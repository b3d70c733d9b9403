"""Causal attention and the Transformer: PyTorch's function, step == forward from a cache, a fair peer of Mamba."""

import math

import pytest
import torch
from torch.nn import functional as F

from mamba_edu import (
    CausalSelfAttention,
    Transformer,
    TransformerConfig,
    attention_weights,
    causal_attention,
    evaluate,
    generate,
    parameter_groups,
)
from mamba_edu.attention import KVCache, rotate

SMALL = dict(d_model=16, n_layer=3, n_head=2, vocab_size=11)


def make(double=True, shaken=True, **settings):
    model = Transformer(TransformerConfig(**{**SMALL, **settings}))
    if shaken:
        with torch.no_grad():
            for p in model.parameters():
                p += 0.2 * torch.randn_like(p)
    return model.double() if double else model


def tokens(b=2, l=9, vocab_size=11):
    return torch.randint(vocab_size, (b, l))


def heads(l, m, b=2, h=3, e=4, dtype=torch.float64):
    return torch.randn(b, h, l, e, dtype=dtype), *torch.randn(2, b, h, m, e, dtype=dtype)


def layer_of(d_model=12, n_head=3, **settings):
    return CausalSelfAttention(d_model, n_head, **settings).double()


def assert_steps(layer, x, cut, close):
    """One pass == two passes == single steps; the cache grows by what was read and none is ever changed."""

    def leaves(state):
        return [state] if isinstance(state, torch.Tensor) else [leaf for part in state for leaf in leaves(part)]

    b, l = x.shape[:2]
    whole, last = layer.forward(x, return_state=True)
    close(layer.forward(x), whole)
    close(layer.forward(x, layer.init_state(b)), whole)
    first, state = layer.forward(x[:, :cut], return_state=True)
    close(first, whole[:, :cut])
    kept = [leaf.clone() for leaf in leaves(state)]
    rest, end = layer.forward(x[:, cut:], state, return_state=True)
    close(rest, whole[:, cut:])
    stepped = state
    for t in range(cut, l):
        y, stepped = layer.step(x[:, t], stepped)
        close(y, whole[:, t])
        assert {leaf.shape[2] for leaf in leaves(stepped)} == {t + 1}
    for a, c, d in zip(leaves(last), leaves(end), leaves(stepped), strict=True):
        close(c, a)
        close(d, a)
    other, _ = layer.step(x[:, 0], state)  # a second way on from the same state
    again, _ = layer.forward(torch.cat([x[:, :cut], x[:, :1]], 1), return_state=True)
    close(other, again[:, -1])
    assert all(torch.equal(a, b) for a, b in zip(leaves(state), kept)), "a state was changed in place"


@pytest.mark.parametrize("l", [1, 2, 5, 64, 129])
def test_is_pytorchs_attention(l, close):
    q, k, v = heads(l, l)
    close(causal_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True), 1e-9)


@pytest.mark.parametrize("l, m", [(1, 7), (3, 7), (64, 129)])
def test_the_queries_are_the_last_ones(l, m, close):
    q, k, v = heads(m, m)
    close(
        causal_attention(q[:, :, -l:], k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True)[:, :, -l:], 1e-9
    )


def test_by_hand():
    """Two tokens, one head of one number: the second weighs the scores 0 and log 3, so 1 : 3."""
    q = torch.tensor([0.0, math.log(3)]).view(1, 1, 2, 1)
    k, v = torch.tensor([[0.0, 1.0], [10.0, 20.0]]).view(2, 1, 1, 2, 1)
    assert torch.allclose(attention_weights(q, k), torch.tensor([[1.0, 0.0], [0.25, 0.75]]))
    assert torch.allclose(causal_attention(q, k, v).flatten(), torch.tensor([10.0, 17.5]))


def test_weights_are_shares_of_the_past():
    q, k, _ = heads(4, 6)
    weights = attention_weights(q, k)
    assert torch.allclose(weights.sum(-1), torch.ones(2, 3, 4, dtype=torch.float64))
    assert (weights.triu(3) == 0).all() and (weights[..., 0] > 0).all() and weights[..., 0, 2].min() > 0


def test_large_scores_stay_finite(close):
    q, k, v = (100 * x for x in heads(9, 9))
    close(causal_attention(q, k, v), F.scaled_dot_product_attention(q, k, v, is_causal=True), 1e-9)


def test_gradients_are_pytorchs(close):
    inputs = [x.requires_grad_() for x in heads(7, 7)]
    weights = torch.randn(2, 3, 7, 4, dtype=torch.float64)
    ours = torch.autograd.grad((causal_attention(*inputs) * weights).sum(), inputs)
    theirs = torch.autograd.grad((F.scaled_dot_product_attention(*inputs, is_causal=True) * weights).sum(), inputs)
    for a, b in zip(ours, theirs):
        close(a, b, 1e-9)


def test_rotation_is_a_turn_by_the_position(close):
    """Each pair as a complex number: times e^(i position speed), the first pair by one radian a token."""
    x = torch.randn(1, 1, 5, 6, dtype=torch.float64)
    pairs = torch.complex(x[..., :3], x[..., 3:])
    speeds = torch.tensor([100.0 ** (-2 * i / 6) for i in range(3)], dtype=torch.float64)
    angles = torch.arange(40, 45)[:, None] * speeds
    turned = pairs * torch.polar(torch.ones_like(angles), angles)
    close(rotate(x, 40, 100.0), torch.cat([turned.real, turned.imag], -1))


def test_only_the_distance_counts(close):
    """The same token everywhere: its weights on itself are the same function of the distance at every position."""
    layer, x = layer_of(), torch.randn(1, 1, 12, dtype=torch.float64).expand(1, 8, 12)
    scores = [q @ k.mT for q, k, _ in (layer.project(x, start) for start in (0, 1000))]
    close(scores[1], scores[0], 1e-9)
    assert (scores[0][0, :, 7, 0] - scores[0][0, :, 7, 6]).abs().min() > 1e-4, "positions leave no trace"
    close(scores[0][..., 7, 3], scores[0][..., 4, 0], 1e-9)


def test_layer_is_its_parts(close):
    layer, x = layer_of(), torch.randn(2, 9, 12, dtype=torch.float64)
    q, k, v = (F.linear(x, w).unflatten(-1, (3, 4)).transpose(1, 2) for w in layer.qkv.weight.chunk(3))
    y = causal_attention(rotate(q), rotate(k), v)
    close(layer(x), y.transpose(1, 2).reshape(2, 9, 12) @ layer.out_proj.weight.T)


def test_one_head_or_many_differ():
    one, three = layer_of(n_head=1), layer_of(n_head=3)
    three.load_state_dict(one.state_dict())
    x = torch.randn(1, 5, 12, dtype=torch.float64)
    assert (one(x) - three(x)).abs().max() > 1e-3


@pytest.mark.parametrize("cut", [0, 1, 5])
@pytest.mark.parametrize("b", [1, 3])
def test_step_is_forward(cut, b, close):
    assert_steps(layer_of(), torch.randn(b, 9, 12, dtype=torch.float64), cut, close)
    assert_steps(make(), tokens(b), cut, close)


def test_causal_and_the_whole_past_gets_through(assert_causal):
    assert_causal(layer_of(), torch.randn(2, 7, 12, dtype=torch.float64))
    model, t = make(), tokens()

    def from_embedding(x):
        hook = model.embedding.register_forward_hook(lambda *_: x)
        try:
            return model(t)
        finally:
            hook.remove()

    assert_causal(from_embedding, model.embedding(t))


def test_a_later_token_changes_no_earlier_logit():
    model, t = make(double=False), tokens(2, 40)
    other = t.clone()
    other[:, 25] = (other[:, 25] + 1) % 11
    y, changed = model(t), model(other)
    assert torch.equal(y[:, :25], changed[:, :25]) and (y[:, 25:] != changed[:, 25:]).any(-1).all()


def test_the_future_is_hidden_behind_a_cache_too():
    layer, x = layer_of(), torch.randn(1, 9, 12, dtype=torch.float64)
    _, state = layer(x[:, :4], return_state=True)
    x[:, 8] += 1
    changed = layer(x[:, 4:], state)
    x[:, 8] -= 1
    assert torch.equal(layer(x[:, 4:], state)[:, :4], changed[:, :4])


def test_gradient_flows_through_a_carried_cache(close):
    model, t = make(), tokens(2, 8)
    F.cross_entropy(model(t).flatten(0, 1), t.flatten()).backward()
    whole = [p.grad.clone() for p in model.parameters()]
    model.zero_grad()
    first, state = model(t[:, :3], return_state=True)
    logits = torch.cat([first, model(t[:, 3:], state)], 1)
    F.cross_entropy(logits.flatten(0, 1), t.flatten()).backward()
    for p, want in zip(model.parameters(), whole):
        close(p.grad, want, 1e-9)


def test_model_is_its_layers_in_order(close):
    model, t = make(), tokens()

    def norm(x, weight):
        return x / torch.sqrt(x.square().mean(-1, keepdim=True) + 1e-5) * weight

    x = model.embedding.weight[t]
    for layer in model.layers:
        x = x + layer.attention(norm(x, layer.attention_norm.weight))
        gate, up = (norm(x, layer.mlp_norm.weight) @ layer.mlp.gate_up.weight.T).chunk(2, -1)
        x = x + (gate * torch.sigmoid(gate) * up) @ layer.mlp.down.weight.T
    close(model(t), norm(x, model.norm_f.weight) @ model.embedding.weight.T)


@pytest.mark.parametrize("d_model, n_layer", [(64, 4), (256, 4), (256, 1)])
def test_loss_at_the_start_is_that_of_a_guess(d_model, n_layer):
    model, t = Transformer(TransformerConfig(d_model, n_layer, 4)), torch.randint(256, (4, 65))
    with torch.no_grad():
        loss = F.cross_entropy(model(t[:, :-1]).flatten(0, 1), t[:, 1:].flatten())
    assert abs(loss.item() - math.log(256)) < 0.2


@pytest.mark.parametrize("n_layer", [1, 12])
def test_what_writes_into_the_stream_starts_smaller(n_layer):
    layer = make(double=False, shaken=False, d_model=64, n_layer=n_layer).layers[-1]
    for matrix in (layer.attention.out_proj.weight, layer.mlp.down.weight):
        want = 1 / math.sqrt(3 * matrix.shape[1] * 2 * n_layer)  # uniform in +- 1 / sqrt(inputs)
        assert abs(matrix.std().item() / want - 1) < 0.06
    assert abs(layer.attention.qkv.weight.std().item() * math.sqrt(3 * 64) - 1) < 0.06


def test_learns_to_look_back():
    """The second half repeats the first: only what was kept can tell it."""
    model = make(double=False, shaken=False, d_model=32, n_layer=2, n_head=4)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    for _ in range(400):
        t = tokens(32, 6).repeat(1, 2)
        loss = F.cross_entropy(model(t[:, :-1])[:, 5:].flatten(0, 1), t[:, 6:].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert 0 <= loss.item() < 0.1, "chance is 2.4"


def test_gradient_reaches_every_parameter():
    model = make()
    F.cross_entropy(model(tokens(4, 30)).flatten(0, 1), tokens(4, 30).flatten()).backward()
    for name, p in model.named_parameters():
        assert torch.isfinite(p.grad).all() and (p.grad != 0).any(), name


def test_decay_spares_norms_and_takes_every_matrix():
    model = make(double=False)
    decayed, left_alone = parameter_groups(model, 0.1)
    assert sum(p.numel() for p in left_alone["params"]) == 7 * 16
    assert len(decayed["params"]) == 1 + 3 * 4


def test_rows_and_calls_know_nothing_of_each_other():
    model, t = make(double=False).eval(), tokens(3, 9)
    y, other = model(t), t.clone()
    other[1] = tokens(1, 9)
    assert torch.equal(model(other)[[0, 2]], y[[0, 2]])
    model(tokens(5, 4), return_state=True)
    assert torch.equal(model(t), y)
    assert sum(b.numel() for b in model.buffers()) == 0
    for part in model.modules():
        assert not [name for name, value in vars(part).items() if isinstance(value, torch.Tensor)]


def test_any_batch_size_and_length():
    model = make()
    for b, l in ((0, 3), (1, 1), (3, 0), (5, 17)):
        y, state = model(tokens(b, l), return_state=True)
        assert y.shape == (b, l, 11)
        assert [layer.keys.shape for layer in state] == [(b, 2, l, 8)] * 3
        y, after = model(tokens(b, 0), state, return_state=True)
        assert y.shape == (b, 0, 11) and after[0].values.shape == (b, 2, l, 8)


def test_the_cache_is_two_numbers_a_channel_and_token():
    _, state = layer_of()(torch.randn(3, 50, 12, dtype=torch.float64), return_state=True)
    assert isinstance(state, KVCache) and sum(x.numel() for x in state) == 3 * 50 * 2 * 12


def test_generates_greedily_what_forward_finds_likeliest():
    model, text = make(), tokens(3, 6)
    got = generate(model, text, 12, temperature=0)
    for _ in range(12):
        text = torch.cat([text, model(text)[:, -1].argmax(-1, keepdim=True)], 1)
    assert torch.equal(got, text)


def test_is_evaluated_in_windows_and_as_one_stream():
    model, t = make(), tokens(1, 60)[0]
    whole = F.cross_entropy(model(t[None, :-1])[0], t[1:]).item()
    assert abs(evaluate(model, t, 59) - whole) < 1e-9
    assert abs(evaluate(model, t, 7, carry_state=True) - whole) < 1e-9
    assert abs(evaluate(model, t, 7) - whole) > 1e-4


@pytest.mark.parametrize("silenced", [None, "attention.out_proj", "mlp.down"])
def test_dropout_acts_on_each_branch_in_training_alone_and_spares_the_stream(silenced):
    model, t = make(double=False, dropout=0.999), tokens(4, 9)
    with torch.no_grad():
        for layer in model.layers if silenced else ():
            layer.get_submodule(silenced).weight.zero_()
    untouched = F.linear(model.norm_f(model.embedding(t)), model.embedding.weight)
    assert (model.train()(t) - untouched).abs().lt(1e-6).double().mean() > 0.5, "the embedding should come through"
    assert torch.equal(model.eval()(t), model(t))
    assert (model(t) - untouched).abs().max() > 1e-3


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_half_precision_keeps_its_dtype_and_rotates_in_float32(dtype):
    layer, x = layer_of().to(dtype), torch.randn(1, 40, 12).to(dtype)
    y, state = layer(x, return_state=True)
    assert y.dtype == state.keys.dtype == state.values.dtype == layer.init_state(1).keys.dtype == dtype
    exact = rotate(x.view(1, 40, 3, 4).transpose(1, 2).double(), 5000)
    error = (rotate(x.view(1, 40, 3, 4).transpose(1, 2), 5000) - exact).abs().max() / exact.abs().max()
    assert error < (5e-3 if dtype == torch.bfloat16 else 1e-3)


def test_autocast_steps_from_an_empty_cache():
    model, t = make(double=False), tokens(2, 5)
    with torch.autocast("cpu", torch.bfloat16):
        state = model.init_state(2)
        for i in range(5):
            y, state = model.step(t[:, i], state)
        assert state[0].keys.dtype == state[0].values.dtype == torch.bfloat16
        want = model(t)[:, -1].float()
    assert (y.float() - want).abs().max() < 0.05 * want.abs().max()


def test_bad_inputs_are_named():
    model, (q, k, v) = make(double=False), heads(3, 5)
    layer, x = layer_of(), torch.randn(2, 4, 12, dtype=torch.float64)
    cache = layer.init_state(2)
    for call, error, words in [
        (lambda: causal_attention(q[0], k, v), ValueError, r"q must have shape \(b, h, l, e\)"),
        (lambda: causal_attention(q, k[:1], v), ValueError, "k must have shape.*b=2"),
        (lambda: causal_attention(q, k, v[:, :, :4]), ValueError, "v must have shape.*m=5"),
        (lambda: causal_attention(k, q, q), ValueError, "k must hold at least the positions of q, 5, got 3"),
        (lambda: causal_attention(q[..., :0], k[..., :0], v), ValueError, "q must have heads of at least one"),
        (lambda: causal_attention(q.long(), k, v), TypeError, "q must be a floating-point"),
        (lambda: rotate(q[..., :3]), ValueError, "x must have pairs"),
        (lambda: layer(x[..., :5]), ValueError, "x must have shape.*d=12"),
        (lambda: layer(None), TypeError, "x must be a tensor"),
        (lambda: layer(x, cache.keys), TypeError, "state must be a KVCache"),
        (lambda: layer(x, (cache.keys, cache.values, 0)), TypeError, "state must be a KVCache.*got 3 entries"),
        (lambda: layer(x, layer.init_state(3)), ValueError, "state.keys must have shape.*b=2"),
        (lambda: layer(x, (cache.keys, x)), ValueError, "state.values must have shape"),
        (lambda: layer(x, (cache.keys, torch.zeros(2, 3, 1, 4))), ValueError, "state.values must have.*m=0"),
        (lambda: layer.step(x, cache), ValueError, r"x_t must have shape \(b, d\)"),
        (lambda: layer.step(x[:, 0], None), TypeError, "state must be a KVCache"),
        (lambda: layer.init_state(-1), ValueError, "batch must be at least 0"),
        (lambda: CausalSelfAttention(12, 5), ValueError, "n_head must divide d_model=12"),
        (lambda: CausalSelfAttention(12, 4), ValueError, "heads of an even width, got 4"),
        (lambda: Transformer(SMALL), TypeError, "config must be a TransformerConfig, got dict"),
        (lambda: model(torch.tensor([[0, 11]])), ValueError, r"tokens must lie in \[0, 11\)"),
        (lambda: model(torch.ones(1, 2)), TypeError, "tokens must be an integer tensor"),
        (lambda: model(tokens(), "none"), TypeError, "state must be a tuple of 3 layer states"),
        (lambda: model(tokens(), model.init_state(2)[:2]), ValueError, "state must have 3 layer states, got 2"),
        (lambda: model.step(torch.tensor([[1]]), model.init_state(1)), ValueError, "tokens must have shape"),
        (lambda: model.step(torch.tensor([1]), None), TypeError, "state must be a tuple of 3"),
    ]:
        with pytest.raises(error, match=words):
            call()
