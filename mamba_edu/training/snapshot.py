"""A run on disk: folders that are whole or not there, the newest of which says how to go on.

checkpoints/step-00000500/ holds config.json and model.safetensors (the model alone, for `load_checkpoint`), and beside
them training.safetensors and training.json: the optimizer, the place in the data, the random generators, the numbers of
the run, and the digest of each file. It is written under another name, flushed to the disk and then renamed.
"""

import hashlib
import json
import os
import shutil
import tempfile
from pathlib import Path

import safetensors.torch
from safetensors import SafetensorError

from mamba_edu.training.checkpoint import CONFIG, WEIGHTS, load_checkpoint, save_checkpoint
from mamba_edu.training.files import sync_folder, write_atomically, write_json

FOLDER, TENSORS, NUMBERS = "checkpoints", "training.safetensors", "training.json"
_FORMAT = 1


def checkpoints(out):
    """The checkpoint folders of the run in `out`, oldest first."""
    return sorted(path for path in (Path(out) / FOLDER).glob("step-*") if path.is_dir())


def checkpoint_of(out, step):
    """Where the checkpoint of `step` is or would be."""
    return Path(out) / FOLDER / f"step-{step:08d}"


def save_snapshot(out, model, tensors, numbers):
    """Write the checkpoint of step numbers["steps"] and return its folder; one that is there already is left alone.

    tensors, numbers: what `fit` hands to its `save`, numbers with whatever else is to be kept as JSON.
    Raises OSError when the disk doesn't take it; then nothing is left of it, and older checkpoints are as they were.
    """
    folder = checkpoint_of(out, numbers["steps"])
    if folder.exists():
        return folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    room = Path(tempfile.mkdtemp(dir=folder.parent, prefix=".writing-"))
    try:
        save_checkpoint(room, model)
        plain = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
        write_atomically(room / TENSORS, safetensors.torch.save(plain))
        digests = {name: _digest(room / name) for name in (CONFIG, WEIGHTS, TENSORS)}
        write_json(room / NUMBERS, {"format": _FORMAT, **numbers, "sha256": digests})
        os.chmod(room, 0o755)  # mkdtemp makes folders that only their owner may enter
        sync_folder(room)
        os.rename(room, folder)
        sync_folder(folder.parent)
    except BaseException:
        shutil.rmtree(room, ignore_errors=True)
        raise
    return folder


def prune(out, keep, newest=2):
    """Delete all checkpoints but the `newest` ones and that of step `keep`, and what a crash has left half written."""
    kept = {*checkpoints(out)[-newest:], checkpoint_of(out, keep)}
    for path in checkpoints(out):
        if path not in kept:
            shutil.rmtree(path)
    for rest in (Path(out) / FOLDER).glob(".writing-*"):
        shutil.rmtree(rest, ignore_errors=True)


def load_snapshot(folder):
    """(model, tensors, numbers) that `save_snapshot` wrote into `folder`; the model is on the CPU.

    Raises ValueError or FileNotFoundError that names the file when one is missing, changed, or of another program.
    Nothing in the folder is executed or changed.
    """
    folder = Path(folder)
    numbers = _read_numbers(folder / NUMBERS)
    for name, digest in numbers["sha256"].items():
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(f"{path} is missing: the checkpoint is not whole")
        if _digest(path) != digest:
            raise ValueError(f"{path} is damaged: it is not what was saved")
    try:
        tensors = safetensors.torch.load((folder / TENSORS).read_bytes())
    except SafetensorError as error:
        raise ValueError(f"{folder / TENSORS} is no safetensors file ({error})") from None
    return load_checkpoint(folder), tensors, numbers


def _read_numbers(path):
    if not path.is_file():
        raise FileNotFoundError(f"{path} is missing: a run can't go on from weights alone")
    try:
        numbers = json.loads(path.read_bytes())
    except ValueError as error:  # not JSON, or not even text
        raise ValueError(f"{path} is damaged: it is no JSON ({error})") from None
    if not isinstance(numbers, dict) or set(numbers.get("sha256", ())) != {CONFIG, WEIGHTS, TENSORS}:
        raise ValueError(f"{path} is of another program: it names no digests of {CONFIG}, {WEIGHTS} and {TENSORS}")
    if numbers.get("format") != _FORMAT:
        raise ValueError(f"{path} has format {numbers.get('format')!r}, this version of mamba_edu reads {_FORMAT}")
    return numbers


def _digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
