"""Trained models that come with the package: a folder each, with config.json, model.safetensors and a card."""

from pathlib import Path


def weights_folder(name):
    """The folder of the model called `name`, for `mamba_edu.training.checkpoint.load_checkpoint`.

    Raises TypeError for a name that is no string, ValueError that lists the models there are when none is called so.
    """
    if not isinstance(name, str):
        raise TypeError(f"name must be a string, got {type(name).__name__}")
    here = Path(__file__).parent
    names = sorted(config.parent.name for config in here.glob("*/config.json"))
    if name not in names:
        raise ValueError(f"name must be one of {', '.join(names)}, got {name!r}")
    return here / name
