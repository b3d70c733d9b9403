"""python -m mamba_edu.train: from a text to a model, its scores and its record; bad flags cost nothing."""

import json
import math
import re
import runpy
from pathlib import Path

import pytest
from trained import SMALL, environment, rows, run, text_file

from mamba_edu import encode_dataset, evaluate, train
from mamba_edu.training import load_checkpoint

ALL = {"config.json", "model.safetensors", "log.jsonl", "checkpoints"}


@pytest.fixture(autouse=True)
def no_data_of_this_machine(monkeypatch, tmp_path):
    monkeypatch.delenv("MAMBA_EDU_DATA", raising=False)
    monkeypatch.setenv("MAMBA_EDU_CACHE", str(tmp_path / "cache"))


def bits(loss):
    return loss / math.log(2)


def test_from_a_text_to_a_model_its_scores_and_its_record(tmp_path):
    text = text_file(tmp_path / "text.txt")
    flags = ["--data", text, *SMALL, "--steps", "60", "--out", tmp_path / "run"]
    done = run(*flags, "--record", tmp_path / "record.json")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "run").iterdir()} == ALL

    losses = [row["loss"] for row in rows(tmp_path / "run", "train")]
    assert len(losses) == 6 and all(map(math.isfinite, losses))
    assert losses[0] > 4 and losses[-1] < 0.6 * losses[0], "it doesn't learn"
    assert [row["step"] for row in rows(tmp_path / "run", "valid")] == [20, 40, 60]

    shown = {name: float(score) for name, score in re.findall(r"(valid|test) +([\d.]+) bits per byte", done.stdout)}
    stream = re.findall(r"([\d.]+) read in one go", done.stdout)
    shown |= {f"{name}_carried": float(score) for name, score in zip(shown, stream)}
    model, data = load_checkpoint(tmp_path / "run"), text.read_bytes()
    splits = {"valid": data[5400:5700], "test": data[5700:]}
    for name, split in splits.items():
        for key, carry in [(name, False), (f"{name}_carried", True)]:
            loss = evaluate(model, encode_dataset(split), 32, carry_state=carry)
            assert bits(loss) == pytest.approx(shown[key], abs=6e-5)
    assert shown["test"] != shown["test_carried"]
    assert "bits per byte" in done.stderr and "tokens/s" in done.stderr and "left" in done.stderr  # the bar

    record = json.loads((tmp_path / "record.json").read_text())
    assert record["bits_per_byte"] == pytest.approx(shown, abs=6e-5)
    assert record["command"].startswith("python -m mamba_edu.train --data ")
    assert record["model"]["parameters"] == model.num_parameters() and record["steps"] == 60
    assert record["data"] == {"name": "your text", "train_bytes": 5400, "valid_bytes": 300, "test_bytes": 300}
    assert record["threads"] == record["processes"] == 1 and record["tokens"] == 60 * 32 * 8
    assert [row["bpb"] for row in record["train"]] == pytest.approx([bits(loss) for loss in losses], abs=1e-5)


def test_counted_models_join_the_record_of_the_same_bytes(tmp_path, capsys):
    text_file(tmp_path / "text.txt")
    main(tmp_path, "--steps", "3", "--record", tmp_path / "record.json")
    path = Path(__file__).parents[2] / "benchmarks" / "byte_models.py"
    byte_models = runpy.run_path(str(path))["main"]
    flags = ["--data", str(tmp_path / "text.txt"), "--record", str(tmp_path / "record.json")]
    byte_models(flags)
    record = json.loads((tmp_path / "record.json").read_text())
    baselines = record["baselines"]
    assert baselines["command"].startswith("python benchmarks/byte_models.py --data")
    orders = list(baselines["bits_per_byte"]["byte models"].values())
    assert len(orders) == 4 and 8 > orders[0] > orders[1] > orders[3] > 0
    assert baselines["bits_per_byte"]["compressed after the rest"]["xz -9e"] > 0
    assert record["steps"] == 3 and {"commit", "date", "versions"} <= baselines.keys()

    text_file(tmp_path / "text.txt", size=8000)
    with pytest.raises(SystemExit):
        byte_models(flags)
    assert "is about your text, 300 test bytes" in capsys.readouterr().err
    assert json.loads((tmp_path / "record.json").read_text()) == record


def test_the_pocket_needs_no_network_and_minutes_end_in_time(tmp_path):
    flags = ["--pocket", *SMALL, "--minutes", "0.05", "--eval-bytes", "500", "--out", tmp_path / "run"]
    done = run(*flags, env=environment() | {"http_proxy": "http://127.0.0.1:9"})
    assert done.returncode == 0, done.stderr
    assert "pocket" in done.stdout
    last = rows(tmp_path / "run", "train")[-1]
    assert 3 <= last["seconds"] < 20 and last["lr"] < 0.002


def main(tmp_path, *arguments):
    """The command in this process, on the text of `tmp_path`."""
    flags = ["--data", tmp_path / "text.txt", *SMALL, "--out", tmp_path / "run", *arguments]
    train.main([str(flag) for flag in flags])


def test_nothing_beyond_the_training_split_touches_the_model(tmp_path, capsys):
    """Two texts that differ in their validation and test split alone: one model, two scores."""
    models, scores = [], []
    for tail in [b"", b"\xff" * 600]:
        text_file(tmp_path / "text.txt", tail)
        main(tmp_path, "--steps", "30", "--dropout", "0.1", "--overwrite")
        models.append((tmp_path / "run" / "model.safetensors").read_bytes())
        scores.append(re.findall(r"([\d.]+) bits per byte", capsys.readouterr().out))
    assert models[0] == models[1]
    assert len(scores[0]) == 2 and not set(scores[0]) & set(scores[1])


def test_seeds_repeat_and_differ(tmp_path):
    text_file(tmp_path / "text.txt")
    models = []
    for seed in [3, 3, 4]:
        main(tmp_path, "--steps", "5", "--seed", seed, "--overwrite")
        models.append((tmp_path / "run" / "model.safetensors").read_bytes())
    assert models[0] == models[1] != models[2]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--d-model", "0"], "d_model must be at least 1, got 0"),
        (["--dropout", "1.5"], "dropout must be .* got 1.5"),
        (["--steps", "-5"], "steps must be at least 1, got -5"),
        (["--steps", "5", "--minutes", "1"], "not allowed with argument"),
        (["--minutes", "nan"], "minutes must be a finite number"),
        (["--lr", "fast"], "argument --lr: invalid float value: 'fast'"),
        (["--min-lr", "1"], "min_lr must be at most lr"),
        (["--threads", "0"], "threads must be at least 1, got 0"),
        (["--seqlen", "5400"], "your text is too short for --seqlen 5400"),
        (["--data", "nowhere.txt"], "nowhere.txt does not exist"),
        (["--record", "nowhere/a.json"], "--record: the folder nowhere does not exist"),
        (["--widen", "3"], "unrecognized arguments: --widen 3"),
    ],
)
def test_a_bad_flag_is_one_line_and_leaves_no_trace(tmp_path, capsys, monkeypatch, flags, words):
    monkeypatch.chdir(tmp_path)
    text_file(tmp_path / "text.txt")
    with pytest.raises(SystemExit) as caught:
        main(tmp_path, *flags)
    message = capsys.readouterr().err
    assert caught.value.code == 2
    assert re.search(words, message.splitlines()[-1])
    assert not (tmp_path / "run").exists()


def test_a_full_folder_and_an_old_record_are_refused_by_name(tmp_path, capsys):
    text_file(tmp_path / "text.txt")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").write_text("all of it")
    (tmp_path / "old.json").write_text("{}")
    record = ["--out", tmp_path / "b", "--record", tmp_path / "old.json"]
    for flags, words in [([], "run is not empty"), (record, "old.json exists")]:
        with pytest.raises(SystemExit):
            main(tmp_path, *flags)
        assert words in capsys.readouterr().err
    main(tmp_path, "--steps", "2", "--record", tmp_path / "old.json", "--overwrite")
    assert (tmp_path / "run" / "thesis.txt").read_text() == "all of it"
    assert {path.name for path in (tmp_path / "run").iterdir()} == {*ALL, "thesis.txt"}
    assert json.loads((tmp_path / "old.json").read_text())["steps"] == 2


def test_the_help_names_every_flag_with_its_default(capsys):
    with pytest.raises(SystemExit):
        train.main(["--help"])
    text = capsys.readouterr().out
    assert "%%" not in text and "None" not in text
    for action in train.make_parser()._actions:
        assert action.help and action.option_strings[-1] in text
        if action.default not in (None, False, "==SUPPRESS=="):
            assert f"(default: {action.default})" in re.sub(r"\s+", " ", text)
