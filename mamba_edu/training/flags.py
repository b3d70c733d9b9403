"""The flags of `python -m mamba_edu.train`, and what they ask for."""

import argparse
from pathlib import Path

from mamba_edu.model import MambaConfig
from mamba_edu.training.settings import TrainSettings

_DEFAULT_STEPS = 2000
_MODEL = ("d_model", "n_layer", "d_state", "d_conv", "expand", "dropout")
_SETTINGS = ("minutes", "seqlen", "batch_size", "accumulate", "carry_state", "precision", "lr", "min_lr", "warmup")
_SETTINGS += ("weight_decay", "clip", "seed", "eval_every", "eval_bytes", "eval_seqlen", "patience")
_SETTINGS += ("save_every", "log_every")


_DESCRIPTION = """\
Train a Mamba language model on the bytes of a text, and score it in bits per
byte on bytes it has not seen. Ctrl-C saves the run and says how to go on."""
_EXAMPLES = """\
examples:
  %(prog)s --pocket --minutes 2 --out runs/first
      a first try, without a download
  %(prog)s --data diary.txt --dropout 0.2 --patience 5 --out runs/diary
      a text of your own, until it gets no better
  %(prog)s --data diary.txt --dropout 0.2 --patience 5 --out runs/diary --resume
      the same, after it was stopped
  torchrun --standalone --nproc-per-node 2 -m mamba_edu.train --minutes 10 --out runs/two
      two processes, two GPUs if there are"""


class _Formatter(argparse.ArgumentDefaultsHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Shows defaults, except where there is none to show; leaves the lines of the examples alone."""

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
    group.add_argument(
        "--dropout", type=float, default=0.0, metavar="P", help="share of each block's output zeroed in training"
    )
    group.add_argument(
        "--no-selective", action="store_true", help="the time-invariant twin: delta, B and C don't depend on the input"
    )


def _add_data_flags(parser):
    group = parser.add_argument_group(
        "data", "the first 90 % are trained on, the next 5 % watched, the last 5 % kept for the test"
    )
    group.add_argument(
        "--data",
        metavar="FILE",
        help="a text of your own, or enwik8: raw, .gz or .zip, or a folder with one "
        "(default: what MAMBA_EDU_DATA names, else enwik8 from the cache, else the download of 36 MB)",
    )
    group.add_argument(
        "--pocket",
        action="store_true",
        help="without enwik8 at hand, take the small corpus that comes with the package",
    )


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
    group.add_argument(
        "--batch-size", type=int, default=d.batch_size, metavar="N", help="windows a step, over all processes"
    )
    group.add_argument(
        "--accumulate",
        type=int,
        default=d.accumulate,
        metavar="N",
        help="parts in which each process reads its share of the batch: less memory, the same step",
    )
    group.add_argument(
        "--carry-state",
        action="store_true",
        help="read on through the text, each window from the state that the last one left "
        "(default: shuffled windows, each from a zero state)",
    )
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
    group.add_argument(
        "--clip", type=float, default=d.clip, metavar="X", help="longest gradient, as one vector; 0: any length"
    )
    group.add_argument(
        "--betas", type=float, nargs=2, default=list(d.betas), metavar=("B1", "B2"), help="AdamW's two running means"
    )
    group.add_argument(
        "--patience",
        type=int,
        metavar="N",
        help="end the run after so many quick looks without a new best (default: never)",
    )
    group.add_argument("--seed", type=int, default=d.seed, metavar="N", help="of first weights, windows and dropout")


def _add_machine_flags(parser):
    d = TrainSettings(steps=1)
    group = parser.add_argument_group(
        "machine", "several processes, on one machine or more: torchrun --nproc-per-node N -m mamba_edu.train ..."
    )
    group.add_argument(
        "--device",
        choices=["auto", "cpu", "cuda"],
        default="auto",
        help="where to compute; auto: a GPU if there is one",
    )
    group.add_argument(
        "--precision",
        choices=["float32", "bfloat16"],
        default=d.precision,
        help="of the matrix products in training; the parameters stay float32",
    )
    group.add_argument("--threads", type=int, metavar="N", help="CPU threads (default: as many as PyTorch takes)")


def _add_evaluation_flags(parser):
    d = TrainSettings(steps=1)
    group = parser.add_argument_group("evaluation")
    group.add_argument(
        "--eval-every",
        type=int,
        default=d.eval_every,
        metavar="N",
        help="steps between quick looks at the validation split, each with a checkpoint; 0: one, at the end",
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
        "--out",
        type=Path,
        default=Path("runs/mamba"),
        metavar="FOLDER",
        help="gets the best model (config.json, model.safetensors), log.jsonl and checkpoints/",
    )
    group.add_argument(
        "--resume",
        action="store_true",
        help="go on from the newest checkpoint in --out with otherwise the same flags; from the start if there is none",
    )
    group.add_argument(
        "--save-every",
        type=int,
        default=TrainSettings(steps=1).save_every,
        metavar="N",
        help="steps between checkpoints beside those of the quick looks; 0: none",
    )
    group.add_argument(
        "--log-every",
        type=int,
        default=TrainSettings(steps=1).log_every,
        metavar="N",
        help="steps averaged into one row of log.jsonl",
    )
    group.add_argument(
        "--record", type=Path, metavar="FILE", help="gets scores, curve and circumstances as JSON (default: no record)"
    )
    group.add_argument(
        "--plot", type=Path, metavar="FILE", help="gets the curves as .svg, .png or .pdf (default: no picture)"
    )
    group.add_argument("--overwrite", action="store_true", help="replace what --out, --record and --plot hold")


def make_parser():
    """The command's flags."""
    parser = argparse.ArgumentParser(
        prog="python -m mamba_edu.train",
        usage="%(prog)s [--data FILE] [--out FOLDER] [--minutes M] ...; --help explains all flags",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=_Formatter,
    )
    parts = [_add_model_flags, _add_data_flags, _add_training_flags, _add_evaluation_flags]
    for add in [*parts, _add_machine_flags, _add_output_flags]:
        add(parser)
    return parser


def settings_of(args):
    """The TrainSettings that the parsed flags ask for."""
    steps = _DEFAULT_STEPS if args.steps is None and args.minutes is None else args.steps
    same = {name: getattr(args, name) for name in _SETTINGS}
    return TrainSettings(steps=steps, betas=tuple(args.betas), **same)


def config_of(args):
    """The MambaConfig that the parsed flags ask for."""
    return MambaConfig(selective=not args.no_selective, **{name: getattr(args, name) for name in _MODEL})
