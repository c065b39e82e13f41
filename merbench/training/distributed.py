"""One process or many: Accelerate, started by ``torchrun``.

``accelerate launch --cpu`` was seen to run one process where two were asked for; ``torchrun`` runs two.
"""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import torch

from merbench.errors import MerbenchError
from merbench.models._device import find_device

if TYPE_CHECKING:
    from collections.abc import Iterator

    from accelerate import Accelerator

    from merbench.training.recipe import Precision

_LOST = ("closed by peer", "reset by peer", "communicator was aborted")  # by gloo, TCP and NCCL
_MIXED = {"float32": "no", "bfloat16": "bf16"}


@contextlib.contextmanager
def accelerator(device: str, precision: Precision) -> Iterator[Accelerator]:
    """Join the other processes, if ``torchrun`` started any, and leave them at the end.

    Args:
        device: ``auto``, ``cpu``, ``cuda`` or ``cuda:N``; of several processes each takes its own GPU.
        precision: what the forward pass computes in; weights and optimiser stay in float32.

    Raises:
        MerbenchError: the device is not here, or cannot compute in this precision; another process has
            failed.
    """
    from accelerate import Accelerator, DistributedDataParallelKwargs
    from accelerate.state import AcceleratorState

    found = find_device(device)
    if found != "cpu":
        torch.cuda.set_device(found if processes() == 1 else int(os.environ["LOCAL_RANK"]))
        if precision == "bfloat16" and not torch.cuda.is_bf16_supported(including_emulation=False):
            raise MerbenchError(
                f"{torch.cuda.get_device_name()} cannot compute in bfloat16", fix="pass --precision float32"
            )
    # A batch without any sound leaves the audio encoder without a gradient.
    unused = DistributedDataParallelKwargs(find_unused_parameters=True)
    # Accelerate remembers the settings of the first run of a process for good.
    AcceleratorState._reset_state(reset_partial_state=True)
    joined = Accelerator(cpu=found == "cpu", mixed_precision=_MIXED[precision], kwargs_handlers=[unused])
    try:
        with _reproducible(found):
            yield joined
    except RuntimeError as error:
        if not any(sign in str(error) for sign in _LOST):
            raise
        raise MerbenchError(
            "another process of this run has failed", fix="its own message says why"
        ) from error
    finally:
        if processes() > 1:
            torch.distributed.destroy_process_group()


def processes() -> int:
    """Return how many processes ``torchrun`` started; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1"))


def is_main() -> bool:
    """Tell whether this process is the one that writes and speaks."""
    return os.environ.get("RANK", "0") == "0"


@contextlib.contextmanager
def _reproducible(device: str) -> Iterator[None]:
    """Have the CPU add up in one order, and leave torch's settings and generators as they were."""
    before = torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(before or device == "cpu")
    try:
        with torch.random.fork_rng():
            yield
    finally:
        torch.use_deterministic_algorithms(before)
