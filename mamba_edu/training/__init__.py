"""The parts of the trainer: optimizer, schedule, loop, evaluation, checkpoint, log."""
