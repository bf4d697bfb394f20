"""The processes that train together (`accelerate launch`): each takes its share of a step's batches, gradients are summed."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.distributed as distributed
from torch import Tensor, nn

from core.errors import Refused


@dataclass(frozen=True)
class World:
    """This process's number among `size`; number 0 writes files and events."""

    rank: int = 0
    size: int = 1

    @property
    def is_main(self) -> bool:
        return self.rank == 0

    @torch.no_grad()
    def sum_gradients(self, parameters: list[nn.Parameter]) -> None:
        """After this every process holds the gradient of the whole step, summed in one exchange."""
        if self.size == 1:
            return
        gradients = [p.grad if p.grad is not None else torch.zeros_like(p) for p in parameters]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        distributed.all_reduce(flat)
        for parameter, part in zip(parameters, flat.split([p.numel() for p in parameters]), strict=True):
            parameter.grad = part.view_as(parameter)

    def sum(self, values: Tensor) -> Tensor:
        """Element-wise sum over all processes."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def agree(self, wish: bool, device: torch.device) -> bool:
        """What process 0 wishes, known to all."""
        if self.size == 1:
            return wish
        answer = torch.tensor([float(wish and self.is_main)], device=device)
        return bool(self.sum(answer).item())

    def tell(self, text: str) -> str:
        """The text process 0 gave, known to all."""
        if self.size == 1:
            return text
        spoken = [text]
        distributed.broadcast_object_list(spoken)
        return spoken[0]

    def share_of(self, count: int, what: str) -> range:
        """The numbers below `count` that fall to this process. Raises Refused when they cannot be shared evenly."""
        if count % self.size:
            raise Refused(f"{what} is {count}, which {self.size} processes cannot share evenly.", "accelerate launch", f"Set GRAD_ACCUM to a multiple of {self.size}.")
        return range(self.rank, count, self.size)


def join_world() -> World:
    """The world `accelerate launch` set up, or a world of one."""
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    return World(state.process_index, state.num_processes)
