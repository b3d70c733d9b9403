"""The scan on a CPU, every contender in one run: each is checked against the float64 loop before it is timed.

    python benchmarks/scan_cpu.py [--shape b4 l512 d512 n16] [--threads 2] [--repeats 15] [--json FILE]

Contenders: the loop in plain PyTorch, `chunked`, `cpu`, and mambapy's `pscan`, the fastest public scan for CPUs that we
know of, if it is there:

    pip install --no-deps --target peers mambapy==1.2.0 && PYTHONPATH=peers python benchmarks/scan_cpu.py

All compute h_t = exp(delta_t A) h_{t-1} + delta_t B_t u_t and y_t = C_t . h_t + D u_t in float32, and the gradients of
u, delta, A, B, C and D. Repeats are interleaved, one of each in turn, so that a busy moment hits all alike.
"""

import argparse
import datetime
import importlib.metadata
import json
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

from mamba_edu import selective_scan
from mamba_edu.training.log import code_version

PEER = "mambapy pscan"
GATE = 1e-5  # relative to the largest true value
HOW_TO_GET_IT = "pip install --no-deps --target peers mambapy==1.2.0, then run with PYTHONPATH=peers"


def inputs(b, l, d, n):
    """u, delta, A, B, C, D as a Mamba layer has them at its start, and the gradient of y."""
    g = torch.Generator().manual_seed(0)
    u, B, C, grad_y = (torch.randn(b, l, k, generator=g) for k in (d, n, n, d))
    delta = 1e-3 * 100 ** torch.rand(b, l, d, generator=g)  # log-uniform in [1e-3, 1e-1]
    A = -torch.arange(1, n + 1.0).repeat(d, 1)
    return [u, delta, A, B, C, torch.ones(d)], grad_y


def ours(backend):
    """selective_scan with one backend as (u, delta, A, B, C, D) -> y."""
    return lambda u, delta, A, B, C, D: selective_scan(u, delta, A, B, C, D, backend=backend)


def mambapy_scan():
    """mambapy's parallel scan with the same discretisation around it, or None where it isn't installed."""
    try:
        from mambapy.pscan import pscan
    except ImportError:
        return None

    def scan(u, delta, A, B, C, D):
        a = torch.exp(delta[..., None] * A)  # (b, l, d, n)
        x = (delta * u)[..., None] * B[:, :, None]
        return (pscan(a, x) @ C[..., None]).squeeze(3) + D * u

    return scan


def forward(scan, x, grad_y):
    """y alone, nothing kept for a backward pass."""
    with torch.no_grad():
        return [scan(*x)]


def forward_backward(scan, x, grad_y):
    """y and the gradients of all inputs."""
    leaves = [t.detach().requires_grad_() for t in x]
    y = scan(*leaves)
    return [y.detach(), *torch.autograd.grad(y, leaves, grad_y)]


def verify(contenders, x, grad_y):
    """Print each one's largest error; exit where one isn't finite or is off by more than GATE."""
    true = forward_backward(ours("reference"), [t.double() for t in x], grad_y.double())
    for name, scan in contenders.items():
        got = [*forward_backward(scan, x, grad_y), *forward(scan, x, grad_y)]
        errors = [((g - t).abs().max() / t.abs().max()).item() for g, t in zip(got, [*true, true[0]])]
        if not all(torch.isfinite(g).all() for g in got) or not max(errors) <= GATE:
            sys.exit(f"{name} is wrong, and is not timed: off by {max(errors):.1e}, allowed {GATE:.0e}")
        print(f"  {name:<16} off by {max(errors):.1e}")


def measure(contenders, x, grad_y, repeats):
    """{name: {"forward": ms, "forward_backward": ms}}, medians."""
    times = {name: {"forward": [], "forward_backward": []} for name in contenders}
    for _ in range(repeats):
        for name, scan in contenders.items():
            for task in (forward, forward_backward):
                start = time.perf_counter()
                task(scan, x, grad_y)
                times[name][task.__name__].append(1e3 * (time.perf_counter() - start))
    return {name: {task: statistics.median(ms) for task, ms in tasks.items()} for name, tasks in times.items()}


def cpu_name():
    """What the processor calls itself."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def circumstances(arguments):
    """Everything one needs to know to compare the numbers with others."""

    def version(package):
        try:
            return importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            return None

    return {
        "shape": arguments.shape,
        "dtype": "float32",
        "threads": torch.get_num_threads(),
        "repeats": arguments.repeats,
        "cpu": cpu_name(),
        "vectors": torch.backends.cpu.get_cpu_capability(),
        "python": platform.python_version(),
        "versions": {package: version(package) for package in ("torch", "numba", "mambapy")},
        **code_version(),
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python", "benchmarks/scan_cpu.py", *sys.argv[1:]]),
    }


def report(medians):
    """The table; a ratio says how many times faster than the peer (than the loop, where the peer is missing)."""
    base = PEER if PEER in medians else "loop"
    print(f"\n  {'median ms':<16}{'forward':>10}{'vs ' + base:>18}{'fwd + bwd':>12}{'vs ' + base:>18}")
    for name, ms in medians.items():
        ratios = [medians[base][task] / ms[task] for task in ("forward", "forward_backward")]
        cells = f"{ms['forward']:>10.1f}{ratios[0]:>17.1f}x{ms['forward_backward']:>12.1f}{ratios[1]:>17.1f}x"
        print(f"  {name:<16}{cells}")


def shape_of(words):
    """["b4", "l512", "d512", "n16"] -> {"b": 4, ...}."""
    shape = {word[0]: int(word[1:]) for word in words if word[1:].isdigit() and int(word[1:]) > 0}
    if list(shape) != ["b", "l", "d", "n"]:
        sys.exit(f"--shape must be like b4 l512 d512 n16, got {' '.join(words)}")
    return shape


def main():
    parser = argparse.ArgumentParser(description="Time the scan's CPU backends side by side, after verifying them.")
    parser.add_argument("--shape", nargs=4, default=["b4", "l512", "d512", "n16"], help="b4 l512 d512 n16")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads(), help="default: as PyTorch chooses")
    parser.add_argument("--repeats", type=int, default=15, help="timed runs of each (default 15)")
    parser.add_argument("--json", metavar="FILE", help="write the record there, too")
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    x, grad_y = inputs(**shape_of(arguments.shape))
    contenders = {"loop": ours("reference"), PEER: mambapy_scan(), "chunked": ours("chunked"), "cpu": ours("cpu")}
    if contenders[PEER] is None:
        del contenders[PEER]
        print(f"mambapy is not installed, so the peer is missing: {HOW_TO_GET_IT}")
    record = circumstances(arguments)
    print(
        f"{' '.join(arguments.shape)} float32, {record['threads']} threads, {record['cpu']} ({record['vectors']}),",
        end=" ",
    )
    print(", ".join(f"{package} {version}" for package, version in record["versions"].items() if version))
    verify(contenders, x, grad_y)
    record["median_ms"] = measure(contenders, x, grad_y, arguments.repeats)
    report(record["median_ms"])
    if arguments.json:
        Path(arguments.json).write_text(json.dumps(record, indent=2) + "\n")


if __name__ == "__main__":
    main()
