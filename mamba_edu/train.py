"""`python -m mamba_edu.train`: a byte-level Mamba language model, from a text to a checkpoint and two scores."""

import os
import shutil
import sys
from functools import partial
from importlib.util import find_spec

import torch

from mamba_edu._validate import check_int
from mamba_edu.data import encode_dataset, load_enwiki8_dataset
from mamba_edu.metrics import bits_per_byte
from mamba_edu.training.checkpoint import WEIGHTS, load_checkpoint, save_checkpoint
from mamba_edu.training.distributed import choose_device, process_group
from mamba_edu.training.evaluate import evaluate
from mamba_edu.training.files import write_json
from mamba_edu.training.flags import config_of, make_parser, settings_of
from mamba_edu.training.interrupt import Interrupt
from mamba_edu.training.job import LOG, Job
from mamba_edu.training.log import make_record
from mamba_edu.training.loop import fit
from mamba_edu.training.snapshot import FOLDER, checkpoint_of, checkpoints

_PICTURES = (".svg", ".png", ".pdf")


def _check_output(args):
    """Refuse, before an hour is spent, what could not be written after it, or would be lost by it."""
    if args.resume and args.overwrite:
        raise ValueError("--resume and --overwrite: one goes on with what --out holds, the other replaces it")
    if args.out.exists() and not args.out.is_dir():
        raise ValueError(f"--out must be a folder, {args.out} is a file")
    if not (args.overwrite or args.resume) and args.out.is_dir() and any(args.out.iterdir()):
        more = "--resume to go on with its run, or " if checkpoints(args.out) else ""
        raise ValueError(f"--out: the folder {args.out} is not empty; choose another, or add {more}--overwrite")
    if args.resume and args.out.is_dir() and not checkpoints(args.out):
        others = sorted(path.name for path in args.out.iterdir() if path.name not in (LOG, FOLDER))
        if others:  # a run that died before its first checkpoint has left nothing else
            raise ValueError(f"--resume: {args.out} has no checkpoint, but {others[0]}, which a new run could replace")
    for flag, file in (("--record", args.record), ("--plot", args.plot)):
        if file is None:
            continue
        if not file.parent.is_dir():
            raise ValueError(f"{flag}: the folder {file.parent} does not exist")
        if file.is_dir() or (file.exists() and not (args.overwrite or args.resume)):
            raise ValueError(f"{flag}: {file} exists; choose another name, or add --overwrite")
    if args.plot is not None and args.plot.suffix not in _PICTURES:
        raise ValueError(f"--plot must end in {', '.join(_PICTURES)}, got {args.plot}")
    if args.plot is not None and find_spec("matplotlib") is None:
        raise ValueError("--plot needs matplotlib, which is not installed: pip install matplotlib")


def _make_room(args):
    """The folder --out, one that can be written to; with --overwrite, without the checkpoints of the run before."""
    try:
        args.out.mkdir(parents=True, exist_ok=True)
        if args.overwrite:
            shutil.rmtree(args.out / FOLDER, ignore_errors=True)
        with open(args.out / LOG, "ab"):
            pass
    except OSError as error:
        raise ValueError(f"--out: {args.out} can't be written to ({error.strerror or error})") from None


def _load(args, settings):
    splits = load_enwiki8_dataset(args.data, fallback="pocket" if args.pocket else None, verify=args.data is None)
    rows = settings.batch_size if settings.carry_state else 1  # streams are pieces of the text
    if len(splits.train) <= rows * settings.seqlen or min(len(splits.valid), len(splits.test)) < 2:
        beside = f" and --carry-state with --batch-size {rows}" if settings.carry_state else ""
        raise ValueError(
            f"--data: {splits.name} is too short for --seqlen {settings.seqlen}{beside}, "
            f"its splits have {len(splits.train)}, {len(splits.valid)} and {len(splits.test)} bytes"
        )
    return splits


def _train(job, model):
    """The run itself; the model is as its last step left it."""
    train, valid = encode_dataset(job.splits.train), encode_dataset(job.splits.valid)
    first = job.ranks.first
    with Interrupt(say=first) as interrupt:
        history = fit(
            model,
            train,
            valid,
            job.settings,
            progress=first,
            report=job.report if first else None,
            ranks=job.ranks,
            start=job.start,
            save=partial(job.save, model),
            stop=lambda: interrupt.asked,
        )
    if history.ended == "stop":
        if first:
            print(f"stopped after step {history.steps}; {job.last()}. Go on with\n  {job.again()}", file=sys.stderr)
        sys.exit(130)
    return history


def _take_best(job, model, history):
    """Give `model` the weights of the best validation."""
    best = history.best["step"]
    if best != history.steps:
        model.load_state_dict(load_checkpoint(checkpoint_of(job.args.out, best)).state_dict())
    if job.ranks.first:
        save_checkpoint(job.args.out, model)
        end = {"patience": f", stopped early: {history.stale} looks without a new best"}.get(history.ended, "")
        print(f"best of {len(history.valid)} looks: step {best} of {history.steps}{end}")


def _score(job, model):
    """{split: nats a byte} over the whole validation and test split, in windows and as one stream."""
    scores, window = {}, job.settings.window
    for name in ("valid", "test"):
        tokens = encode_dataset(getattr(job.splits, name))
        scores[name] = evaluate(model, tokens, window, ranks=job.ranks)
        scores[f"{name}_carried"] = evaluate(model, tokens, window, carry_state=True, ranks=job.ranks)
        if job.ranks.first:
            windows, stream = (bits_per_byte(scores[key]) for key in (name, f"{name}_carried"))
            print(
                f"{name:5}  {windows:.4f} bits per byte in windows of {window}, {stream:.4f} read in one go", flush=True
            )
    return scores


def _write_results(job, model, history, scores):
    args = job.args
    if args.record is not None:
        sizes = {f"{split}_bytes": len(getattr(job.splits, split)) for split in ("train", "valid", "test")}
        record = make_record(
            command=job.command([flag for flag in job.argv if flag != "--resume"]),
            environment={**job.circumstances, "processes": job.ranks.world},
            data={"name": job.splits.name, **sizes},
            config=job.config,
            settings=job.settings,
            parameters=model.num_parameters(),
            history=history,
            scores=scores,
        )
        write_json(args.record, record)
    if args.plot is not None:
        _plot(args.plot, history)
    written = {"model": args.out / WEIGHTS, "record": args.record, "plot": args.plot}
    print("; ".join(f"{what} {path}" for what, path in written.items() if path is not None))


def _plot(path, history):
    from mamba_edu.plots.language import training_curve  # matplotlib only when it is asked for

    def curve(rows):
        return [row["step"] for row in rows], [bits_per_byte(row["loss"]) for row in rows]

    training_curve(curve(history.train), curve(history.valid), {}).savefig(path, bbox_inches="tight")


def _run(job, model):
    """Train, choose, score, write; what goes wrong on the way ends in one sentence."""
    if job.ranks.first:
        place = f"from step {job.start[0].steps} on" if job.start else f"on {len(job.splits.train):,} bytes"
        nothing = "nothing to resume, a new run; " if job.args.resume and not job.start else ""
        print(f"{job.splits.name}: {nothing}training {place}; {model.num_parameters():,} parameters", flush=True)
    try:
        history = _train(job, model)
        _take_best(job, model, history)
        scores = _score(job, model)
        if job.ranks.first:
            _write_results(job, model, history, scores)
    except FloatingPointError as error:
        sys.exit(f"stopped at {error}; {job.last()}, and {job.args.out / LOG} tells how it came to this")
    except KeyboardInterrupt:
        sys.exit(f"ended at once; {job.last()}. Go on with\n  {job.again()}")
    except OSError as error:
        file = f" {error.filename}" if error.filename else ""
        again = f"Make room, then go on with\n  {job.again()}"
        sys.exit(f"can't write{file} ({error.strerror or error}); {job.last()}. {again}")


def _prepare(args, argv, ranks):
    """(job, model): everything checked and loaded. Raises TypeError or ValueError for what can't be."""
    settings, config = settings_of(args), config_of(args)
    settings.check_parts(ranks.world)
    if ranks.first:
        _check_output(args)
        splits = _load(args, settings)  # the first one downloads, if need be
        _make_room(args)
    ranks.wait()
    if not ranks.first:
        splits = _load(args, settings)
    job = Job(args, argv, config, settings, splits, ranks)
    return job, job.prepare()


def main(argv=None):
    """Run the command; argv: its arguments, without the program. Bad ones end it with one line and status 2."""
    argv = sys.argv[1:] if argv is None else list(argv)
    parser = make_parser()
    args = parser.parse_args(argv)
    try:
        settings_of(args), config_of(args)
        if args.threads is not None:
            torch.set_num_threads(check_int("threads", args.threads, 1))
        device = choose_device(args.device)
    except (TypeError, ValueError) as error:
        _refuse(parser, error)
    with process_group(device) as ranks:
        try:
            job, model = _prepare(args, argv, ranks)
        except (TypeError, ValueError) as error:
            _refuse(parser, error)
        _run(job, model)


def _refuse(parser, error):
    if int(os.environ.get("RANK", 0)) == 0:  # of several processes, the first one says it
        parser.error(str(error))
    sys.exit(2)


if __name__ == "__main__":
    main()
