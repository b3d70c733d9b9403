"""What goes wrong in a long run: one clear sentence each, and nothing that was there is lost."""

import json
import os
import re
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from trained import SMALL, rows, run, tensors, text_file, timeless

from mamba_edu import train
from mamba_edu.training import load_checkpoint, loop, snapshot

FLAGS = [*SMALL, "--steps", "40", "--save-every", "5"]


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    return text_file(tmp_path_factory.mktemp("text") / "text.txt")


def main(text, out, *more):
    train.main([str(flag) for flag in ["--data", text, *FLAGS, "--out", out, *more]])


def refused(capsys, text, out, *more):
    """The one line with which the command refuses to begin."""
    with pytest.raises(SystemExit) as caught:
        main(text, out, *more)
    assert caught.value.code == 2
    lines = capsys.readouterr().err.strip().splitlines()
    assert len(lines) == 2 and lines[0].startswith("usage: python -m mamba_edu.train")
    return lines[1]


@pytest.fixture(scope="module")
def half(text, tmp_path_factory):
    """A run that was stopped after step 17."""
    out = tmp_path_factory.mktemp("half") / "run"
    before = "from mamba_edu.training import loop\nstep, calls = loop.train_step, []\n"
    before += "def stopping(*a, **k):\n    calls.append(1)\n"
    before += "    if len(calls) == 17: os.kill(os.getpid(), signal.SIGTERM)\n    return step(*a, **k)\n"
    done = run("--data", text, *FLAGS, "--out", out, before=before + "loop.train_step = stopping\n")
    assert done.returncode == 130 and "stopped after step 17; the last good checkpoint is" in done.stderr
    return out


@pytest.fixture
def copy(half, tmp_path):
    shutil.copytree(half, tmp_path / "run")
    return tmp_path / "run"


def content(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


NEWEST = "checkpoints/step-00000017"


def cut_short(path):
    path.write_bytes(path.read_bytes()[:-20])


def one_bit_off(path):
    data = bytearray(path.read_bytes())
    data[-3] ^= 4
    path.write_bytes(data)


@pytest.mark.parametrize("harm", [cut_short, one_bit_off])
@pytest.mark.parametrize("name", ["model.safetensors", "training.safetensors", "config.json"])
def test_a_damaged_checkpoint_is_named_with_the_way_out(text, copy, capsys, name, harm):
    harm(copy / NEWEST / name)
    before = content(copy)
    message = refused(capsys, text, copy, "--resume")
    assert f"--resume: {copy / NEWEST / name} is damaged" in message
    assert f"delete {copy / NEWEST} to go on from step-00000015" in message
    assert content(copy) == before
    shutil.rmtree(copy / NEWEST)
    main(text, copy, "--resume")
    assert rows(copy, "train")[-1]["step"] == 40


@pytest.mark.parametrize(
    ("name", "new", "words"),
    [
        ("training.json", "{", "training.json is damaged: it is no JSON"),
        ("training.json", "[1]", "training.json is of another program"),
        ("training.json", None, "training.json is missing: a run can't go on from weights alone"),
        ("training.safetensors", None, "training.safetensors is missing: the checkpoint is not whole"),
    ],
)
def test_what_is_no_checkpoint_of_ours_is_named(text, copy, capsys, name, new, words):
    path = copy / NEWEST / name
    path.unlink() if new is None else path.write_text(new)
    assert words in refused(capsys, text, copy, "--resume")


def test_a_format_of_the_future_is_named(text, copy, capsys):
    path = copy / NEWEST / "training.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "format": 9}))
    assert "has format 9, this version of mamba_edu reads 1" in refused(capsys, text, copy, "--resume")


def test_a_log_that_was_cut_is_named(text, copy, capsys):
    (copy / "log.jsonl").write_text("")
    assert re.search(
        r"log.jsonl must hold the \d+ bytes of the run so far, holds 0", refused(capsys, text, copy, "--resume")
    )


def test_resume_does_not_begin_on_top_of_other_files(text, tmp_path, capsys):
    """A finished model without checkpoints, a log that is no run's: a new run would replace them."""
    out = tmp_path / "run"
    out.mkdir()
    (out / "model.safetensors").write_text("a month of work")
    (out / "log.jsonl").write_text("mine")
    message = refused(capsys, text, out, "--resume")
    assert "has no checkpoint, but model.safetensors, which a new run could replace" in message
    assert (out / "model.safetensors").read_text() == "a month of work" and (out / "log.jsonl").read_text() == "mine"


def test_a_text_too_short_for_its_streams_is_refused(text, tmp_path, capsys):
    message = refused(capsys, text, tmp_path / "run", "--carry-state", "--seqlen", "700")
    assert "too short for --seqlen 700 and --carry-state with --batch-size 8" in message
    assert not (tmp_path / "run").exists()


def test_flags_that_make_it_another_run_are_listed(text, half, tmp_path, capsys):
    before = content(half)
    message = refused(capsys, text, half, "--resume", "--lr", "0.02", "--d-state", "8", "--steps", "50")
    assert "is of another run: --d-state was 4, is 8; --lr was 0.01, is 0.02; --steps was 40, is 50" in message
    other = text_file(tmp_path / "other.txt", tail=b"?")
    assert "the text was your text with digest" in refused(capsys, other, half, "--resume")
    assert "--resume to go on with its run, or --overwrite" in refused(capsys, text, half)
    assert "one goes on" in refused(capsys, text, half, "--resume", "--overwrite")
    assert content(half) == before


def test_other_threads_are_no_error_but_are_said(text, copy, capsys):
    main(text, copy, "--resume", "--threads", "2")
    assert "not bit for bit the run that it would have been: threads 1 -> 2" in capsys.readouterr().out


@pytest.mark.skipif(os.name == "nt", reason="limits of this kind are POSIX")
def test_a_full_disk_in_a_save_loses_nothing(text, tmp_path):
    """A limit on the size of files stands for the full disk: the weights fit no longer."""
    out, straight = tmp_path / "run", tmp_path / "straight"
    limit = "import resource\nsignal.signal(signal.SIGXFSZ, signal.SIG_IGN)\nfrom mamba_edu.training import snapshot\n"
    limit += "save, calls = snapshot.save_checkpoint, []\ndef full(*a):\n    calls.append(1)\n"
    limit += "    if len(calls) == 4: resource.setrlimit(resource.RLIMIT_FSIZE, (9000, 9000))\n    return save(*a)\n"
    done = run("--data", text, *FLAGS, "--out", out, before=limit + "snapshot.save_checkpoint = full\n")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    assert re.search(
        r"can't write .*File too large.*the last good checkpoint is .*step-00000015\. Make room", done.stderr, re.S
    )
    assert [path.name for path in sorted((out / "checkpoints").iterdir())] == ["step-00000010", "step-00000015"]
    assert run("--data", text, *FLAGS, "--out", out, "--resume").returncode == 0
    assert run("--data", text, *FLAGS, "--out", straight).returncode == 0
    assert timeless(out) == timeless(straight)


def test_a_full_disk_in_the_log_leaves_whole_lines(text, tmp_path, monkeypatch, capsys):
    out = tmp_path / "run"
    from mamba_edu.training.files import JsonLines

    class Full:
        """A file that takes ten more bytes after its third line, then nothing."""

        def __init__(self, file):
            self.file, self.lines = file, 0

        def write(self, data):
            self.lines += 1
            if self.lines > 4:
                raise OSError(28, "No space left on device")
            return self.file.write(data[:10] if self.lines == 4 else data)

        def __getattr__(self, name):
            return getattr(self.file, name)

    made = JsonLines.__init__

    def limited(self, *arguments):
        made(self, *arguments)
        self.file = Full(self.file)

    monkeypatch.setattr(JsonLines, "__init__", limited)
    with pytest.raises(SystemExit, match=r"can't write .*No space left on device"):
        main(text, out)
    assert len(rows(out)) == 3


def test_a_folder_that_can_not_be_written_is_refused_at_once(text, tmp_path, capsys, monkeypatch):
    (tmp_path / "file").write_text("mine")
    assert "must be a folder" in refused(capsys, text, tmp_path / "file")
    message = refused(capsys, text, tmp_path / "file" / "below")
    assert f"--out: {tmp_path / 'file' / 'below'} can't be written to (Not a directory)" in message
    assert (tmp_path / "file").read_text() == "mine"


def test_nan_names_the_step_and_the_last_good_checkpoint(text, tmp_path, monkeypatch):
    losses, calls = loop.token_losses, []

    def poisoned(*arguments, **options):
        calls.append(1)
        return losses(*arguments, **options) * (float("nan") if len(calls) == 33 else 1)

    monkeypatch.setattr(loop, "token_losses", poisoned)
    with pytest.raises(
        SystemExit, match=r"stopped at step 33: the loss is nan; .*last good checkpoint is .*step-00000030"
    ):
        main(text, tmp_path / "run")
    model = load_checkpoint(tmp_path / "run/checkpoints/step-00000030")
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_the_run_ends_early_and_keeps_its_best(text, tmp_path, monkeypatch, capsys):
    """The validations get worse from the second on; the model of the first is the result."""
    from mamba_edu.training.evaluate import evaluate

    calls = []

    def worse(*arguments, **options):
        calls.append(1)
        return evaluate(*arguments, **options) + (len(calls) if len(calls) > 1 else 0)

    monkeypatch.setattr(loop, "evaluate", worse)
    main(text, tmp_path / "run", "--steps", "200", "--eval-every", "10", "--patience", "3")
    assert "best of 4 looks: step 10 of 40, stopped early: 3 looks without a new best" in capsys.readouterr().out
    best = load_file(tmp_path / "run/checkpoints/step-00000010/model.safetensors")
    kept = load_file(tmp_path / "run/model.safetensors")
    assert all(torch.equal(best[name], kept[name]) for name in best)


def test_a_checkpoint_holds_what_the_step_had(text, half):
    found = tensors(half / NEWEST)
    means = [name for name in found if name.endswith("exp_avg")]
    assert means and all(found[name].abs().max() > 0 for name in means)
    assert {int(found[name]) for name in found if name.endswith(".step")} == {17}


def test_a_foreign_tensor_file_is_no_checkpoint(text, copy, capsys):
    """Whole and well-formed, digest and all, but of another model."""
    path = copy / NEWEST / "model.safetensors"
    save_file({"weight": torch.zeros(3)}, path)
    numbers = json.loads((copy / NEWEST / "training.json").read_text())
    numbers["sha256"]["model.safetensors"] = snapshot._digest(path)
    (copy / NEWEST / "training.json").write_text(json.dumps(numbers))
    assert "model.safetensors lacks backbone.embedding.weight" in refused(capsys, text, copy, "--resume")


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_curves_become_a_picture(text, tmp_path, ending):
    main(text, tmp_path / "run", "--steps", "10", "--plot", tmp_path / f"curve.{ending}")
    start = (tmp_path / f"curve.{ending}").read_bytes()[:5]
    assert start == {"svg": b"<?xml", "png": b"\x89PNG\r", "pdf": b"%PDF-"}[ending]


def test_a_picture_of_another_kind_is_refused(text, tmp_path, capsys):
    message = refused(capsys, text, tmp_path / "run", "--plot", tmp_path / "curve.gif")
    assert "--plot must end in .svg, .png, .pdf, got" in message
