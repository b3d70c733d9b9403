"""Runs of the command for the tests: a text, short flags, processes that die at a chosen moment."""

import json
import os
import random
import subprocess
import sys

import safetensors.torch

SMALL = ["--d-model", "16", "--n-layer", "1", "--d-state", "4", "--seqlen", "32", "--batch-size", "8", "--threads", "1"]
SMALL += ["--warmup", "5", "--lr", "0.01", "--eval-every", "20"]

# Each is run before the command, in its process; {n} is a number.
DIE_IN_STEP = """
from mamba_edu.training import loop
step, calls = loop.train_step, []
def dying(*arguments, **options):
    calls.append(1)
    if len(calls) == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*arguments, **options)
loop.train_step = dying
"""
DIE_IN_SAVE = """
from mamba_edu.training import snapshot
rename, calls = os.rename, []
def dying(*arguments):
    calls.append(1)
    if len(calls) == {n}:
        os.kill(os.getpid(), signal.SIGKILL)
    return rename(*arguments)
os.rename = dying
"""


def text_file(path, tail=b"", size=6000):
    """A text of a few words; tail replaces its last bytes, beyond the training split."""
    words = ["the ", "cat ", "sat ", "on ", "a ", "mat. "]
    text = "".join(random.Random(0).choices(words, k=size)).encode()[:size]
    path.write_bytes(text[: size - len(tail)] + tail)
    return path


def environment():
    """Without data or processes of this machine."""
    ours = ("MAMBA_EDU_DATA", "RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
    return {name: value for name, value in os.environ.items() if name not in ours} | {"OMP_NUM_THREADS": "1"}


def run(*arguments, before="", processes=None, timeout=300, **options):
    """The command in a process of its own, or in several started by torchrun. before: Python to run first."""
    code = f"import os, signal, sys\n{before}\nfrom mamba_edu.train import main\nmain(sys.argv[1:])"
    command = [sys.executable, "-c", code]
    if processes is not None:
        launch = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
        command = [sys.executable, *launch, "--no-python", sys.executable, "-c", code]
    options = {"env": environment(), "capture_output": True, "text": True, "timeout": timeout, **options}
    return subprocess.run([*command, *map(str, arguments)], check=False, **options)


def rows(folder, kind=None):
    """The rows of a run's log, or those of one kind."""
    lines = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    return [row for row in lines if kind in (None, row["kind"])]


def timeless(folder):
    """The log without what a clock has put there."""
    clock = ("seconds", "tokens_per_second")
    return [{key: value for key, value in row.items() if key not in clock} for row in rows(folder)]


def tensors(folder):
    """All tensors of a checkpoint: its model's, its optimizer's, its generators'."""
    found = {}
    for path in sorted(folder.glob("*.safetensors")):
        found.update({f"{path.name}:{k}": t for k, t in safetensors.torch.load(path.read_bytes()).items()})
    return found
