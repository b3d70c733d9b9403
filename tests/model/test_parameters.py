"""The model's numbers: names, count, start, precision, and what survives copying, saving and moving."""

import copy
import math
import pickle

import pytest
import torch
from torch.nn import functional as F

from mamba_edu import Mamba, MambaConfig

SMALL = dict(d_model=32, n_layer=3, vocab_size=11, d_state=4, d_conv=3, dt_rank=2)


def make(**settings):
    return Mamba(MambaConfig(**{**SMALL, **settings}))


def test_official_names_and_shapes():
    """As state-spaces/mamba writes them, once our own submodule drops out of the name."""
    model = make(n_layer=2, pad_vocab_size_multiple=8)
    got = {name.replace("mixer.s6.", "mixer."): tuple(p.shape) for name, p in model.state_dict().items()}
    want = {"backbone.embedding.weight": (16, 32), "backbone.norm_f.weight": (32,), "lm_head.weight": (16, 32)}
    for i in range(2):
        layer = {
            "norm.weight": (32,),
            "mixer.in_proj.weight": (128, 32),
            "mixer.conv1d.weight": (64, 1, 3),
            "mixer.conv1d.bias": (64,),
            "mixer.x_proj.weight": (10, 64),
            "mixer.dt_proj.weight": (64, 2),
            "mixer.dt_proj.bias": (64,),
            "mixer.A_log": (64, 4),
            "mixer.D": (64,),
            "mixer.out_proj.weight": (32, 64),
        }
        want.update({f"backbone.layers.{i}.{name}": shape for name, shape in layer.items()})
    assert got == want


def counted(c):
    """The count by formula."""
    d, n, r, k, m = c.d_inner, c.d_state, c.resolved_dt_rank, c.d_conv, c.d_model
    block = m * 2 * d + d * m + d * k + d + d * n  # in_proj, out_proj, convolution, D, A_log
    block += d * c.conv_bias + (2 * d + m) * c.bias
    block += d * (r + 2 * n) + r * d + d if c.selective else d + 2 * n  # x_proj, dt_proj
    return c.n_layer * (block + m) + m + c.padded_vocab_size * m * (1 if c.tie_embeddings else 2)


@pytest.mark.parametrize(
    "settings",
    [{}, {"tie_embeddings": False}, {"bias": True, "conv_bias": False}, {"selective": False}, {"dt_rank": "auto"}],
)
def test_number_of_parameters(settings):
    model = make(pad_vocab_size_multiple=8, **settings)
    assert model.num_parameters() == counted(model.config)


def test_the_smallest_official_model_has_its_129_million():
    config = MambaConfig(768, 24, vocab_size=50277, pad_vocab_size_multiple=8)
    with torch.device("meta"):
        model = Mamba(config)
    assert model.num_parameters() == counted(config) == 129_135_360


def test_start():
    model = make(d_model=128, n_layer=4, vocab_size=256, bias=True, dt_rank="auto")
    assert model.backbone.embedding.weight.std().item() == pytest.approx(0.02, rel=0.03)
    for layer in model.backbone.layers:
        mixer = layer.mixer
        bound = 1 / math.sqrt(256) / math.sqrt(4)  # kaiming, divided by the root of the number of layers
        assert bound * 0.99 < mixer.out_proj.weight.abs().max() <= bound
        assert 0.99 / math.sqrt(128) < mixer.in_proj.weight.abs().max() <= 1 / math.sqrt(128)
        assert mixer.in_proj.bias.abs().max() == mixer.out_proj.bias.abs().max() == 0
        assert torch.equal(layer.norm.weight, torch.ones(128)) and torch.equal(mixer.s6.D, torch.ones(256))
        delta = F.softplus(mixer.s6.dt_proj.bias.double())
        assert delta.min() >= 0.99e-3 and delta.max() <= 1.01e-1
        assert delta.log().std().item() == pytest.approx(math.log(100) / math.sqrt(12), rel=0.15)


def test_layers_start_apart():
    first, second = (layer.mixer.s6.dt_proj.bias for layer in make(n_layer=2).backbone.layers)
    assert (first != second).any()


@pytest.mark.parametrize(
    "change",
    [
        copy.deepcopy,
        lambda m: pickle.loads(pickle.dumps(m)),
        lambda m: m.double().float(),
        lambda m: m.to("meta").to_empty(device="cpu"),
    ],
)
@pytest.mark.parametrize("tied", [True, False])
def test_the_tie_and_the_marks_survive(change, tied):
    model = change(make(tie_embeddings=tied))
    assert (model.lm_head.weight is model.backbone.embedding.weight) is tied
    for layer in model.backbone.layers:
        s6 = layer.mixer.s6
        assert s6.A_log._no_weight_decay and s6.D._no_weight_decay and s6.dt_proj.bias._no_weight_decay


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("assign", [True, False])
@pytest.mark.parametrize("drop_head", [True, False])
def test_state_dict_round_trip(tied, assign, drop_head):
    source, target = make(tie_embeddings=tied), make(tie_embeddings=tied)
    t = torch.randint(11, (2, 7))
    saved = {name: value.clone() for name, value in source.state_dict().items()}
    if drop_head:
        del saved["lm_head.weight"]
    if drop_head and not tied:
        with pytest.raises(RuntimeError, match=r"lm_head\.weight"):
            target.load_state_dict(saved, assign=assign)
        return
    target.load_state_dict(saved, assign=assign)
    assert torch.equal(target(t), source(t))
    assert (target.lm_head.weight is target.backbone.embedding.weight) is tied
    copied = pickle.loads(pickle.dumps(source))
    assert torch.equal(copied(t), source(t)) and torch.equal(copy.deepcopy(source)(t), source(t))


def test_a_missing_layer_is_still_an_error():
    saved = make().state_dict()
    del saved["backbone.norm_f.weight"]
    with pytest.raises(RuntimeError, match="norm_f"):
        make().load_state_dict(saved)


def test_a_tied_model_trains_its_one_weight_from_both_ends():
    model = make()
    model(torch.randint(11, (2, 7))).square().sum().backward()
    tied = model.backbone.embedding.weight.grad
    assert len({id(p) for p in model.parameters()}) == len(list(model.parameters()))
    twin = make(tie_embeddings=False)
    twin.load_state_dict(model.state_dict())
    assert tied is model.lm_head.weight.grad


def test_bfloat16_autocast_keeps_float32_weights_and_state():
    model, t = make(), torch.randint(11, (2, 34))
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
    exact = model(t[:, :-1])
    with torch.autocast("cpu", torch.bfloat16):
        logits, state = model(t[:, :-1], return_state=True)
        loss = F.cross_entropy(logits.flatten(0, 1).float(), t[:, 1:].flatten())
        stepped, next_state = model.step(t[:, -1], state)
    assert logits.dtype == torch.bfloat16
    assert (logits - exact).abs().max() < 3e-2 * exact.abs().max()
    assert {s.ssm.dtype for s in (*state, *next_state)} == {torch.float32}
    assert torch.isfinite(stepped).all()
    loss.backward()
    optimizer.step()
    for name, p in model.named_parameters():
        assert p.dtype == p.grad.dtype == torch.float32, name
        assert torch.isfinite(p.grad).all() and torch.isfinite(p).all(), name


@pytest.mark.parametrize("residual_in_fp32", [True, False])
def test_bfloat16_weights(residual_in_fp32):
    model, t = make(residual_in_fp32=residual_in_fp32), torch.randint(11, (2, 33))
    exact = model(t)
    model.to(torch.bfloat16)
    seen = []
    model.backbone.norm_f.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    logits, state = model(t, return_state=True)
    assert seen == [torch.float32 if residual_in_fp32 else torch.bfloat16]
    assert logits.dtype == torch.bfloat16
    assert (logits - exact).abs().max() < 5e-2 * exact.abs().max()
    assert {s.ssm.dtype for s in state} == {torch.float32}
    assert {p.dtype for name, p in model.named_parameters() if name.endswith(("A_log", ".D"))} == {torch.float32}
    y, _ = model.step(t[:, 0], model.init_state(2))
    assert (y - exact[:, 0]).abs().max() < 5e-2 * exact.abs().max()


def test_no_device_is_assumed():
    assert {p.device.type for p in make().parameters()} == {"cpu"}
    with torch.device("meta"):
        model = make()
    assert {p.device.type for p in model.parameters()} == {"meta"}
    assert {x.device.type for layer in model.init_state(2) for x in layer} == {"meta"}
