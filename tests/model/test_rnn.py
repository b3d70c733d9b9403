"""RNN and LSTM: PyTorch's own with the same weights, step == forward, and Jacobians that are the real ones."""

import math

import pytest
import torch
from torch import nn

from mamba_edu import LSTM, RNN, gradient_through_time, rnn_step, step_jacobians

torch_double = {"dtype": torch.float64}
KINDS = ["RNN", "linear RNN", "LSTM"]


def seeded(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), **torch_double)


def make(kind, d_input=3, d_hidden=5, bias=True, seed=0):
    torch.manual_seed(seed)
    if kind == "LSTM":
        return LSTM(d_input, d_hidden, bias).double()
    return RNN(d_input, d_hidden, "tanh" if kind == "RNN" else "identity", bias).double()


def parts(state):
    return state if isinstance(state, tuple) else (state,)


def close(got, wanted, tol=1e-9):
    assert got.shape == wanted.shape and torch.isfinite(got).all()
    assert (got - wanted).abs().max() <= tol * wanted.abs().max().clamp_min(1e-300) if got.numel() else True


def twin(layer):
    """PyTorch's layer with the weights of ours."""
    kind = nn.LSTM if isinstance(layer, LSTM) else nn.RNN
    theirs = kind(layer.d_input, layer.d_hidden, batch_first=True, bias=layer.bias_ih is not None)
    theirs = theirs.to(layer.weight_hh.dtype)
    theirs.load_state_dict({f"{name}_l0": value for name, value in layer.state_dict().items()})
    return theirs


@pytest.mark.parametrize("l", [1, 2, 7, 64])
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_equal_to_pytorchs(kind, bias, l):
    layer = make(kind, bias=bias)
    theirs, x = twin(layer), seeded(4, l, 3)
    state = tuple(seeded(4, 5, seed=9 + k) for k in range(2 if kind == "LSTM" else 1))
    theirs_state = tuple(part[None] for part in state)
    y, last = layer(x, state if kind == "LSTM" else state[0], return_state=True)
    wanted, wanted_last = theirs(x, theirs_state if kind == "LSTM" else theirs_state[0])
    close(y, wanted)
    for part, other in zip(parts(last), parts(wanted_last)):
        close(part, other[0])
    close(layer(x), theirs(x)[0])


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_equal_gradients_to_pytorchs(kind):
    layer, x = make(kind), seeded(2, 20, 3)
    theirs, mix = twin(layer), seeded(2, 20, 5, seed=1)
    (layer(x) * mix).sum().backward()
    (theirs(x)[0] * mix).sum().backward()
    for name, p in layer.named_parameters():
        close(p.grad, getattr(theirs, f"{name}_l0").grad)


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_equal_in_float32(kind):
    layer, x = make(kind).float(), seeded(2, 50, 3).float()
    close(layer(x), twin(layer)(x)[0], tol=1e-6)


def test_start_is_pytorchs():
    torch.manual_seed(0)
    layer = LSTM(7, 400)
    for p in layer.parameters():
        assert p.abs().max() <= 1 / math.sqrt(400) and p.abs().max() > 0.99 / math.sqrt(400)
        assert abs(p.mean()) < 0.004


def test_forget_bias_is_the_forget_gates_alone():
    torch.manual_seed(0)
    plain = LSTM(3, 5).state_dict()
    torch.manual_seed(0)
    biased = LSTM(3, 5, forget_bias=2.0).state_dict()
    moved = biased["bias_ih"] - plain["bias_ih"]
    assert torch.allclose(moved, torch.tensor([0.0, 2.0, 0.0, 0.0]).repeat_interleave(5))
    assert all(torch.equal(plain[name], biased[name]) for name in plain if name != "bias_ih")
    held = step_jacobians(LSTM(3, 5, forget_bias=50.0), torch.randn(4, 3))[:, 5:, 5:]
    assert torch.allclose(held, torch.eye(5).expand(4, 5, 5)), "with f = 1 all of c stays"


@pytest.mark.parametrize("kind", KINDS)
def test_step_is_forward_from_a_carried_state(kind):
    layer, x = make(kind), seeded(3, 9, 3)
    whole, end = layer(x, return_state=True)
    first, state = layer(x[:, :4], return_state=True)
    outputs, carried = [first], state
    for t in range(4, 9):
        h, state = layer.step(x[:, t], state)
        outputs.append(h[:, None])
    close(torch.cat(outputs, dim=1), whole)
    for part, other in zip(parts(state), parts(end)):
        close(part, other)
    close(layer(x[:, 4:], carried), whole[:, 4:])


@pytest.mark.parametrize("kind", KINDS)
def test_step_leaves_the_state_alone(kind):
    layer = make(kind)
    state = layer.init_state(2)
    before = [part.clone() for part in parts(state)]
    _, after = layer.step(seeded(2, 3), state)
    assert all(torch.equal(part, old) for part, old in zip(parts(state), before))
    assert not any(torch.equal(part, old) for part, old in zip(parts(after), before))


@pytest.mark.parametrize("kind", KINDS)
def test_no_steps_and_no_batch(kind):
    layer = make(kind)
    y, state = layer(seeded(2, 0, 3), return_state=True)
    assert y.shape == (2, 0, 5) and all((part == 0).all() and part.shape == (2, 5) for part in parts(state))
    assert layer(seeded(0, 4, 3)).shape == (0, 4, 5)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_know_nothing_of_each_other_and_time_runs_forward(kind):
    layer, x = make(kind), seeded(3, 8, 3)
    y, changed = layer(x), x.clone()
    changed[1, 5] += 1
    moved = (layer(changed) - y).abs().amax(-1)  # (b, l)
    assert (moved[[0, 2]] == 0).all() and (moved[1, :5] == 0).all() and (moved[1, 5:] > 0).all()


def test_rnn_step_is_the_equation():
    x_t, h, weight_ih, weight_hh, bias = seeded(2, 3), seeded(2, 5), seeded(5, 3), seeded(5, 5), seeded(5)
    by_hand = torch.stack([torch.tanh(weight_ih @ x_t[i] + weight_hh @ h[i] + bias) for i in range(2)])
    close(rnn_step(x_t, h, weight_ih, weight_hh, bias), by_hand)
    linear = torch.stack([weight_ih @ x_t[i] + weight_hh @ h[i] for i in range(2)])
    close(rnn_step(x_t, h, weight_ih, weight_hh, nonlinearity="identity"), linear)
    layer = make("RNN")
    both = layer.bias_ih + layer.bias_hh
    close(rnn_step(x_t, h, layer.weight_ih, layer.weight_hh, both), layer.step(x_t, h)[0])


@pytest.mark.parametrize("carried", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_jacobians_are_autograds(kind, carried):
    layer, x = make(kind), seeded(6, 3)
    width = 10 if kind == "LSTM" else 5
    start = 0.5 * seeded(1, width, seed=4) if carried else torch.zeros(1, width, **torch_double)
    state = tuple(start.chunk(2, dim=-1)) if kind == "LSTM" else start

    def after(flat, begin, end):
        given = tuple(flat[None].chunk(2, dim=-1)) if kind == "LSTM" else flat[None]
        return torch.cat(parts(layer(x[None, begin:end], given, return_state=True)[1]), dim=-1)[0]

    def jacobian(begin, end):
        at = after(start[0], 0, begin) if begin else start[0]
        return torch.autograd.functional.jacobian(lambda flat: after(flat, begin, end), at.detach())

    steps = step_jacobians(layer, x, state if carried else None)
    for t in range(6):
        close(steps[t], jacobian(t, t + 1))
    norms = gradient_through_time(layer, x, state if carried else None)
    assert norms.shape == (7,) and norms[-1] == 1
    for t in range(6):
        close(norms[t], torch.linalg.matrix_norm(jacobian(t, 6), 2))


def test_the_cells_corner_is_the_forget_gates():
    layer, x = make("LSTM"), seeded(4, 3)
    corner = step_jacobians(layer, x)[:, 5:, 5:]
    h, c = layer.init_state(1)
    for t in range(4):
        f = (layer._driven(x[t]) + h[0] @ layer.weight_hh.T).chunk(4)[1].sigmoid()
        close(corner[t], torch.diag(f))
        _, (h, c) = layer.step(x[t][None], (h, c))


def test_a_linear_networks_gradient_is_a_power():
    layer = make("linear RNN", d_hidden=4)
    norms = gradient_through_time(layer, seeded(30, 3))
    for t in (0, 11, 29):
        power = torch.linalg.matrix_power(layer.weight_hh.detach(), 30 - t)
        close(norms[t], torch.linalg.matrix_norm(power, 2))


@pytest.mark.parametrize("kind", KINDS)
def test_no_steps_no_jacobians(kind):
    layer = make(kind)
    width = 10 if kind == "LSTM" else 5
    assert step_jacobians(layer, seeded(0, 3)).shape == (0, width, width)
    assert gradient_through_time(layer, seeded(0, 3)).tolist() == [1.0]


@pytest.mark.parametrize("kind", ["RNN", "LSTM"])
def test_they_learn_what_stood_eight_steps_ago(kind):
    torch.manual_seed(0)
    layer, head = (RNN(1, 16) if kind == "RNN" else LSTM(1, 16, forget_bias=1.0)), nn.Linear(16, 1)
    optimizer = torch.optim.Adam([*layer.parameters(), *head.parameters()], lr=0.01)
    for _ in range(150):
        x = torch.randn(32, 9, 1)
        loss = (head(layer(x)[:, -1]) - x[:, 0]).square().mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss < 0.5, "a guess has 1"


WRONG = [
    (lambda: RNN(0, 4), ValueError, "d_input must be at least 1, got 0"),
    (lambda: LSTM(3, 2.5), TypeError, "d_hidden must be a whole number of at least 1, got 2.5"),
    (lambda: RNN(3, 4, "relu"), ValueError, "nonlinearity must be one of 'tanh', 'identity', got 'relu'"),
    (lambda: RNN(3, 4, bias=1), TypeError, "bias must be True or False, got 1"),
    (lambda: LSTM(3, 4, bias=False, forget_bias=1.0), ValueError, "forget_bias needs bias=True"),
    (lambda: LSTM(3, 4, forget_bias=float("nan")), ValueError, "forget_bias must be a finite number"),
    (
        lambda: make("RNN")(seeded(2, 4)),
        ValueError,
        r"x must have shape \(b, l, d_input\) with d_input=3, got \(2, 4\)",
    ),
    (lambda: make("RNN")(seeded(2, 4, 2)), ValueError, r"x must have shape .* d_input=3, got \(2, 4, 2\)"),
    (lambda: make("RNN")(seeded(2, 4, 3), seeded(1, 5)), ValueError, r"state must have shape \(b, n\) with b=2, n=5"),
    (lambda: make("LSTM")(seeded(2, 4, 3), seeded(2, 5)), TypeError, r"state must be a pair \(h, c\), got Tensor"),
    (
        lambda: make("LSTM").step(seeded(2, 3), (seeded(2, 5), seeded(2, 4))),
        ValueError,
        r"state\[1\], c, must have shape",
    ),
    (lambda: make("RNN").step(seeded(2, 1, 3), seeded(2, 5)), ValueError, r"x_t must have shape \(b, d_input\)"),
    (lambda: rnn_step(seeded(2, 3), seeded(2, 5), seeded(5, 2), seeded(5, 5)), ValueError, "weight_ih must have shape"),
    (lambda: rnn_step(seeded(2, 3), seeded(2, 5), seeded(5, 3), seeded(5, 4)), ValueError, "weight_hh must have shape"),
    (lambda: step_jacobians(nn.RNN(3, 5), seeded(4, 3)), TypeError, "layer must be an RNN or an LSTM, got RNN"),
    (lambda: gradient_through_time(make("RNN"), seeded(2, 4, 3)), ValueError, r"x must have shape \(l, d_input\)"),
]


@pytest.mark.parametrize(("wrong", "error", "says"), WRONG)
def test_wrong_input_is_named(wrong, error, says):
    with pytest.raises(error, match=says):
        wrong()
