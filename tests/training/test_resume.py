"""A run that was killed and resumed is the run that was not: every tensor, every line of the log."""

import json
import re
import shlex
import signal
import subprocess
import sys
import time

import pytest
import torch
from trained import DIE_IN_SAVE, DIE_IN_STEP, SMALL, environment, run, tensors, text_file, timeless

from mamba_edu.training import load_checkpoint

LAST = "checkpoints/step-00000060"
FLAGS = ["--steps", "60", "--save-every", "7", "--dropout", "0.1"]
CARRIED = [*FLAGS, "--carry-state", "--accumulate", "2"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return text_file(tmp_path_factory.mktemp("text") / "text.txt")


@pytest.fixture(scope="module")
def straight(text, tmp_path_factory):
    """{flags: folder of a run that nobody disturbed}."""
    folders = {}
    for name, flags in {"shuffled": FLAGS, "carried": CARRIED}.items():
        folders[name] = tmp_path_factory.mktemp("straight") / name
        done = run("--data", text, *SMALL, *flags, "--out", folders[name])
        assert done.returncode == 0, done.stderr
    return folders


def assert_the_same_run(out, other):
    ours, theirs = tensors(out / LAST), tensors(other / LAST)
    assert ours.keys() == theirs.keys() and any("optimizer.0.exp_avg" in name for name in ours)
    different = [name for name, tensor in ours.items() if not torch.equal(tensor, theirs[name])]
    assert not different
    assert (out / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()
    assert timeless(out) == timeless(other)


def go_on(text, out, flags, before=""):
    return run("--data", text, *SMALL, *flags, "--out", out, "--resume", before=before)


@pytest.mark.parametrize("step", [3, 26, 51])
def test_a_killed_run_goes_on_bit_for_bit(text, straight, tmp_path, step):
    """Before the first save; between a save and the next; twice, the second time in what was resumed."""
    out = tmp_path / "run"
    killed = run("--data", text, *SMALL, *FLAGS, "--out", out, before=DIE_IN_STEP.format(n=step))
    assert killed.returncode == -signal.SIGKILL
    if step == 51:
        assert go_on(text, out, FLAGS, DIE_IN_STEP.format(n=9)).returncode == -signal.SIGKILL
    done = go_on(text, out, FLAGS)
    assert done.returncode == 0, done.stderr
    assert ("nothing to resume" in done.stdout) == (step == 3)
    assert_the_same_run(out, straight["shuffled"])


def test_a_run_that_carries_its_state_goes_on_with_it(text, straight, tmp_path):
    out = tmp_path / "run"
    killed = run("--data", text, *SMALL, *CARRIED, "--out", out, before=DIE_IN_STEP.format(n=31))
    assert killed.returncode == -signal.SIGKILL
    assert go_on(text, out, CARRIED).returncode == 0
    assert_the_same_run(out, straight["carried"])
    assert any("carried.0" in name for name in tensors(out / LAST))
    assert not torch.equal(load_checkpoint(out).lm_head.weight, load_checkpoint(straight["shuffled"]).lm_head.weight)


def test_a_run_killed_inside_a_save_has_the_save_before(text, straight, tmp_path):
    out = tmp_path / "run"
    killed = run("--data", text, *SMALL, *FLAGS, "--out", out, before=DIE_IN_SAVE.format(n=4))
    assert killed.returncode == -signal.SIGKILL
    names = sorted(path.name for path in (out / "checkpoints").iterdir())
    assert [name for name in names if name.startswith("step")][-1] == "step-00000020"  # 7, 14, 20, and 21 half
    assert any(name.startswith(".writing-") for name in names)
    done = go_on(text, out, FLAGS)
    assert done.returncode == 0 and "training from step 20 on" in done.stdout
    assert_the_same_run(out, straight["shuffled"])
    assert not list((out / "checkpoints").glob(".*"))


def test_ctrl_c_saves_and_says_how_to_go_on(text, straight, tmp_path):
    out = tmp_path / "run"
    slow = "from mamba_edu.training import loop\nimport time\nstep = loop.train_step\n"
    slow += "loop.train_step = lambda *a, **k: (time.sleep(0.05), step(*a, **k))[1]\n"
    code = f"import sys\n{slow}\nfrom mamba_edu.train import main\nmain(sys.argv[1:])"
    command = [sys.executable, "-c", code, "--data", text, *SMALL, *FLAGS, "--out", out]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    process = subprocess.Popen([str(word) for word in command], env=environment(), **streams)
    while not list((out / "checkpoints").glob("step-*14")):
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130 and "Traceback" not in error
    step, again = re.search(r"stopped after step (\d+); .*Go on with\s+(python -m .* --resume)", error, re.S).groups()
    numbers = json.loads((out / f"checkpoints/step-{int(step):08d}/training.json").read_text())
    assert numbers["steps"] == int(step) >= 14
    done = run(*shlex.split(again)[3:])
    assert done.returncode == 0, done.stderr
    assert_the_same_run(out, straight["shuffled"])


def test_a_finished_run_is_not_run_again(text, straight, tmp_path):
    before = timeless(straight["shuffled"]), (straight["shuffled"] / "model.safetensors").read_bytes()
    done = go_on(text, straight["shuffled"], FLAGS)
    assert done.returncode == 0 and "training from step 60 on" in done.stdout
    assert before == (timeless(straight["shuffled"]), (straight["shuffled"] / "model.safetensors").read_bytes())


def test_the_two_newest_checkpoints_and_the_best_are_kept(straight):
    for out in straight.values():
        steps = [int(path.name[5:]) for path in sorted((out / "checkpoints").iterdir())]
        losses = {row["step"]: row["loss"] for row in timeless(out) if row["kind"] == "valid"}
        assert set(steps) == {56, 60, min(losses, key=losses.get)}
