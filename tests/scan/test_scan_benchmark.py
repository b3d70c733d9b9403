"""The benchmark times nothing that is wrong."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest
import torch

FILE = Path(__file__).resolve().parents[2] / "benchmarks" / "scan_cpu.py"


@pytest.fixture
def benchmark():
    spec = importlib.util.spec_from_file_location("scan_cpu", FILE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("damage", [lambda y: y * 1.0001, lambda y: y * torch.nan, lambda y: y.detach() + 0 * y])
def test_a_wrong_contender_is_not_timed(benchmark, damage):
    x, grad_y = benchmark.inputs(1, 6, 3, 2)
    right = benchmark.ours("chunked")
    benchmark.verify({"right": right}, x, grad_y)
    with pytest.raises(SystemExit, match="wrong is wrong, and is not timed"):
        benchmark.verify({"wrong": lambda *given: damage(right(*given))}, x, grad_y)


def test_it_prints_every_contender_and_writes_the_record(benchmark, monkeypatch, tmp_path, capsys):
    record, threads = tmp_path / "record.json", torch.get_num_threads()
    command = f"scan_cpu.py --shape b1 l8 d4 n2 --repeats 2 --threads {threads} --json {record}"
    monkeypatch.setattr(sys, "argv", command.split())
    monkeypatch.setattr(benchmark, "mambapy_scan", lambda: None)
    benchmark.main()
    printed, written = capsys.readouterr().out, json.loads(record.read_text())
    assert "mambapy is not installed, so the peer is missing: pip install" in printed
    assert set(written["median_ms"]) == {"loop", "chunked", "cpu"}
    assert all(ms > 0 for tasks in written["median_ms"].values() for ms in tasks.values())
    assert {"cpu", "threads", "versions", "date", "command"} <= set(written)
