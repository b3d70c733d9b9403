"""`python -m mamba_edu.train`: a byte-level Mamba language model, from a text to a checkpoint and two scores."""

import argparse
import sys
from pathlib import Path

import torch

from mamba_edu._validate import check_int
from mamba_edu.data import encode_dataset, load_enwiki8_dataset
from mamba_edu.metrics import bits_per_byte
from mamba_edu.model import Mamba, MambaConfig
from mamba_edu.training.checkpoint import CONFIG, WEIGHTS, save_checkpoint
from mamba_edu.training.evaluate import evaluate
from mamba_edu.training.files import JsonLines, write_json
from mamba_edu.training.log import command_line, environment, make_record
from mamba_edu.training.loop import fit
from mamba_edu.training.settings import TrainSettings

LOG = "log.jsonl"
_DEFAULT_STEPS = 2000


class _Formatter(argparse.ArgumentDefaultsHelpFormatter):
    """Shows defaults, except where there is none to show."""

    def _get_help_string(self, action):
        shown = action.default is not None and action.default is not False
        return super()._get_help_string(action) if shown else action.help


def _add_model_flags(parser):
    group = parser.add_argument_group("model")
    group.add_argument("--d-model", type=int, default=128, metavar="N", help="width of the residual stream")
    group.add_argument("--n-layer", type=int, default=4, metavar="N", help="number of blocks")
    group.add_argument("--d-state", type=int, default=16, metavar="N", help="numbers of state per channel")
    group.add_argument("--d-conv", type=int, default=4, metavar="N", help="bytes that the convolution sees")
    group.add_argument("--expand", type=int, default=2, metavar="N", help="channels inside a block / d-model")
    group.add_argument("--dropout", type=float, default=0.0, metavar="P", help="share of each block's output zeroed")
    group.add_argument(
        "--no-selective", action="store_true", help="the time-invariant twin: delta, B and C don't depend on the input"
    )


def _add_data_flags(parser):
    group = parser.add_argument_group(
        "data", "the first 90 % are trained on, the next 5 % watched, the last 5 % kept for the test"
    )
    group.add_argument(
        "--data",
        metavar="PATH",
        help="enwik8 or its first 4,000,000 bytes, raw, .gz or .zip, or a folder with one "
        "(default: what MAMBA_EDU_DATA names, else the cache, else the download of 36 MB)",
    )
    group.add_argument(
        "--pocket",
        action="store_true",
        help="without enwik8 at hand, take the small corpus that comes with the package",
    )
    group.add_argument("--any-text", action="store_true", help="accept another text than enwik8 from --data")


def _add_training_flags(parser):
    d = TrainSettings(steps=1)
    group = parser.add_argument_group("training")
    end = group.add_mutually_exclusive_group()
    end.add_argument(
        "--steps", type=int, metavar="N", help=f"optimizer steps; repeatable (default: {_DEFAULT_STEPS}, or --minutes)"
    )
    end.add_argument(
        "--minutes",
        type=float,
        metavar="M",
        help="train for this long instead: the learning rate follows the clock, the final scores come after "
        "(default: count steps)",
    )
    group.add_argument("--seqlen", type=int, default=d.seqlen, metavar="N", help="bytes a window")
    group.add_argument("--batch-size", type=int, default=d.batch_size, metavar="N", help="windows a step")
    group.add_argument("--lr", type=float, default=d.lr, metavar="X", help="learning rate at its peak")
    group.add_argument("--min-lr", type=float, default=d.min_lr, metavar="X", help="learning rate at the end")
    group.add_argument("--warmup", type=int, default=d.warmup, metavar="N", help="steps up to the peak")
    group.add_argument(
        "--weight-decay",
        type=float,
        default=d.weight_decay,
        metavar="X",
        help="for matrices alone: not A_log, D, norms, biases",
    )
    group.add_argument("--clip", type=float, default=d.clip, metavar="X", help="longest gradient, as one vector")
    group.add_argument(
        "--betas", type=float, nargs=2, default=list(d.betas), metavar=("B1", "B2"), help="AdamW's two running means"
    )
    group.add_argument("--seed", type=int, default=d.seed, metavar="N", help="of first weights, windows and dropout")
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: as many as PyTorch takes)")


def _add_evaluation_flags(parser):
    d = TrainSettings(steps=1)
    group = parser.add_argument_group("evaluation")
    group.add_argument(
        "--eval-every",
        type=int,
        default=d.eval_every,
        metavar="N",
        help="steps between quick looks at the validation split; 0: one, at the end",
    )
    group.add_argument(
        "--eval-bytes", type=int, default=d.eval_bytes, metavar="N", help="bytes that a quick look reads"
    )
    group.add_argument(
        "--eval-seqlen", type=int, metavar="N", help="bytes a window when scoring (default: as --seqlen)"
    )


def _add_output_flags(parser):
    group = parser.add_argument_group("output")
    group.add_argument(
        "--out", type=Path, default=Path("runs/mamba"), metavar="FOLDER", help=f"gets {CONFIG}, {WEIGHTS} and {LOG}"
    )
    group.add_argument(
        "--record", type=Path, metavar="FILE", help="gets scores, curve and circumstances as JSON (default: no record)"
    )
    group.add_argument("--overwrite", action="store_true", help="replace what --out and --record hold")


def make_parser():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m mamba_edu.train",
        description="Train a Mamba language model on the bytes of a text, and score it in bits per byte on bytes it "
        "has not seen. Interrupted with Ctrl-C, it keeps the model it has.",
        formatter_class=_Formatter,
    )
    for add in [_add_model_flags, _add_data_flags, _add_training_flags, _add_evaluation_flags, _add_output_flags]:
        add(parser)
    return parser


def _settings(args):
    steps = _DEFAULT_STEPS if args.steps is None and args.minutes is None else args.steps
    same = ["minutes", "seqlen", "batch_size", "lr", "min_lr", "warmup", "weight_decay", "clip", "seed"]
    same += ["eval_every", "eval_bytes", "eval_seqlen"]
    return TrainSettings(steps=steps, betas=tuple(args.betas), **{name: getattr(args, name) for name in same})


def _config(args):
    same = ["d_model", "n_layer", "d_state", "d_conv", "expand", "dropout"]
    return MambaConfig(selective=not args.no_selective, **{name: getattr(args, name) for name in same})


def _check_output(args):
    """Refuse, before an hour is spent, what could not be written after it, or would be lost by it."""
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out must be a folder, {args.out} is a file")
    if not args.overwrite and args.out.is_dir() and any(args.out.iterdir()):
        raise ValueError(f"--out: the folder {args.out} is not empty; choose another, or add --overwrite")
    if args.record is not None:
        if not args.record.parent.is_dir():
            raise ValueError(f"--record: the folder {args.record.parent} does not exist")
        if args.record.is_dir() or (args.record.exists() and not args.overwrite):
            raise ValueError(f"--record: {args.record} exists; choose another name, or add --overwrite")


def _load(args, settings):
    splits = load_enwiki8_dataset(args.data, fallback="pocket" if args.pocket else None, verify=not args.any_text)
    if len(splits.train) <= settings.seqlen or min(len(splits.valid), len(splits.test)) < 2:
        raise ValueError(
            f"--data: {splits.name} is too short for --seqlen {settings.seqlen}, "
            f"its splits have {len(splits.train)}, {len(splits.valid)} and {len(splits.test)} bytes"
        )
    return splits


def _train(args, model, splits, settings):
    """The run itself; the checkpoint is renewed at each validation, so that a crash costs no more than that."""

    def report(kind, row):
        log.write({"kind": kind, **row})
        if kind == "valid":
            save_checkpoint(args.out, model)

    train, valid = encode_dataset(splits.train), encode_dataset(splits.valid)
    with JsonLines(args.out / LOG) as log:
        try:
            return fit(model, train, valid, settings, progress=True, report=report)
        except KeyboardInterrupt:
            save_checkpoint(args.out, model)
            sys.exit(f"interrupted; the model as it was is in {args.out}")
        except FloatingPointError as error:
            sys.exit(f"stopped at {error}; {args.out / LOG} tells how it came to this")


def _score(model, splits, settings):
    """{split: nats a byte} over the whole validation and test split."""
    scores = {}
    for name in ("valid", "test"):
        scores[name] = evaluate(model, encode_dataset(getattr(splits, name)), settings.window)
        print(f"{name:5}  {bits_per_byte(scores[name]):.4f} bits per byte on {len(getattr(splits, name)) - 1:,} bytes")
    return scores


def main(argv=None):
    """Run the command; argv: its arguments, without the program. Bad ones end it with one line and status 2."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        settings, config = _settings(args), _config(args)
        if args.threads is not None:
            torch.set_num_threads(check_int("threads", args.threads, 1))
        _check_output(args)
        splits = _load(args, settings)
        args.out.mkdir(parents=True, exist_ok=True)
    except (TypeError, ValueError, OSError) as error:
        parser.error(str(error))
    torch.manual_seed(settings.seed)
    model, circumstances = Mamba(config), environment()
    print(f"{splits.name}: {len(splits.train):,} bytes to train on; {model.num_parameters():,} parameters", flush=True)
    history = _train(args, model, splits, settings)
    scores = _score(model, splits, settings)
    if args.record is not None:
        record = make_record(
            command=command_line("mamba_edu.train", argv),
            environment=circumstances,
            data={"name": splits.name, **{f"{s}_bytes": len(getattr(splits, s)) for s in ("train", "valid", "test")}},
            config=config,
            settings=settings,
            parameters=model.num_parameters(),
            history=history,
            scores=scores,
        )
        write_json(args.record, record)
    print(f"model  {args.out / WEIGHTS}" + (f"; record {args.record}" if args.record else ""))


if __name__ == "__main__":
    main()
