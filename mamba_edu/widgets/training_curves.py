"""`TrainingCurves`, the figure of chapter 13: recorded runs with one thing changed, at several learning rates."""

import torch
from traitlets import default

from ._figure import LiveFigure
from ._runs import TRAITS, recorded_runs
from ._traits import Flag, OneOf, Whole

RUNS = recorded_runs()
CHANGES = tuple(TRAITS.values())
_ROWS = len(RUNS["steps"])


class TrainingCurves(LiveFigure):
    """Recorded training runs, as they should be and with one thing changed each; nothing is trained here.

    The record is `mamba_edu.records.load_record("training_ablations")`; the command that made it is in it.

    lr: the learning rate, one of those recorded. plain_delta, decay_all, no_warmup, no_clip, carry_state: whether the
    runs with this change are shown: delta's bias from a plain linear layer; weight decay for all parameters; no
    warm-up; no clipping; the state carried from window to window (such a run is also validated so). validation: its
    loss, else the training loss. against: the difference from the unchanged run of the same seed, else the loss itself.
    log_step, log_loss: the axes by the logarithm; differences by it beyond 0.01 bits, evenly around zero. carried: the
    score at the end with the state carried from window to window, else with every window from a zero state. mark: the
    marked row of training, from 0. guess: the reader's, which change costs most, 0 to 4 in the order above; -1 is none
    yet.
    """

    name = "training-curves"
    lr = OneOf(RUNS["rates"][len(RUNS["rates"]) // 2], RUNS["rates"])
    plain_delta = Flag(False)
    decay_all = Flag(False)
    no_warmup = Flag(True)
    no_clip = Flag(False)
    carry_state = Flag(False)
    validation = Flag(False)
    against = Flag(False)
    log_step = Flag(True)
    log_loss = Flag(True)
    carried = Flag(False)
    mark = Whole(_ROWS - 1, 0, _ROWS - 1)
    guess = Whole(-1, -1, len(CHANGES) - 1)

    @default("question")
    def _default_question(self):
        return "Five things about this run can be changed, one at a time. Which change costs most?"

    def data(self):
        """What is drawn, float64, in bits per byte.

        steps: (l), those with a row. none, and each change that is shown by its name: (seeds, l), the loss or the
        difference; fewer columns where a run diverged. scores: rows of (change, rate, seed, score at the end), change 0
        the run as it should be, 1 to 5 in the order of the traits, for all runs that came to their end. costs: the same
        for the changes, how much more than the run as it should be of the same rate and seed.
        """
        kind, steps = ("valid", RUNS["checks"]) if self.validation else ("train", RUNS["steps"])
        at = RUNS["rates"].index(self.lr)
        shown = ["none", *(name for name in CHANGES if getattr(self, name))]
        lines = {name: [run[kind] for run in RUNS["runs"][name][at]] for name in shown}
        if self.against:
            lines = {name: _differences(values, lines["none"]) for name, values in lines.items()}
        scores, costs = self._ends()
        found = {"steps": steps, **{name: _level(values) for name, values in lines.items()}}
        found = {**found, "scores": scores, "costs": costs}
        return {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}

    def _ends(self):
        """(scores, costs) as rows of (change, rate, seed, bits per byte)."""
        scores, costs = [], []
        for change, name in enumerate(("none", *CHANGES)):
            for rate, seeds in enumerate(RUNS["runs"][name]):
                for seed, run in enumerate(seeds):
                    score, true = run["scores"][self.carried], RUNS["runs"]["none"][rate][seed]["scores"][self.carried]
                    if score is not None:
                        scores.append([change, rate, seed, score])
                    if score is not None and change:
                        costs.append([change, rate, seed, score - true])
        return scores, costs

    def still(self):
        from ..plots.still_training_curves import training_curves_still

        return training_curves_still(self.data(), RUNS, [name for name in CHANGES if getattr(self, name)], self)


def _level(rows):
    """Rows cut to the shortest of them."""
    length = min(map(len, rows))
    return [row[:length] for row in rows]


def _differences(rows, others):
    return [[a - b for a, b in zip(row, other)] for row, other in zip(rows, others, strict=True)]
