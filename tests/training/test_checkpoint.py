"""Checkpoints: what comes back is what was saved, official names outside, one clear error for every broken file."""

import json
import os
import pickle

import pytest
import safetensors.torch
import torch

from mamba_edu import Mamba, MambaConfig
from mamba_edu.training import load_checkpoint, save_checkpoint
from mamba_edu.training.checkpoint import official_names
from mamba_edu.training.files import write_atomically, write_json

TOKENS = torch.arange(24).view(2, 12)


def make(**options):
    torch.manual_seed(0)
    model = Mamba(MambaConfig(**{"d_model": 16, "n_layer": 2, "d_state": 4, **options}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.01 * torch.randn_like(parameter)  # no parameter is as a new model has it
    return model


@pytest.mark.parametrize(
    "options",
    [{}, {"tie_embeddings": False}, {"selective": False}, {"bias": True, "conv_bias": False, "d_conv": 3, "expand": 1}],
)
def test_what_comes_back_is_what_was_saved(tmp_path, options):
    model = make(**options)
    save_checkpoint(tmp_path / "deep" / "run", model)
    assert sorted(os.listdir(tmp_path / "deep" / "run")) == ["config.json", "model.safetensors"]
    torch.manual_seed(1)
    back = load_checkpoint(tmp_path / "deep" / "run")
    assert back.config == model.config
    for (name, a), (_, b) in zip(model.named_parameters(), back.named_parameters(), strict=True):
        assert torch.equal(a, b), name
    assert torch.equal(model(TOKENS), back(TOKENS))
    assert (back.lm_head.weight is back.backbone.embedding.weight) == model.config.tie_embeddings


def test_the_names_on_disk_are_the_official_ones(tmp_path):
    save_checkpoint(tmp_path, make())
    mixer = ["A_log", "D", "conv1d.bias", "conv1d.weight", "dt_proj.bias", "dt_proj.weight", "in_proj.weight"]
    mixer = [f"mixer.{name}" for name in [*mixer, "out_proj.weight", "x_proj.weight"]]
    expected = [f"backbone.layers.{i}.{name}" for i in range(2) for name in [*mixer, "norm.weight"]]
    expected += ["backbone.embedding.weight", "backbone.norm_f.weight"]
    tensors = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert sorted(tensors) == sorted(expected)
    assert tensors["backbone.layers.1.mixer.A_log"].shape == (32, 4)


def test_an_untied_head_is_saved_and_a_tied_one_is_not():
    assert "lm_head.weight" in official_names(make(tie_embeddings=False))
    assert "lm_head.weight" not in official_names(make())


def truncate(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:-100])


def flip_header(folder):
    path = folder / "model.safetensors"
    data = bytearray(path.read_bytes())
    data[20] ^= 0xFF
    path.write_bytes(bytes(data))


def as_pickle(folder):
    (folder / "model.safetensors").write_bytes(pickle.dumps(Trap()))


class Trap:
    """Opens a door when unpickled."""

    opened = False

    def __reduce__(self):
        return (setattr, (Trap, "opened", True))


def edit_config(**changes):
    def edit(folder):
        content = json.loads((folder / "config.json").read_text())
        content["config"] = {k: v for k, v in (content["config"] | changes).items() if v is not None}
        (folder / "config.json").write_text(json.dumps(content))

    return edit


def edit_tensors(change):
    def edit(folder):
        tensors = safetensors.torch.load_file(folder / "model.safetensors")
        change(tensors)
        safetensors.torch.save_file(tensors, folder / "model.safetensors")

    return edit


NORM = "backbone.norm_f.weight"
DAMAGE = {
    "no weights": (lambda f: (f / "model.safetensors").unlink(), FileNotFoundError, "model.safetensors is missing"),
    "no config": (lambda f: (f / "config.json").unlink(), FileNotFoundError, "config.json is missing"),
    "truncated": (truncate, ValueError, "model.safetensors is damaged"),
    "header flipped": (flip_header, ValueError, "model.safetensors is damaged"),
    "empty": (lambda f: (f / "model.safetensors").write_bytes(b""), ValueError, "model.safetensors is damaged"),
    "a pickle": (as_pickle, ValueError, "model.safetensors is damaged or no safetensors file"),
    "config no json": (lambda f: (f / "config.json").write_text("{"), ValueError, "config.json is no JSON"),
    "config binary": (lambda f: (f / "config.json").write_bytes(b"\xff\xfe\x00"), ValueError, "config.json is no JSON"),
    "config foreign": (
        lambda f: (f / "config.json").write_text('{"d_model": 16, "ssm_cfg": {}}'),
        ValueError,
        "config.json is of another program",
    ),
    "config a list": (lambda f: (f / "config.json").write_text("[]"), ValueError, "config.json is of another program"),
    "unknown setting": (edit_config(heads=4), ValueError, "config.json asks for what .* heads"),
    "missing setting": (edit_config(d_model=None), ValueError, "config.json describes no model: .*d_model"),
    "bad setting": (edit_config(n_layer=-2), ValueError, "config.json describes no model: n_layer must be"),
    "other size": (edit_config(d_state=8), ValueError, r"model.safetensors: .* has shape .* config.json asks for"),
    "fewer layers": (edit_config(n_layer=1), ValueError, "model.safetensors holds unknown backbone.layers.1"),
    "more layers": (edit_config(n_layer=3), ValueError, "model.safetensors lacks backbone.layers.2.* and 7 more"),
    "tensor gone": (edit_tensors(lambda t: t.pop(NORM)), ValueError, "model.safetensors lacks backbone.norm_f"),
    "tensor extra": (edit_tensors(lambda t: t.update(x=t[NORM] + 0)), ValueError, "holds unknown x:"),
}


@pytest.mark.parametrize(("damage", "error", "words"), DAMAGE.values(), ids=DAMAGE)
def test_a_broken_checkpoint_is_one_error_that_names_the_file(tmp_path, damage, error, words):
    save_checkpoint(tmp_path, make())
    damage(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(error, match=words) as caught:
        load_checkpoint(tmp_path)
    assert str(tmp_path) in str(caught.value)
    assert before == {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    assert not Trap.opened


def test_a_missing_folder_and_a_foreign_model_are_named(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere"):
        load_checkpoint(tmp_path / "nowhere")
    with pytest.raises(TypeError, match="model must be a Mamba, got Linear"):
        save_checkpoint(tmp_path / "x", torch.nn.Linear(2, 2))
    assert not (tmp_path / "x").exists()


def test_an_interrupted_write_leaves_the_old_file_and_no_other(tmp_path, monkeypatch):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})

    def crash(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(OSError, match="disk full"):
        write_atomically(path, b"new")
    assert os.listdir(tmp_path) == ["a.json"] and json.loads(path.read_text()) == {"old": 1}


def test_a_record_holds_no_nan(tmp_path):
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "a.json", {"loss": float("nan")})
    assert os.listdir(tmp_path) == []
