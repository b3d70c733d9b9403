"""Short runs of the trainer, one a setting, from which the settings of a long run are chosen.

    MAMBA_EDU_DATA=... python benchmarks/training_trials.py --record mamba_edu/records/training_trials.json

Each trial has the same time and the whole schedule in it: a setting is worth what it reaches in the time there is.
Trials that are done lie in --parts and are not made again. The test split has no say.
"""

import argparse
import hashlib
import json
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mamba_edu.training.files import write_json
from mamba_edu.training.log import environment

TRIALS = {
    "192 x 4": "--d-model 192 --n-layer 4 --batch-size 8 --seqlen 256 --lr 4e-3",
    "192 x 4, 4 windows": "--d-model 192 --n-layer 4 --batch-size 4 --seqlen 256 --lr 4e-3",
    "192 x 4, 4 windows of 512": "--d-model 192 --n-layer 4 --batch-size 4 --seqlen 512 --lr 4e-3",
    "192 x 4, dropout 0.1": "--d-model 192 --n-layer 4 --batch-size 8 --seqlen 256 --lr 4e-3 --dropout 0.1",
    "256 x 4, 4 windows": "--d-model 256 --n-layer 4 --batch-size 4 --seqlen 256 --lr 3e-3",
    "160 x 6, 4 windows": "--d-model 160 --n-layer 6 --batch-size 4 --seqlen 256 --lr 4e-3",
    "256 x 3, 4 windows": "--d-model 256 --n-layer 3 --batch-size 4 --seqlen 256 --lr 4e-3",
    "192 x 4, 16 windows": "--d-model 192 --n-layer 4 --batch-size 16 --seqlen 256 --lr 5e-3",
    "192 x 4, rate 0.006": "--d-model 192 --n-layer 4 --batch-size 8 --seqlen 256 --lr 6e-3",
    "192 x 4, state of 8": "--d-model 192 --n-layer 4 --batch-size 8 --seqlen 256 --lr 4e-3 --d-state 8",
    "192 x 3": "--d-model 192 --n-layer 3 --batch-size 8 --seqlen 256 --lr 5e-3",
    "160 x 4": "--d-model 160 --n-layer 4 --batch-size 8 --seqlen 256 --lr 5e-3",
    "224 x 4": "--d-model 224 --n-layer 4 --batch-size 8 --seqlen 256 --lr 4e-3",
    "256 x 4, rate 0.004": "--d-model 256 --n-layer 4 --batch-size 8 --seqlen 256 --lr 4e-3",
}


def trial(name, flags, args):
    """Run one setting and return its result as plain JSON values; a finished one is read back."""
    asked = [*flags.split(), *args.common.split(), "--minutes", f"{args.minutes:g}", "--threads", str(args.threads)]
    folder = args.parts / hashlib.sha256(" ".join(asked).encode()).hexdigest()[:12]  # other flags are another trial
    record = folder.with_suffix(".json")
    if not record.exists():
        files = ["--out", str(folder), "--record", str(record), "--overwrite"]
        subprocess.run([sys.executable, "-m", "mamba_edu.train", *asked, *files], check=True, stdout=subprocess.DEVNULL)
    result = json.loads(record.read_text())
    print(f"{name:28} {result['bits_per_byte']['valid']:.4f} after {result['tokens']:,} bytes", flush=True)
    same = {key: result[key] for key in ("steps", "tokens", "seconds", "tokens_per_second", "valid")}
    scores = {key: value for key, value in result["bits_per_byte"].items() if key.startswith("valid")}
    learnt = result["train"][-1]["bpb"]
    return {"name": name, "flags": flags, **same, "train_at_the_end": learnt, "bits_per_byte": scores}


def main(argv=None):
    """Make all trials and write the record."""
    argv = sys.argv[1:] if argv is None else argv
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--record", type=Path, required=True, metavar="FILE", help="gets all trials as JSON")
    parser.add_argument("--parts", type=Path, default=Path("runs/trials"), metavar="FOLDER", help="of finished trials")
    parser.add_argument("--minutes", type=float, default=4, metavar="M", help="of each trial")
    parser.add_argument("--workers", type=int, default=1, metavar="N", help="trials at a time")
    parser.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads of each trial")
    common = "--warmup 100 --eval-seqlen 1024 --eval-every 500"
    parser.add_argument("--common", default=common, metavar="FLAGS", help="flags of all trials")
    args = parser.parse_args(argv)
    args.parts.mkdir(parents=True, exist_ok=True)
    circumstances = {**environment(), "threads": args.threads}
    with ThreadPoolExecutor(args.workers) as pool:
        trials = list(pool.map(lambda item: trial(*item, args), TRIALS.items()))
    command = shlex.join(["python", "benchmarks/training_trials.py", *argv])
    write_json(args.record, {"command": command, **circumstances, "minutes": args.minutes, "trials": trials})


if __name__ == "__main__":
    main()
