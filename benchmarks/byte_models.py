"""Counted byte models and compressors on the bytes of a training run, for its record to stand beside.

    python benchmarks/byte_models.py --record mamba_edu/records/NAME.json

Scores the test split of the same text: byte models of order 0 to 3, counted on the training split, and gzip, bzip2
and xz, alone and after the 95 % before. Verifies first that the probabilities add up to 1. About 20 s for 4 MB.
"""

import argparse
import json
import random
import shlex
import sys
import time
from pathlib import Path

from mamba_edu import load_enwiki8_dataset
from mamba_edu.baselines import ByteNGram, byte_model_table, compressed_bits_per_byte
from mamba_edu.training.files import write_json
from mamba_edu.training.log import environment


def verify(splits, contexts=50):
    """Raise unless 256 probabilities add up to 1 after contexts drawn from the test split, and after none."""
    model, draw = ByteNGram(3).fit(splits.train[:200_000]), random.Random(0)
    places = [draw.randrange(len(splits.test) - 3) for _ in range(contexts)]
    for context in [b"", b"\xff\xfe\xfd", *(splits.test[i : i + 3] for i in places)]:
        total = model.probabilities(context).sum()
        if not abs(total - 1) < 1e-9:
            raise SystemExit(f"after {context!r} the probabilities add up to {total}")


def measure(splits):
    """{"byte models", "compressed alone", "compressed after the rest"}: {name: bits per byte} each."""
    rest = splits.train + splits.valid
    return {
        "byte models": byte_model_table(splits.train, splits.test, given=splits.valid),
        "compressed alone": compressed_bits_per_byte(splits.test),
        "compressed after the rest": compressed_bits_per_byte(splits.test, given=rest),
    }


def make_parser():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", metavar="PATH", help="a text, any (default: as load_enwiki8_dataset finds it)")
    parser.add_argument("--record", type=Path, metavar="FILE", help="record that gets the scores (default: only print)")
    return parser


def read_record(path, splits):
    """The record at `path`, once it is known to be of the same bytes."""
    record = json.loads(path.read_text(encoding="utf-8"))
    data = record["data"]
    if (data["name"], data["test_bytes"]) != (splits.name, len(splits.test)):
        raise ValueError(f"{path} is about {data['name']}, {data['test_bytes']} test bytes, not about {splits!r}")
    return record


def main(argv=None):
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        splits = load_enwiki8_dataset(args.data, verify=args.data is None)
        record = read_record(args.record, splits) if args.record else None
    except (ValueError, KeyError, OSError) as error:
        parser.error(str(error))
    circumstances, start = environment(), time.perf_counter()
    verify(splits)
    scores = measure(splits)
    for kind, row in scores.items():
        for name, bits in row.items():
            print(f"{kind:25}  {name:9}  {bits:.4f} bits per byte")
    seconds = round(time.perf_counter() - start, 1)
    if record is not None:
        record["baselines"] = {
            "command": shlex.join(["python", "benchmarks/byte_models.py", *(sys.argv[1:] if argv is None else argv)]),
            **circumstances,
            "seconds": seconds,
            "bits_per_byte": {
                kind: {name: round(bits, 5) for name, bits in row.items()} for kind, row in scores.items()
            },
        }
        write_json(args.record, record)


if __name__ == "__main__":
    main()
