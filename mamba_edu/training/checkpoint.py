"""A trained model on disk: weights as safetensors under their official names, settings as JSON, no pickle."""

import json
from dataclasses import asdict, fields
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

import mamba_edu
from mamba_edu.model import Mamba, MambaConfig
from mamba_edu.selection import S6
from mamba_edu.training.files import write_atomically, write_json

CONFIG, WEIGHTS = "config.json", "model.safetensors"


def official_names(model):
    """{official name: name in our state dict} of every tensor that a checkpoint of `model` holds.

    In the official code the mixer owns A_log, D, x_proj and dt_proj itself; here its S6 does. So the S6 drops out of
    the name: `backbone.layers.0.mixer.<s6>.A_log` is `backbone.layers.0.mixer.A_log`. A tied head is the embedding once
    more, and is left out.
    """
    inner = [f"{name}." for name, module in model.named_modules() if isinstance(module, S6)]
    names = {}
    for ours in model.state_dict():
        prefix = next((p for p in inner if ours.startswith(p)), "")
        owner = prefix[:-1].rpartition(".")[0]
        names[f"{owner}.{ours[len(prefix) :]}" if owner else ours] = ours
    if model.config.tie_embeddings:
        del names["lm_head.weight"]
    return names


def save_checkpoint(folder, model):
    """Write `model` (a Mamba) into `folder` as config.json and model.safetensors; the folder is made if need be.

    Each file replaces its predecessor in one step. Raises TypeError for any other model.
    """
    if not isinstance(model, Mamba):
        raise TypeError(f"model must be a Mamba, got {type(model).__name__}")
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    state = model.state_dict()
    tensors = {official: state[ours].cpu().contiguous() for official, ours in official_names(model).items()}
    write_atomically(folder / WEIGHTS, safetensors.torch.save(tensors, metadata={"format": "pt"}))
    write_json(folder / CONFIG, {"model": "Mamba", "version": mamba_edu.__version__, "config": asdict(model.config)})


def _read(path):
    if not path.is_file():
        raise FileNotFoundError(
            f"{path} is missing: a checkpoint is a folder with {CONFIG} and {WEIGHTS}, as save_checkpoint writes it"
        )
    return path.read_bytes()


def _read_config(path):
    try:
        content = json.loads(_read(path))
    except ValueError as error:  # not JSON, or not even text
        raise ValueError(f"{path} is no JSON ({error}): take the file anew from where the model was trained") from None
    config = content.get("config") if isinstance(content, dict) else None
    if not isinstance(config, dict) or content.get("model") != "Mamba":
        raise ValueError(f'{path} is of another program: expected {{"model": "Mamba", "config": {{...}}}}')
    unknown = sorted(config.keys() - {field.name for field in fields(MambaConfig)})
    if unknown:
        raise ValueError(f"{path} asks for what this version doesn't know: {', '.join(unknown)}; update mamba_edu")
    try:
        return MambaConfig(**config)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{path} describes no model: {error}") from None


def _check_tensors(path, tensors, expected):
    """Check names and shapes of `tensors` against `expected`, {official name: tensor of the model}."""
    missing, unknown = expected.keys() - tensors.keys(), tensors.keys() - expected.keys()
    for what, names in [("lacks", missing), ("holds unknown", unknown)]:
        if names:
            shown = ", ".join(sorted(names)[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
            raise ValueError(f"{path} {what} {shown}: it belongs to another model than the {CONFIG} beside it")
    for name, tensor in tensors.items():
        if tensor.shape != expected[name].shape:
            raise ValueError(
                f"{path}: {name} has shape {tuple(tensor.shape)}, {CONFIG} asks for {tuple(expected[name].shape)}"
            )


def load_checkpoint(folder):
    """The Mamba that `save_checkpoint` wrote into `folder`, on the CPU, in train mode like any new module.

    Raises FileNotFoundError or ValueError that names the file when one is missing, damaged, of another program, or when
    the two don't belong together. Nothing in the folder is executed or changed.
    """
    folder = Path(folder)
    config = _read_config(folder / CONFIG)
    path = folder / WEIGHTS
    try:
        tensors = safetensors.torch.load(_read(path))
    except SafetensorError as error:
        raise ValueError(
            f"{path} is damaged or no safetensors file ({error}): take it anew from where the model was trained"
        ) from None
    model = Mamba(config)
    state, names = model.state_dict(), official_names(model)
    _check_tensors(path, tensors, {official: state[ours] for official, ours in names.items()})
    model.load_state_dict({names[official]: tensor for official, tensor in tensors.items()})
    return model
