"""What each insurance of a training run is worth: the same short run, with one thing switched off, at several rates.

    MAMBA_EDU_DATA=... python benchmarks/training_ablations.py --record mamba_edu/records/training_ablations.json

Every run has the same first weights and the same windows for the same seed, so that a difference is the change's. Runs
that are done lie in --parts and are not made again.
"""

import argparse
import hashlib
import json
import math
import shlex
import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, replace
from itertools import product
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import nn

from mamba_edu import Mamba, MambaConfig, bits_per_byte, encode_dataset, evaluate, load_enwiki8_dataset
from mamba_edu.training import TrainSettings, fit
from mamba_edu.training.files import write_json
from mamba_edu.training.log import environment

CHANGES = {
    "none": "as it should be",
    "delta_init": "delta's bias from a plain linear layer",
    "decay_groups": "weight decay for all parameters",
    "warmup": "no warm-up",
    "clip": "no clipping",
    "carry_state": "state carried from window to window",
}
CONFIG = MambaConfig(d_model=128, n_layer=4)
SETTINGS = TrainSettings(steps=500, batch_size=8, seqlen=256, warmup=50, log_every=5, eval_every=50)
RATES = (0.001, 0.004, 0.016)
SEEDS = (0, 1)


def plain_delta_bias(model):
    """Give delta the bias that `nn.Linear` starts with: delta is near 0.7 for all channels, a memory of two bytes."""
    for module in model.modules():
        if hasattr(module, "dt_proj"):
            bound = module.dt_proj.in_features**-0.5
            nn.init.uniform_(module.dt_proj.bias, -bound, bound)


def prepared(change, lr, seed):
    """(model, settings, optimizer or None) of one run."""
    torch.manual_seed(seed)
    model = Mamba(CONFIG)
    settings = replace(SETTINGS, lr=lr, min_lr=lr / 40, seed=seed, carry_state=change == "carry_state")
    optimizer = None
    if change == "delta_init":
        plain_delta_bias(model)
    if change == "warmup":
        settings = replace(settings, warmup=0)
    if change == "clip":
        settings = replace(settings, clip=0)
    if change == "decay_groups":
        decay = settings.weight_decay
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr, betas=settings.betas, weight_decay=decay)
    return model, settings, optimizer


def memory_left(model):
    """5th, 50th and 95th percentile of delta (its bias alone) and of -A over all channels and states."""
    layers = [layer.mixer.s6 for layer in model.backbone.layers]
    at = torch.tensor([0.05, 0.5, 0.95])
    delta = torch.cat([nn.functional.softplus(s6.dt_proj.bias.detach()) for s6 in layers])
    rate = torch.cat([-s6.A.detach().flatten() for s6 in layers])
    return {
        name: [round(x, 5) for x in values.quantile(at).tolist()] for name, values in (("delta", delta), ("-A", rate))
    }


def one_run(job):
    """Make the run `job` = (change, lr, seed, threads) and return it as plain JSON values."""
    change, lr, seed, threads = job
    torch.set_num_threads(threads)
    splits = load_enwiki8_dataset()
    train, valid = encode_dataset(splits.train), encode_dataset(splits.valid)
    model, settings, optimizer = prepared(change, lr, seed)
    rows, diverged, scores = {"train": [], "valid": []}, None, {}

    def report(kind, row):
        more = {"grad_norm": round(row["grad_norm"], 4)} if kind == "train" else {}
        rows[kind].append({"step": row["step"], "bpb": round(bits_per_byte(row["loss"]), 5), **more})

    try:
        fit(model, train, valid, settings, optimizer=optimizer, report=report)
        for name, carry in [("valid", False), ("valid_carried", True)]:
            scores[name] = round(bits_per_byte(evaluate(model, valid, settings.window, carry_state=carry)), 5)
    except FloatingPointError:
        diverged, scores = rows["train"][-1]["step"] if rows["train"] else 0, {"valid": None, "valid_carried": None}
    name = {"change": CHANGES[change], "key": change, "lr": lr, "seed": seed}
    return {**name, "diverged": diverged, **rows, "bits_per_byte": scores, "afterwards": memory_left(model)}


def made(jobs, workers, folder):
    """Yield the result of each job, in their order, keeping each in `folder` as soon as it is there."""
    settings = hashlib.sha256(repr((CONFIG, SETTINGS, jobs[0][3])).encode()).hexdigest()[:8]  # others are other runs
    files = {job: folder / f"{job[0]}-{job[1]:g}-{job[2]}-{settings}.json" for job in jobs}
    waiting = [job for job in jobs if not files[job].exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for job, result in zip(waiting, pool.map(one_run, waiting)):
            write_json(files[job], result)
            scores = result["bits_per_byte"]
            print(f"{job[0]:12} lr {job[1]:g} seed {job[2]}: {scores}", file=sys.stderr, flush=True)
    yield from (json.loads(files[job].read_text()) for job in jobs)


def main(argv=None):
    """Make all runs and write the record."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="gets all runs as JSON")
    parser.add_argument("--parts", type=Path, default=Path("runs/ablations"), metavar="FOLDER", help="of finished runs")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="runs at a time")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads of each run")
    args = parser.parse_args(argv)
    args.parts.mkdir(parents=True, exist_ok=True)
    splits, circumstances = load_enwiki8_dataset(), environment()
    jobs = [(change, lr, seed, args.threads) for seed, lr, change in product(SEEDS, RATES, CHANGES)]
    runs = list(made(jobs, args.workers, args.parts))
    record = {
        "command": shlex.join(["python", "benchmarks/training_ablations.py", *argv]),
        **{**circumstances, "threads": args.threads},
        "data": {"name": splits.name, "train_bytes": len(splits.train), "valid_bytes": len(splits.valid)},
        "model": {"config": asdict(CONFIG), "parameters": Mamba(CONFIG).num_parameters()},
        "settings": asdict(SETTINGS),
        "runs": runs,
    }
    write_json(args.record, record, indent=None)
    untouched = {(r["lr"], r["seed"]): r["bits_per_byte"]["valid"] or math.inf for r in runs if r["key"] == "none"}
    for run in runs:
        score, same = run["bits_per_byte"]["valid"] or math.inf, untouched[run["lr"], run["seed"]]
        print(f"{run['key']:12} lr {run['lr']:g} seed {run['seed']}  {score:.3f} ({score - same:+.3f})")


if __name__ == "__main__":
    main()
