"""Ask DeepSpeed's own estimators how much the weights, gradients and optimizer states of a ZeRO training take.

DeepSpeed takes seconds to import, and its estimators are arithmetic. So the two functions are run from DeepSpeed's source
alone; ``tests/cluster/capacity/memory`` compares them with the imported ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

from cluster.models.package_source import package_directory
from search.errors import UserError

PACKAGE = "deepspeed"
ZERO_2 = ("runtime/zero/stage_1_and_2.py", "estimate_zero2_model_states_mem_needs")
ZERO_3 = ("runtime/zero/stage3.py", "estimate_zero3_model_states_mem_needs")


@dataclass(frozen=True, slots=True)
class StateBytes:
    """Bytes of a training's model states: on each GPU, and on a host with all of its GPUs."""

    gpu: int
    host: int


def zero2_states(parameters: int, gpus: int, *, offload: bool) -> StateBytes:
    """Return what ZeRO stage 2 in half precision takes on so many GPUs of one host."""
    host, gpu = _function(*ZERO_2)(parameters, num_gpus_per_node=gpus, num_nodes=1, cpu_offload=offload)
    return StateBytes(gpu, host)


def zero3_states(parameters: int, largest: int, gpus: int, *, offload: bool, offload_weights: bool) -> StateBytes:
    """Return what ZeRO stage 3 in half precision takes; ``largest``: weights of the largest layer."""
    host, gpu, _ = _function(*ZERO_3)(
        parameters,
        largest,
        num_gpus_per_node=gpus,
        num_nodes=1,
        cpu_offload=offload,
        cpu_offload_params=offload_weights,
        zero_init=True,
    )
    return StateBytes(gpu, host)


@cache
def _function(file: str, name: str) -> Callable[..., Any]:
    """Return a function at the top of a file of DeepSpeed, which needs nothing else of that file."""
    folder = package_directory(PACKAGE)
    if folder is None:
        raise UserError("DeepSpeed is not installed: install requirements/cpu.lock, or gpu.lock on GPUs")
    text = (folder / file).read_text(encoding="utf-8")
    _, _, rest = text.partition(f"\ndef {name}(")
    body, _, _ = rest.partition("\ndef ")
    namespace: dict[str, Any] = {}
    exec(compile(f"def {name}({body}", str(folder / file), "exec"), namespace)
    function: Callable[..., Any] = namespace[name]
    return function
