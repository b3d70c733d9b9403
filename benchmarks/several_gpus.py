"""Do several processes train the model that one would, and how much faster? On CUDA by NCCL, on the CPU by gloo.

    python benchmarks/several_gpus.py --record mamba_edu/records/several_gpus.json

First the check: 20 steps in float32 by one process and by several, every loss and the final evaluation to 1e-6 of
their value; without it nothing is timed. Then the clock: the same batch at the speed of one process and of several.
Scores have no part in it, so the pocket corpus serves.
"""

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path

from mamba_edu.training.files import write_json
from mamba_edu.training.log import environment

SMALL = "--pocket --d-model 128 --n-layer 4 --batch-size 8 --seqlen 256 --steps 20 --warmup 5 --eval-every 0"
LARGE = "--pocket --d-model 512 --n-layer 8 --batch-size 32 --seqlen 512 --precision bfloat16 --eval-every 0"
CLOSE = 1e-6


def train(flags, processes, device, folder):
    """Train in one process or in several; return the loss of each step, the last validation's, and the steps' rows."""
    launch = [sys.executable, "-m"]
    if processes > 1:
        torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        launch = [sys.executable, *torchrun]
    asked = [*flags.split(), "--log-every", "1", "--device", device, "--out", str(folder)]
    ours = {name: value for name, value in os.environ.items() if name != "MAMBA_EDU_DATA"}
    done = subprocess.run([*launch, "mamba_edu.train", *asked], capture_output=True, text=True, check=False, env=ours)
    if done.returncode:
        sys.exit(done.stderr[-3000:])
    rows = [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]
    steps = [row for row in rows if row["kind"] == "train"]
    watched = [row["loss"] for row in rows if row["kind"] == "valid"]
    return {"losses": [row["loss"] for row in steps], "valid": watched[-1:], "rows": steps}


def apart(one, several):
    """The largest difference of two lists, relative to the first; without bound where there is nothing to compare."""
    if not one or len(one) != len(several):
        return float("inf")
    return max(abs(a - b) / abs(a) if a == a and b == b else float("inf") for a, b in zip(one, several))


def tokens_per_second(rows):
    """Over the second half of the steps: the first ones compile and fill caches."""
    first, last = rows[len(rows) // 2], rows[-1]
    return round((last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"]))


def main(argv=None):
    """Check, measure, print, and write the record."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, metavar="FILE", help="gets the result as JSON")
    parser.add_argument("--processes", type=int, default=2, metavar="N", help="how many, beside one")
    parser.add_argument("--device", default="cuda", choices=["cuda", "cpu"], help="one GPU a process, or the CPU")
    parser.add_argument("--check", default=SMALL, metavar="FLAGS", help="of the runs that must agree")
    parser.add_argument("--clock", default=LARGE, metavar="FLAGS", help="of the runs that are timed")
    parser.add_argument("--minutes", type=float, default=0.5, metavar="M", help="of each timed run")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder:
        at = Path(folder)
        one, several = (train(args.check, n, args.device, at / f"check{n}") for n in (1, args.processes))
        differences = {name: apart(one[name], several[name]) for name in ("losses", "valid")}
        print(f"1 and {args.processes} processes, {len(one['losses'])} steps: {differences} apart", flush=True)
        if not max(differences.values()) < CLOSE:
            sys.exit(f"they must agree to {CLOSE:g}: nothing is timed")
        timed = f"{args.clock} --minutes {args.minutes:g}"
        speeds = {}
        for n in (1, args.processes):
            speeds[n] = tokens_per_second(train(timed, n, args.device, at / f"clock{n}")["rows"])
    ratio = round(speeds[args.processes] / speeds[1], 3)
    print(f"tokens/s: {speeds}, ratio {ratio}")
    if args.record:
        result = {"steps": len(one["losses"]), "losses": one["losses"], "apart": differences, "flags": args.check}
        speed = {"flags": timed, "tokens_per_second": speeds, "ratio": ratio}
        command = shlex.join(["python", "benchmarks/several_gpus.py", *argv])
        write_json(args.record, {"command": command, **environment(), "check": result, "speed": speed})


if __name__ == "__main__":
    main()
