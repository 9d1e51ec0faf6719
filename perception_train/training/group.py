"""The processes that train together (torch.distributed, started by torchrun), and the device that each uses."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from perception_common.errors import UserError

#: The others wait for so long while the first validates and exports, or is paused. Death is noticed at once.
_PATIENCE = timedelta(days=7)


@dataclass(frozen=True)
class Group:
    """This process among those that train one model: ``rank`` of ``size``, computing on ``device``.

    The first process (``leads``) alone writes files, validates, exports and decides; the others follow.
    """

    rank: int
    size: int
    device: torch.device

    @property
    def leads(self) -> bool:
        """Whether this process writes and decides."""
        return self.rank == 0

    def share(self, batch: int) -> range:
        """The places in a global batch that are this process's.

        Raises:
            UserError: the batch cannot be divided among the processes.
        """
        if batch % self.size:
            raise UserError(
                f"batch {batch} cannot be divided among {self.size} processes", fix=f"use a multiple of {self.size}"
            )
        each = batch // self.size
        return range(self.rank * each, (self.rank + 1) * each)

    def told(self, values: Sequence[float]) -> list[float]:
        """The first process's values, in all of them."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(list(values), dtype=torch.float64, device=self.device)
        dist.broadcast(tensor, 0)
        return [float(value) for value in tensor.tolist()]

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """The mean over all processes of each value."""
        if self.size == 1:
            return values
        tensor = torch.tensor(list(values.values()), dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return dict(zip(values, (tensor / self.size).tolist(), strict=True))

    def joined(self, module: nn.Module) -> nn.Module:
        """The module with its gradients averaged over the processes; the module itself when there is only one."""
        if self.size == 1:
            return module
        devices = [self.device.index or 0] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, devices)


@contextmanager
def joined_group(device: str) -> Iterator[Group]:
    """This process's group: that which torchrun says (RANK, WORLD_SIZE, LOCAL_RANK), else itself alone.

    Args:
        device: ``auto`` (a GPU where there is one), ``cpu``, ``cuda`` or ``cuda:N``.

    Raises:
        UserError: there is no such device.
    """
    size, rank = int(os.environ.get("WORLD_SIZE", "1")), _rank()
    chosen = choose_device(device, int(os.environ.get("LOCAL_RANK", "0")))
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    if size == 1:
        yield Group(0, 1, chosen)
        return
    store, rank, size = next(dist.rendezvous("env://", timeout=_PATIENCE))
    # The agent keeps its store when it restarts the processes: addresses of those that died must not be found in it.
    store = dist.PrefixStore(f"start_{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    backend = "nccl" if chosen.type == "cuda" else "gloo"
    dist.init_process_group(backend, store=store, rank=rank, world_size=size, timeout=_PATIENCE)
    try:
        yield Group(rank, size, chosen)
    finally:
        dist.destroy_process_group()


def choose_device(name: str, local_rank: int = 0) -> torch.device:
    """The device of a name; ``auto`` and ``cuda`` give the GPU of this process's number on its machine.

    Raises:
        UserError: the name means no device, or none that this machine has.
    """
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name == "cpu" or (name == "auto" and not there):
        return torch.device("cpu")
    number = name.removeprefix("cuda").removeprefix(":") if name != "auto" else ""
    index = local_rank if number == "" else int(number) if number.isdigit() else -1
    if not (name == "auto" or name.startswith("cuda")) or index < 0:
        raise UserError(f"device '{name}' is unknown", fix="use auto, cpu, cuda or cuda:N")
    if index >= there:
        what = f"has {there} GPUs that torch can use" if there else "has no GPU that torch can use"
        raise UserError(f"device '{name}' (number {index}): this machine {what}", fix="set device to auto or cpu")
    return torch.device("cuda", index)


def leads_here() -> bool:
    """Whether this process is the only one, or the first of those that torchrun started."""
    return _rank() == 0


def _rank() -> int:
    return int(os.environ.get("RANK", "0"))
