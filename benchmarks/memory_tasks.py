"""RNN, LSTM, S4D and S4 of equal size where memory counts: a token recalled after 1,000 steps, digits pixel by pixel.

    python benchmarks/memory_tasks.py --record mamba_edu/records/memory_tasks.json

Same frame, same number of parameters, same steps, same batches. Each model gets the same care: four learning rates
times two starts, all trained in full, the best by the validation score; then that setting again from other seeds, and
their test scores are the result. RNN and LSTM are PyTorch's own, equal to `mamba_edu.rnn` by a test and faster on long
sequences. Runs that are done lie in --parts and are not made again.
"""

import argparse
import hashlib
import json
import math
import shlex
import statistics
import sys
import time
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

from mamba_edu.s4 import S4, S4D
from mamba_edu.tasks import delayed_recall, sequential_digits
from mamba_edu.training import parameter_groups
from mamba_edu.training.files import write_json
from mamba_edu.training.log import environment

D_MODEL, D_STATE, VOCABULARY = 32, 32, 16
RATES = (1e-3, 3e-3, 1e-2, 3e-2)
SEEDS = (1, 2, 3)  # of the runs that count; the search has seed 0
STARTS = {
    "RNN": ("PyTorch's", "orthogonal"),
    "LSTM": ("forget bias 1", "chrono"),
    "S4D": ("lin", "inv"),
    "S4": ("delta 0.001 to 0.1", "delta 0.0003 to 0.03"),
}


@dataclass(frozen=True)
class Task:
    """How long, how many, how often."""

    seqlen: int
    batch: int
    steps: int


TASKS = {"delayed recall": Task(1000, 8, 1400), "digits": Task(64, 32, 800)}


class Recurrent(nn.Module):
    """PyTorch's RNN or LSTM, n wide, and a linear map back to the stream. x: (b, l, d) -> (b, l, d)."""

    def __init__(self, kind, d_model, n, start, seqlen):
        super().__init__()
        self.rnn = kind(d_model, n, batch_first=True)
        self.out = nn.Linear(n, d_model)
        with torch.no_grad():
            if start == "orthogonal":
                nn.init.orthogonal_(self.rnn.weight_hh_l0)
                self.rnn.bias_ih_l0.zero_()
                self.rnn.bias_hh_l0.zero_()
            elif start != "PyTorch's":  # the gates' order is input, forget, cell, output
                forget = self.rnn.bias_ih_l0[n : 2 * n]
                self.rnn.bias_ih_l0.zero_()
                self.rnn.bias_hh_l0.zero_()
                forget.fill_(1.0)
                if start == "chrono":  # memories of 1 to seqlen steps (Tallec and Ollivier 2018, section 2)
                    forget.uniform_(1, seqlen - 1).log_()
                    self.rnn.bias_ih_l0[:n] = -forget

    def forward(self, x):
        return self.out(self.rnn(x)[0])


class StateSpace(nn.Module):
    """S4D or S4, GELU, and a linear map that mixes the channels. x: (b, l, d) -> (b, l, d)."""

    def __init__(self, d_model, d_state, start):
        super().__init__()
        if start in ("lin", "inv"):
            self.ssm = S4D(d_model, d_state, init=start)
        else:
            low, high = (float(word) for word in start.split() if word[0].isdigit())
            self.ssm = S4(d_model, d_state, dt_min=low, dt_max=high)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x):
        return self.out(F.gelu(self.ssm(x)))


class Reader(nn.Module):
    """Encoder, two layers (norm, mixer, residual), norm, head at the last step. -> (b, classes)."""

    def __init__(self, encoder, mixers, d_model, classes):
        super().__init__()
        self.encoder, self.mixers = encoder, nn.ModuleList(mixers)
        self.norms = nn.ModuleList(nn.LayerNorm(d_model) for _ in range(len(mixers) + 1))
        self.head = nn.Linear(d_model, classes)

    def forward(self, x):
        x = self.encoder(x)  # (b, l, d)
        for norm, mixer in zip(self.norms, self.mixers):
            x = x + mixer(norm(x))
        return self.head(self.norms[-1](x[:, -1]))


def parameters(model):
    return sum(p.numel() for p in model.parameters())


def build(kind, start, task, n=None):
    """The model of one run; n: numbers of state (of each channel in S4D and S4), found by `size_of` if left out."""
    digits = task == "digits"
    encoder = nn.Linear(1, D_MODEL) if digits else nn.Embedding(VOCABULARY, D_MODEL)
    n = size_of(kind, start, task) if n is None else n
    if kind in ("RNN", "LSTM"):
        make = nn.RNN if kind == "RNN" else nn.LSTM
        mixers = [Recurrent(make, D_MODEL, n, start, TASKS[task].seqlen) for _ in range(2)]
    else:
        mixers = [StateSpace(D_MODEL, n, start) for _ in range(2)]
    return Reader(encoder, mixers, D_MODEL, 10 if digits else VOCABULARY)


def size_of(kind, start, task):
    """The state size at which a model has the parameters of S4D with D_STATE, as nearly as even numbers go."""
    if kind == "S4D":
        return D_STATE
    target = parameters(build("S4D", "lin", task))
    return min(range(8, 258, 2), key=lambda n: abs(parameters(build(kind, start, task, n)) - target))


def batches(task, seed):
    """(inputs, targets) without end."""
    generator = torch.Generator().manual_seed(seed)
    sizes = TASKS[task]
    if task == "digits":
        digits = sequential_digits()
        while True:
            at = torch.randint(len(digits.train_targets), (sizes.batch,), generator=generator)
            yield digits.train_inputs[at], digits.train_targets[at]
    while True:
        yield recall(sizes.batch, sizes.seqlen, generator)


def recall(batch, seqlen, generator):
    """A token, silence, a question mark `seqlen` steps after the token: (inputs (b, l + 1), which token it was (b))."""
    inputs, targets = delayed_recall(batch, seqlen, vocab_size=VOCABULARY, distractors=False, generator=generator)
    return inputs, targets[:, 0]


def held_out(task, part):
    """What is scored: 300 digits, or 320 sequences that no run has trained on."""
    if task == "digits":
        digits = sequential_digits()
        return getattr(digits, f"{part}_inputs"), getattr(digits, f"{part}_targets")
    generator = torch.Generator().manual_seed(10_000 + (part == "test"))
    return recall(320, TASKS[task].seqlen, generator)


@torch.no_grad()
def share_right(model, task, part):
    """How much of a part is answered right, 0 to 1."""
    inputs, targets = held_out(task, part)
    right = [(model(x).argmax(1) == y).sum().item() for x, y in zip(inputs.split(32), targets.split(32))]
    return sum(right) / len(targets)


def one_run(job):
    """Train one model as `job` = (task, kind, start, rate, seed, threads) says; return plain JSON values."""
    task, kind, start, rate, seed, threads = job
    torch.set_num_threads(threads)
    n = size_of(kind, start, task)  # draws numbers of its own
    torch.manual_seed(seed)
    model = build(kind, start, task, n)
    optimizer = torch.optim.AdamW(parameter_groups(model, 0.01), lr=rate)
    steps, curve, began = TASKS[task].steps, [], time.perf_counter()
    warm, down = steps // 20, lambda s: (1 + math.cos(math.pi * s / steps)) / 2
    schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda s: min((s + 1) / warm, 1) * down(s))
    for _, (inputs, targets) in zip(range(steps), batches(task, seed)):
        loss = F.cross_entropy(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0, error_if_nonfinite=False)
        optimizer.step()
        schedule.step()
        curve.append(loss.item())
    size = steps // 20
    means = [round(statistics.fmean(curve[at : at + size]), 4) for at in range(0, steps, size)]
    model.eval()
    scores = {part: round(share_right(model, task, part), 4) for part in ("valid", "test")}
    name = {"task": task, "model": kind, "start": start, "lr": rate, "seed": seed}
    took = {"seconds": round(time.perf_counter() - began, 1), "parameters": parameters(model), "n": n}
    return {**name, **took, "loss": [m if math.isfinite(m) else None for m in means], "right": scores}


def made(jobs, workers, folder):
    """The results of `jobs`, in their order, each kept in `folder` as soon as it is there."""
    settings = repr((D_MODEL, D_STATE, VOCABULARY, TASKS))  # others are other runs
    files = {job: folder / f"{hashlib.sha256((settings + repr(job)).encode()).hexdigest()[:16]}.json" for job in jobs}
    waiting = [job for job in jobs if not files[job].exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = {pool.submit(one_run, job): job for job in waiting}
        for done in as_completed(running):
            job, result = running[done], done.result()
            write_json(files[job], result)
            print(*job[:5], result["right"], f"{result['seconds']} s", flush=True)
    return [json.loads(files[job].read_text()) for job in jobs]


def best_of(runs):
    """The start and the rate with the best validation score, the lower loss at the end where several have it."""
    found = max(runs, key=lambda run: (run["right"]["valid"], -(run["loss"][-1] or math.inf)))
    return found["start"], found["lr"]


def main(argv=None):
    """Search, run again, print the table, write the record."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="gets all runs as JSON")
    parser.add_argument(
        "--parts", type=Path, default=Path("runs/memory_tasks"), metavar="FOLDER", help="of finished runs"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="runs at a time")
    parser.add_argument("--threads", type=int, default=1, metavar="N", help="CPU threads of each run")
    parser.add_argument("--tasks", nargs="+", choices=list(TASKS), default=list(TASKS), help="which of them")
    args = parser.parse_args(argv)
    args.parts.mkdir(parents=True, exist_ok=True)
    circumstances = {**environment(), "threads": args.threads}
    search = [
        (task, kind, start, rate, 0, args.threads)
        for task in args.tasks
        for kind, starts in STARTS.items()
        for start in starts
        for rate in RATES
    ]
    tried = made(search, args.workers, args.parts)
    chosen = {
        (task, kind): best_of([run for run in tried if (run["task"], run["model"]) == (task, kind)])
        for task in args.tasks
        for kind in STARTS
    }
    again = [(*which, *setting, seed, args.threads) for which, setting in chosen.items() for seed in SEEDS]
    final = made(again, args.workers, args.parts)
    results = []
    for (task, kind), (start, rate) in chosen.items():
        runs = [run for run in final if (run["task"], run["model"]) == (task, kind)]
        right = [run["right"]["test"] for run in runs]
        results.append({"task": task, "model": kind, "start": start, "lr": rate, "test": right})
        print(f"{task:15} {kind:5} {start:20} lr {rate:g}: {right}, {runs[0]['parameters']:,} parameters")
    command = shlex.join(["python", "benchmarks/memory_tasks.py", *argv])
    sizes = {"d_model": D_MODEL, "d_state of S4D": D_STATE, "layers": 2, "vocab_size": VOCABULARY}
    record = {"command": command, **circumstances, "model": sizes, "tasks": {n: asdict(t) for n, t in TASKS.items()}}
    write_json(
        args.record,
        {
            **record,
            "guess": {"delayed recall": 1 / 14, "digits": 0.1},
            "results": results,
            "search": tried,
            "runs": final,
        },
    )


if __name__ == "__main__":
    main()
