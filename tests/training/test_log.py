"""Records: what a reader needs to judge a result, and nothing that isn't so."""

import json
import math
import subprocess
from datetime import datetime

import pytest
import torch

import mamba_edu
from mamba_edu import MambaConfig, records
from mamba_edu.records import load_record
from mamba_edu.training import TrainSettings, log
from mamba_edu.training.loop import History

ROWS = [{"step": 10 * k, "tokens": 640 * k, "seconds": 0.5 * k, "loss": math.log(2) * k} for k in range(1, 1001)]


def test_the_circumstances_are_those_of_this_process():
    here = log.environment()
    assert (
        here["versions"]["torch"] == torch.__version__.partition("+")[0]
        or here["versions"]["torch"] in torch.__version__
    )
    assert here["versions"]["mamba_edu"] == mamba_edu.__version__
    assert set(here["versions"]) == {"python", "torch", "numba", "numpy", "mamba_edu"}
    assert here["threads"] == torch.get_num_threads() and here["device"]["kind"] == "cpu" and here["device"]["name"]
    assert datetime.fromisoformat(here["date"]).utcoffset().total_seconds() == 0
    json.dumps(here)


def repository(folder):
    package = folder / "pkg"
    package.mkdir()
    (package / "__init__.py").write_text("a = 1\n")

    def git(*arguments):
        who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
        return subprocess.run(
            ["git", "-C", folder, *who, *arguments], check=True, capture_output=True, text=True
        ).stdout

    git("init", "-q")
    git("add", "pkg")
    git("commit", "-q", "-m", "one")
    return package, git


def test_the_commit_is_that_of_the_package_and_changes_make_it_dirty(tmp_path, monkeypatch):
    package, git = repository(tmp_path)
    monkeypatch.setattr(log, "_PACKAGE", package)
    assert log.code_version() == {"commit": git("rev-parse", "HEAD").strip(), "dirty": False}
    (tmp_path / "notes.txt").write_text("not the package's")
    assert log.code_version()["dirty"] is False
    (package / "__init__.py").write_text("a = 2\n")
    assert log.code_version()["dirty"] is True


def test_a_copy_is_told_its_commit(monkeypatch):
    monkeypatch.setenv("MAMBA_EDU_COMMIT", "abc123")
    assert log.code_version() == {"commit": "abc123", "dirty": None}


def test_a_package_that_git_does_not_track_has_no_commit(tmp_path, monkeypatch):
    package, _ = repository(tmp_path)
    installed = tmp_path / "site-packages"
    installed.mkdir()
    (installed / "__init__.py").write_text("")
    for folder in [installed, tmp_path / "nowhere"]:
        monkeypatch.setattr(log, "_PACKAGE", folder)
        assert log.code_version() == {"commit": None, "dirty": None}
    monkeypatch.setattr(log, "_PACKAGE", package)
    monkeypatch.setenv("PATH", str(tmp_path))  # no git
    assert log.code_version() == {"commit": None, "dirty": None}


def test_a_curve_is_thinned_by_means_and_keeps_its_end():
    curve = log.thin_curve(ROWS, points=200)
    assert len(curve) == 200
    assert curve[0] == {"step": 50, "tokens": 3200, "seconds": 2.5, "bpb": 3.0}
    assert curve[-1]["step"] == 10_000 and curve[-1]["bpb"] == 998
    assert len(log.thin_curve(ROWS[:201], points=200)) == 101
    assert log.thin_curve(ROWS[:2])[1]["bpb"] == 2 and log.thin_curve([]) == []


def test_a_record_says_bits_where_the_history_says_nats(tmp_path):
    history = History(train=ROWS, valid=ROWS[::500], steps=10_000, tokens=640_000, seconds=500.04, train_seconds=320.0)
    record = log.make_record(
        command=log.command_line("mamba_edu.train", ["--out", "my run"]),
        environment=log.environment(),
        data={"name": "pocket"},
        config=MambaConfig(16, 2),
        settings=TrainSettings(steps=10_000),
        parameters=1234,
        history=history,
        scores={"valid": math.log(2) * 2, "test": math.log(2) * 2.5},
    )
    assert record["command"] == "python -m mamba_edu.train --out 'my run'"
    assert record["bits_per_byte"] == {"valid": 2.0, "test": 2.5}
    assert [row["bpb"] for row in record["valid"]] == [1.0, 501.0]
    assert record["tokens_per_second"] == 2000 and record["seconds"] == 500.0
    assert record["model"]["config"]["d_model"] == 16 and record["settings"]["betas"] == (0.9, 0.95)
    for word in ["commit", "dirty", "date", "versions", "device", "threads"]:
        assert word in record
    json.dumps(record, allow_nan=False)


def test_records_are_found_by_name(tmp_path, monkeypatch):
    monkeypatch.setattr(records.resources, "files", lambda package: tmp_path)
    with pytest.raises(ValueError, match=r"name must be one of \(no records yet\), got 'x'"):
        load_record("x")
    (tmp_path / "x.json").write_text('{"a": "é"}', encoding="utf-8")
    assert load_record("x") == {"a": "é"}
    for name in ["y", "../x", "x.json"]:
        with pytest.raises(ValueError, match="name must be one of x, got"):
            load_record(name)
    with pytest.raises(TypeError, match="name must be a string, got int"):
        load_record(3)
