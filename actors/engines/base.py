"""Define what policy engines and reward models share: vLLM's settings, model reloading, counters and failure handling.

``manager.py`` makes Ray actors of the subclasses.
"""

from __future__ import annotations

import asyncio
import logging
import math
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import ray

from actors.config import EngineConfig
from actors.cpu_affinity import affinity_env, pin
from actors.engines.arguments import quantization_argument, resolve_dtype, saved_quantization
from actors.engines.card_turn import card_turn
from actors.engines.context_limit import context_limit
from actors.engines.start_errors import ActorLog, start_failure
from actors.errors import PromptTooLong, RequestFailed, WrongModel
from actors.rpc.server import RpcServer
from search.data import ModelRef
from search.storage.object_store import fetch_if_stored
from search.tokens import TokenEncoder, vocabulary_digest

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

GIB = 1 << 30
# vLLM imports these classes by name in its own processes.
WORKER_EXTENSION = "actors.engines.worker_extension.WorkerExtension"
SINGLE_PROCESS_EXECUTOR = "actors.engines.vllm_executor.SingleProcessExecutor"
MULTI_PROCESS_EXECUTOR = "actors.engines.vllm_executor.MultiProcessExecutor"
EXIT_ENGINE_DEAD = 17  # exit code of an actor whose engine core is dead; Ray then restarts the actor


@dataclass(slots=True, kw_only=True)
class EngineStats:
    """Totals of one engine since it started. ``inflight`` is the number of requests that it has now."""

    name: str
    version: int
    requests: int = 0
    inflight: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    too_long: int = 0
    failed: int = 0


def engine_environment(model: ModelRef, config: EngineConfig, cores: int | None = None) -> dict[str, str]:
    """Return the environment variables that must be set before vLLM and torch are imported.

    ``cores``: CPU cores for the engine where ``cpu_threads`` is 0; default: those of this machine / replicas.
    """
    variables = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
        "TOKENIZERS_PARALLELISM": "false",
    }
    if Path(model.path).is_dir():
        variables["HF_HUB_OFFLINE"] = "1"
    if not config.num_gpus:
        threads = config.cpu_threads or cores or max(1, (os.cpu_count() or 1) // config.replicas)
        variables |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(threads)}
        variables |= affinity_env(model.role, config.reserved_cores)
        # Where policy and reward model share cores, threads that spin while they wait slow down those they wait for.
        variables["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")
    return variables


def engine_arguments(model: ModelRef, config: EngineConfig, runner: Literal["generate", "pooling"]) -> dict[str, Any]:
    """Return the keyword arguments of vLLM's AsyncEngineArgs. RAYSTAR_ARGUMENTS has the name of each."""
    on_cpu, directory = not config.num_gpus, Path(model.path)
    quantization = config.quantization or saved_quantization(directory)
    length = context_limit(directory) if config.max_model_len == "auto" else config.max_model_len
    arguments: dict[str, Any] = {
        "model": model.path,
        "runner": runner,
        "dtype": resolve_dtype(directory, on_cpu, quantization) if config.dtype == "auto" else config.dtype,
        "max_model_len": length,
        "max_num_seqs": config.max_num_seqs,
        "max_num_batched_tokens": max(config.max_batched_tokens, length or 0),
        "enforce_eager": on_cpu if config.enforce_eager == "auto" else config.enforce_eager,
        "tensor_parallel_size": config.tensor_parallel,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "distributed_executor_backend": MULTI_PROCESS_EXECUTOR
        if config.tensor_parallel > 1
        else SINGLE_PROCESS_EXECUTOR,
        "worker_extension_cls": WORKER_EXTENSION,
        "trust_remote_code": config.trust_remote_code,
        **quantization_argument(directory, config.quantization),
    }
    if on_cpu:
        # An explicit cache size spares the warm-up by which vLLM would measure the free memory. A prompt that is read
        # in several passes makes vLLM 0.32 rewind the request's seeded generator. torch's CPU generator cannot do
        # that, and the engine would die. So no prompt is split.
        arguments |= {
            "kv_cache_memory_bytes": math.ceil(config.kv_cache_gib * GIB),
            "block_size": config.block_size,
            "enable_chunked_prefill": False,
        }
    else:
        arguments["gpu_memory_utilization"] = config.memory_share
    return arguments | config.extra


class Engine(RpcServer):
    """One vLLM engine on one model. The constructor blocks until the model is loaded. Raises EngineStartFailed."""

    runner: Literal["generate", "pooling"]

    def __init__(self, model: ModelRef, config: EngineConfig, name: str) -> None:
        super().__init__()
        self._model, self._config, self._name = model, config, name
        fetch_if_stored(Path(model.path))
        self._stats = EngineStats(name=name, version=model.version)
        self._llm = self._start_in_turn()
        self._max_model_len = self._llm.model_config.max_model_len
        pin(config.reserved_cores, as_engine=False)  # the model runs in vLLM's engine core, not in this process
        tokenizer = self._llm.renderer.get_tokenizer()
        digest = vocabulary_digest(Path(model.path))
        self._tokens = TokenEncoder.of(tokenizer, eos_ids=self._eos_ids(tokenizer), vocabulary=digest)
        self._eos: int | None = tokenizer.eos_token_id
        self._load_lock = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{self._name} ({Path(self._model.path).name}, round {self._model.round}, v{self._model.version})"

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def health(self) -> str:
        """Return the engine's name once it can serve; the process exits where the engine core is dead."""
        with self._exit_if_engine_dead():
            await self._llm.check_health()
        return self._name

    async def load(self, model: ModelRef) -> str:
        """Load the weights of ``model``, if it is not served already; return the engine's name.

        For models of the ``same_architecture``. Requests that run are answered with the old weights first, later ones
        wait, and no cached prefix of the old weights is left. Not in the concurrency group "control", because vLLM's
        outputs arrive in the event loop of the first request. An engine that fails to load exits, since its weights are
        in an unknown state.
        """
        async with self._load_lock:
            if model != self._model:
                await asyncio.to_thread(fetch_if_stored, Path(model.path))
                try:
                    await self._llm.pause_generation(mode="wait", clear_cache=True)
                    await self._llm.collective_rpc("load_directory", args=(model.path,))
                    await self._llm.resume_generation()
                except Exception:
                    logging.getLogger(__name__).exception("%s could not load %s", self._name, model.path)
                    os._exit(EXIT_ENGINE_DEAD)
                self._model = model
                self._stats.version = model.version
        return self._name

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def stats(self) -> EngineStats:
        return self._stats

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def pid(self) -> int:
        return os.getpid()

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """Stop the engine core and free its memory; the engine manager ends the actor."""
        self._llm.shutdown(timeout=0)

    def _start_in_turn(self) -> AsyncLLM:
        """Start vLLM, after other engines that are starting on the same card. Raises EngineStartFailed with the cause."""
        with card_turn(self._config):
            log = ActorLog()
            try:
                return self._start()
            except Exception as error:  # a boundary: vLLM fails in any way, and the driver gets one line
                raise start_failure(error, log) from error

    def _start(self) -> AsyncLLM:
        return self._launch(self._arguments())

    def _arguments(self) -> dict[str, Any]:
        """Return the keyword arguments of vLLM's AsyncEngineArgs for this engine."""
        return engine_arguments(self._model, self._config, self.runner)

    def _launch(self, arguments: dict[str, Any]) -> AsyncLLM:
        """Start vLLM on a model and return once it is loaded."""
        # vLLM takes seconds to import and reads the environment on import. Processes that only need the class (driver,
        # engine manager, tests) must not pay for it.
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        loggers = None
        if self._config.metrics:
            # vLLM finds Ray's metrics only where Ray Serve can be imported too, whose packages nothing here needs.
            from ray.util import metrics
            from vllm.v1.metrics import ray_wrappers

            ray_wrappers.ray_metrics = metrics
            loggers = [ray_wrappers.RayPrometheusStatLogger]
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments), stat_loggers=loggers)

    def _eos_ids(self, tokenizer: Any) -> tuple[int, ...]:
        """Return the end-of-sequence ids of the tokenizer and of the model's generation config."""
        configured = self._llm.model_config.try_get_generation_config().get("eos_token_id")
        ids = {tokenizer.eos_token_id} | set(configured if isinstance(configured, list) else [configured])
        return tuple(token for token in ids if token is not None)

    def _check_model(self, model: ModelRef | None) -> None:
        """Raise WrongModel where a request is meant for another model than the one served."""
        if model is not None and model != self._model:
            raise WrongModel(f"{self._name} serves {self._model.path}, the request is for {model.path}")

    def _check_length(self, ids: list[int], new_tokens: int, key: str) -> None:
        """Raise PromptTooLong where the prompt leaves no room for ``new_tokens``."""
        limit = self._max_model_len - new_tokens
        if len(ids) > limit:
            self._stats.too_long += 1
            raise PromptTooLong(
                f"{self._name}: request {key} has {len(ids)} prompt tokens, at most {limit} fit beside {new_tokens} "
                f"new ones (max_model_len {self._max_model_len})"
            )

    @contextmanager
    def _exit_if_engine_dead(self) -> Iterator[None]:
        """Count a request. Exit the process where the engine core is dead, so that Ray restarts the actor."""
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        self._stats.requests += 1
        self._stats.inflight += 1
        try:
            yield
        except EngineDeadError:
            os._exit(EXIT_ENGINE_DEAD)
        except EngineGenerateError as error:
            self._stats.failed += 1
            raise RequestFailed(f"{self._name}: {error.__cause__!r}") from error
        finally:
            self._stats.inflight -= 1
