"""Several processes that train one model: who this one is, and how they agree.

`torchrun --nproc-per-node N -m mamba_edu.train ...` starts N copies of the command and tells each its number in the
environment. They hold the same weights, each reads its share of every batch, and the gradients are averaged.
"""

import os
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta

import torch
from torch import distributed
from torch.nn.parallel import DistributedDataParallel

_CPU = torch.device("cpu")


@dataclass(frozen=True)
class Ranks:
    """This process among `world` of them, numbered by `rank` from 0; the first one writes and prints."""

    rank: int = 0
    world: int = 1
    device: torch.device = _CPU

    @property
    def first(self):
        return self.rank == 0

    def share(self, starts):
        """This process' part of a batch: (b,) -> (b / world,), the rows in their order."""
        return starts.chunk(self.world)[self.rank]

    def sum(self, *numbers):
        """Each number added up over all processes, in float64; the same on every one."""
        if self.world == 1:
            return numbers
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        distributed.all_reduce(total)
        return tuple(total.tolist())

    def gather(self, tensor):
        """The tensors of all processes, of one shape, one after the other along a new first axis: (world, ...)."""
        if self.world == 1:
            return tensor[None]
        tensor = tensor.to(self.device).contiguous()
        parts = [torch.empty_like(tensor) for _ in range(self.world)]
        distributed.all_gather(parts, tensor)
        return torch.stack(parts)

    def wait(self):
        """Go on when all have come here."""
        if self.world > 1:
            distributed.barrier()

    def wrap(self, model):
        """`model` so that its backward pass averages the gradients over the processes."""
        return DistributedDataParallel(model) if self.world > 1 else model


ALONE = Ranks()


def without_averaging(model):
    """In this context the gradients of a wrapped model are only added up: another part of the batch is to come."""
    return model.no_sync() if isinstance(model, DistributedDataParallel) else nullcontext()


def choose_device(name):
    """The torch.device for "auto", "cpu" or "cuda"; each process of one machine gets a GPU of its own.

    Raises ValueError where there is no GPU, or there are fewer than processes.
    """
    if name == "cpu" or (name == "auto" and not torch.cuda.is_available()):
        return _CPU
    if not torch.cuda.is_available():
        raise ValueError("device must be 'auto' or 'cpu' here, got 'cuda': PyTorch finds no CUDA device")
    number, found = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if number >= found:
        raise ValueError(f"device: process {number} finds {found} GPUs; start at most {found} processes a machine")
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


@contextmanager
def process_group(device, minutes=10):
    """The `Ranks` that torchrun asks for, by gloo on CPUs and NCCL on GPUs; `ALONE` without torchrun.

    A process that hears nothing from the others for `minutes` ends with an error; torchrun ends them all when one dies.
    """
    if int(os.environ.get("WORLD_SIZE", 1)) == 1:
        yield Ranks(device=device)
        return
    backend = "gloo" if device.type == "cpu" else "nccl"
    distributed.init_process_group(backend, timeout=timedelta(minutes=minutes))
    try:
        yield Ranks(distributed.get_rank(), distributed.get_world_size(), device)
    finally:
        distributed.destroy_process_group()
