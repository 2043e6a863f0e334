"""The process in which vLLM computes: never outlives the actor it belongs to. Knows vLLM's executors only.

vLLM imports these classes by name inside its engine-core process. With one device the model runs in that very
process, which saves a third process, its start-up and a hop a step. An actor that is killed cannot tell its
engine core to stop, so the core watches its parent.
"""

from __future__ import annotations

import os
import threading
import time

from vllm.v1.executor.multiproc_executor import MultiprocExecutor
from vllm.v1.executor.uniproc_executor import UniProcExecutor

from actors.cpu_affinity import apply_affinity

WATCH_S = 1.0


def leave_with_parent() -> None:
    """End this process at most about a second after its parent is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, name="leave-with-parent", daemon=True).start()


class OneProcess(UniProcExecutor):
    """The model in the engine-core process: one GPU, or the CPU, on its own cores where it has some."""

    def _init_executor(self) -> None:
        leave_with_parent()
        apply_affinity()
        super()._init_executor()


class ManyProcesses(MultiprocExecutor):
    """A process a GPU, for tensor parallelism on one node."""

    def _init_executor(self) -> None:
        leave_with_parent()
        super()._init_executor()
