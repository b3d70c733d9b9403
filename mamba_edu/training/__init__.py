"""The parts of the trainer: optimizer, schedule, windows, loop, evaluation, checkpoint, log."""

from mamba_edu.training.checkpoint import load_checkpoint, save_checkpoint
from mamba_edu.training.evaluate import evaluate
from mamba_edu.training.history import History
from mamba_edu.training.loop import fit
from mamba_edu.training.optimizer import parameter_groups
from mamba_edu.training.schedule import learning_rate
from mamba_edu.training.settings import TrainSettings

__all__ = [
    "History",
    "TrainSettings",
    "evaluate",
    "fit",
    "learning_rate",
    "load_checkpoint",
    "parameter_groups",
    "save_checkpoint",
]
