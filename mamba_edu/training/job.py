"""One start of the command: is it a new run or the next part of an old one, and which files are the run's."""

import hashlib
from dataclasses import asdict

import torch

from mamba_edu.model import Mamba
from mamba_edu.training.files import JsonLines, rows_of
from mamba_edu.training.log import command_line, environment
from mamba_edu.training.memory import history_of
from mamba_edu.training.snapshot import checkpoints, load_snapshot, prune, save_snapshot

LOG = "log.jsonl"


def _identity(config, settings, splits):
    """What makes a run that run: when any of it is different, another run would be continued."""
    digest = hashlib.sha256(b"".join(splits)).hexdigest()
    return {"model": asdict(config), "settings": asdict(settings), "data": {"name": splits.name, "sha256": digest}}


def _differences(before, now):
    """Sentences on what is not as it was, in the words of the flags."""
    for part in ("model", "settings"):
        for name in sorted(before[part].keys() | now[part].keys()):
            old, new = (side[part].get(name) for side in (before, now))
            if old != (list(new) if isinstance(new, tuple) else new):  # JSON has no tuples
                yield f"--{name.replace('_', '-')} was {old}, is {new}"
    if before["data"] != now["data"]:
        yield f"the text was {before['data']['name']} with digest {before['data']['sha256'][:8]}, is another one"


class Job:
    """One start of the command: what it was asked for, and the files of the run."""

    def __init__(self, args, argv, config, settings, splits, ranks):
        self.args, self.argv, self.ranks = args, argv, ranks
        self.config, self.settings, self.splits = config, settings, splits
        self.identity = _identity(config, settings, splits)
        self.circumstances = environment(ranks.device)
        self.start, self.valid = None, []

    def prepare(self):
        """The model, new or as the newest checkpoint has it.

        Raises ValueError for a checkpoint that is damaged or of another run.
        """
        found = checkpoints(self.args.out) if self.args.resume else []
        if not found:
            torch.manual_seed(self.settings.seed)
            model, keep = Mamba(self.config), 0
        else:
            model, keep = self._recall(found)
        path = self.args.out / LOG
        if self.ranks.first:
            self.log = JsonLines(path, keep)
        self.ranks.wait()  # the log is cut before anybody reads it
        if self.start is not None:
            tensors, numbers = self.start
            self.start = history_of(numbers, rows_of(path, "train"), rows_of(path, "valid")), tensors, numbers
            self.valid = list(self.start[0].valid)
        elif self.ranks.rank:
            torch.manual_seed(self.settings.seed + 1_000_003 * self.ranks.rank)  # its own dropout
        return model.to(self.ranks.device)

    def _recall(self, found):
        """(model, bytes of the log) of the newest checkpoint."""
        folder = found[-1]
        try:
            model, tensors, numbers = load_snapshot(folder)
        except (OSError, ValueError) as error:
            older = (
                f"delete {folder} to go on from {found[-2].name}" if len(found) > 1 else "start anew with --overwrite"
            )
            raise ValueError(f"--resume: {error}; {older}") from None
        different = list(_differences(numbers["run"], self.identity))
        if different:
            raise ValueError(f"--resume: {folder} is of another run: {'; '.join(different)}")
        self._compare(numbers["environment"])
        self.circumstances = numbers["environment"]
        self.start = tensors, numbers
        return model, numbers["log_bytes"]

    def _compare(self, before):
        """Say what makes the rest of the run differ in its last digits from what it would have been."""
        now = self.circumstances
        pairs = {"threads": "threads", "device": "device", "versions": "versions"}
        changed = [f"{words} {before[key]} -> {now[key]}" for key, words in pairs.items() if before[key] != now[key]]
        if changed and self.ranks.first:
            print(f"not bit for bit the run that it would have been: {'; '.join(changed)}")

    def report(self, kind, row):
        """Keep a row, as soon as it is there."""
        self.log.write({"kind": kind, **row})
        if kind == "valid":
            self.valid.append(row)

    def save(self, model, tensors, numbers):
        """Keep the run as it is now."""
        if self.ranks.first:
            self.log.sync()
            best = min(self.valid, key=lambda row: row["loss"], default={"step": numbers["steps"]})["step"]
            more = {"log_bytes": self.log.size, "run": self.identity, "environment": self.circumstances}
            save_snapshot(self.args.out, model, tensors, {**numbers, **more})
            prune(self.args.out, best)

    def last(self):
        """Where the run can go on from, in words."""
        found = checkpoints(self.args.out)
        return f"the last good checkpoint is {found[-1]}" if found else "no checkpoint had been written yet"

    def command(self, flags):
        """What to type for the run with `flags`, in as many processes as there are."""
        command = command_line("mamba_edu.train", flags)
        several = f"torchrun --nproc-per-node {self.ranks.world} -m"
        return command if self.ranks.world == 1 else command.replace("python -m", several, 1)

    def again(self):
        """What to type to go on."""
        return self.command([flag for flag in self.argv if flag not in ("--resume", "--overwrite")] + ["--resume"])
