"""Run vLLM's model in processes that never outlive their actor.

vLLM imports these classes by name inside its engine-core process. With one device the model runs in that very process,
which saves a third process, its start-up and a hop a step. A killed actor cannot tell its engine core to stop, so the
core watches its parent.
"""

from __future__ import annotations

import os
import threading
import time

from vllm.v1.executor.multiproc_executor import MultiprocExecutor
from vllm.v1.executor.uniproc_executor import UniProcExecutor

from actors.cpu_affinity import apply_affinity

WATCH_S = 1.0


def exit_with_parent() -> None:
    """Exit this process at most about WATCH_S after its parent is gone."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(WATCH_S)
        os._exit(1)

    threading.Thread(target=watch, name="exit-with-parent", daemon=True).start()


class SingleProcessExecutor(UniProcExecutor):
    """The model in the engine-core process: on one GPU, or on the CPU, pinned to reserved cores where there are any."""

    def _init_executor(self) -> None:
        exit_with_parent()
        apply_affinity()
        super()._init_executor()


class MultiProcessExecutor(MultiprocExecutor):
    """One process a GPU, for tensor parallelism on one node."""

    def _init_executor(self) -> None:
        exit_with_parent()
        super()._init_executor()
