"""torchrun: several processes train the model that one would, and end together."""

import math
import re
import signal
import time

import pytest
from trained import SMALL, rows, run, tensors, text_file, timeless

FLAGS = ["--steps", "20", "--eval-every", "10", "--batch-size", "8"]
EVERY_STEP = [*FLAGS, "--log-every", "1"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return text_file(tmp_path_factory.mktemp("text") / "text.txt", size=9000)


@pytest.fixture(scope="module")
def alone(text, tmp_path_factory):
    """A run of one process that logs every step."""
    out = tmp_path_factory.mktemp("alone") / "run"
    done = run("--data", text, *SMALL, *EVERY_STEP, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done.stdout


def losses(out):
    return [row["loss"] for row in rows(out)]


def bits(printed):
    return [float(number) for number in re.findall(r"([\d.]+) (?:bits per byte|read in one go)", printed)]


@pytest.mark.parametrize(("processes", "more"), [(2, []), (4, []), (2, ["--accumulate", "2"]), (2, ["--carry-state"])])
def test_several_processes_take_the_steps_of_one(text, alone, tmp_path, processes, more):
    out, (other, printed) = tmp_path / "run", alone
    if more == ["--carry-state"]:
        other = tmp_path / "alone"
        printed = run("--data", text, *SMALL, *EVERY_STEP, *more, "--out", other).stdout
    done = run("--data", text, *SMALL, *EVERY_STEP, *more, "--out", out, processes=processes)
    assert done.returncode == 0, done.stderr
    assert len(losses(out)) == 22 and losses(out) == pytest.approx(losses(other), rel=1e-6)
    assert len(bits(done.stdout)) == 4 and bits(done.stdout) == pytest.approx(bits(printed), abs=1.01e-4)
    assert done.stdout.count("bits per byte") == 2, "more than one process prints"
    assert rows(out)[-1]["tokens"] == 20 * 8 * 32


@pytest.mark.parametrize(("first", "then"), [(2, None), (None, 2)])
def test_a_run_goes_on_with_another_number_of_processes(text, alone, tmp_path, first, then):
    out, (other, _) = tmp_path / "run", alone
    done = run("--data", text, *SMALL, *EVERY_STEP, "--out", out, before=STOP_AFTER_13, processes=first)
    assert "stopped after step 13" in done.stderr
    assert ("torchrun --nproc-per-node 2 -m mamba_edu.train" in done.stderr) == (first == 2)
    done = run("--data", text, *SMALL, *EVERY_STEP, "--out", out, "--resume", processes=then)
    assert done.returncode == 0, done.stderr
    assert losses(out) == pytest.approx(losses(other), rel=1e-6)


STOP_AFTER_13 = """
from mamba_edu.training import loop
step, calls = loop.train_step, []
def stopping(*arguments, **options):
    calls.append(1)
    if len(calls) == 13:
        os.kill(os.getpid(), signal.SIGINT)
    return step(*arguments, **options)
loop.train_step = stopping
"""


def test_the_same_number_of_processes_goes_on_bit_for_bit(text, tmp_path):
    """With dropout: each process has its own random generator back."""
    flags = ["--data", text, *SMALL, *FLAGS, "--dropout", "0.2"]
    assert run(*flags, "--out", tmp_path / "a", processes=2).returncode == 0
    assert "stopped after step 13" in run(*flags, "--out", tmp_path / "b", before=STOP_AFTER_13, processes=2).stderr
    assert run(*flags, "--out", tmp_path / "b", "--resume", processes=2).returncode == 0
    assert timeless(tmp_path / "a") == timeless(tmp_path / "b")
    ours, theirs = (tensors(tmp_path / name / "checkpoints/step-00000020") for name in "ab")
    assert all((ours[name] == theirs[name]).all() for name in ours)
    masks = ours["training.safetensors:random.cpu"]
    assert len(masks) == 2 and not (masks[0] == masks[1]).all(), "all processes drop the same"


DIE_IN_RANK_1 = """
if os.environ["RANK"] == "1":
    from mamba_edu.training import loop
    step, calls = loop.train_step, []
    def dying(*arguments, **options):
        calls.append(1)
        if len(calls) == 12:
            os.kill(os.getpid(), signal.SIGKILL)
        return step(*arguments, **options)
    loop.train_step = dying
"""


def test_a_process_that_dies_ends_the_run(text, tmp_path):
    start = time.monotonic()
    flags = ["--data", text, *SMALL, *FLAGS, "--out", tmp_path / "run"]
    done = run(*flags, before=DIE_IN_RANK_1, processes=2, timeout=120)
    assert done.returncode != 0 and time.monotonic() - start < 90
    assert f"exitcode  : {-signal.SIGKILL}" in done.stderr
    assert run(*flags, "--resume", processes=2).returncode == 0
    assert math.isfinite(losses(tmp_path / "run")[-1])


SLOW_START_IN_RANK_1 = """
if os.environ["RANK"] == "1":
    import time
    from mamba_edu.training import loop
    step, calls = loop.train_step, []
    def slow(*arguments, **options):
        result = step(*arguments, **options)
        calls.append(time.sleep(0.7 if not calls else 0))
        return result
    loop.train_step = slow
"""


def test_a_run_by_the_clock_ends_at_the_same_step_everywhere(text, tmp_path):
    flags = ["--data", text, *SMALL, "--eval-every", "0", "--minutes", "0.05", "--out", tmp_path / "run"]
    done = run(*flags, before=SLOW_START_IN_RANK_1, processes=2, timeout=120)
    assert done.returncode == 0, done.stderr
    assert rows(tmp_path / "run")[-1]["step"] > 1


def test_a_batch_that_does_not_divide_is_refused_once(text, tmp_path):
    flags = ["--data", text, *SMALL, *FLAGS, "--accumulate", "2", "--out", tmp_path / "run"]
    done = run(*flags, processes=3)
    assert done.returncode != 0 and not (tmp_path / "run").exists()
    assert done.stderr.count("batch_size must be a multiple of accumulate=2 times 3 processes, got 8") == 1
