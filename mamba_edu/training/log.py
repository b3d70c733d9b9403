"""The record of a run: its result together with all that a reader needs to judge or repeat it."""

import math
import os
import platform
import shlex
import subprocess
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

import mamba_edu

_PACKAGE = Path(mamba_edu.__file__).parent


def _git(*arguments):
    """The output of a git command in the package's folder; None without git, or outside of a repository."""
    try:
        done = subprocess.run(
            ["git", "-C", str(_PACKAGE), *arguments], capture_output=True, text=True, timeout=20, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() if done.returncode == 0 else None


def code_version():
    """{"commit", "dirty"} of the package's source; both None when it does not run from its repository.

    dirty: whether a tracked file of the package differs from the commit. A package installed into a folder that happens
    to lie in somebody's repository has no commit of its own, hence the question whether git tracks the package. A copy
    of the files on another machine is told its commit by MAMBA_EDU_COMMIT; whether it was touched since, nobody knows.
    """
    if os.environ.get("MAMBA_EDU_COMMIT"):
        return {"commit": os.environ["MAMBA_EDU_COMMIT"], "dirty": None}
    if not _git("ls-files", "__init__.py"):
        return {"commit": None, "dirty": None}
    return {"commit": _git("rev-parse", "HEAD"), "dirty": bool(_git("status", "--porcelain", "-uno", "--", "."))}


def cpu_name():
    """The processor's name as the system gives it."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def _version_of(package):
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _driver():
    """The version of NVIDIA's driver; None where its tool doesn't answer."""
    try:
        asked = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        done = subprocess.run(asked, capture_output=True, text=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.splitlines()[0].strip() if done.returncode == 0 and done.stdout else None


def device_info(device=None):
    """{"kind", "name", "driver"} of a torch.device; None is the CPU."""
    if device is None or device.type == "cpu":
        return {"kind": "cpu", "name": cpu_name(), "driver": None}
    return {"kind": device.type, "name": torch.cuda.get_device_name(device), "driver": _driver()}


def environment(device=None):
    """Where a result came from: device, driver, threads, versions, commit, date (UTC). device: a torch.device."""
    versions = {name: _version_of(name) for name in ["torch", "numba", "numpy"]}
    return {
        "device": device_info(device),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **versions, "mamba_edu": mamba_edu.__version__},
        **code_version(),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def command_line(module, arguments):
    """What to type to make this run again; `python` stands for whichever Python it was."""
    return shlex.join(["python", "-m", module, *arguments])


def _bits(loss):
    return round(loss / math.log(2), 5)


def thin_curve(rows, points=200):
    """At most `points` rows of step, tokens, seconds, bpb: each the mean over equally many rows of the history."""
    size = max(1, math.ceil(len(rows) / points))
    curve = []
    for i in range(0, len(rows), size):
        chunk = rows[i : i + size]
        last = chunk[-1]
        curve.append(
            {
                "step": last["step"],
                "tokens": last["tokens"],
                "seconds": round(last["seconds"], 1),
                "bpb": _bits(sum(row["loss"] for row in chunk) / len(chunk)),
            }
        )
    return curve


def make_record(*, command, environment, data, config, settings, parameters, history, scores):
    """The record of a finished run as plain JSON values.

    environment: of `environment()`, taken before the run. data: {"name", "train_bytes", "valid_bytes", "test_bytes"}.
    scores: nats over whole splits: "valid" and "test" in windows of settings.window bytes from a zero state each,
    "valid_carried" and "test_carried" with the state carried through. The validations' best is on settings.eval_bytes.
    """
    return {
        "command": command,
        **environment,
        "data": data,
        "model": {"config": asdict(config), "parameters": parameters},
        "settings": asdict(settings),
        "steps": history.steps,
        "tokens": history.tokens,
        "ended": history.ended,
        "best": {"step": history.best["step"], "bpb": _bits(history.best["loss"])} if history.valid else None,
        "seconds": round(history.seconds, 1),
        "tokens_per_second": round(history.tokens_per_second),
        "train": thin_curve(history.train),
        "valid": thin_curve(history.valid, points=len(history.valid) or 1),
        "bits_per_byte": {split: _bits(loss) for split, loss in scores.items()},
    }
