"""What a policy engine and a reward model share: how vLLM starts, what it is told, what is counted, how it dies.

Knows vLLM and one model directory. Knows no trees; the fleet makes Ray actors of the subclasses.
"""

from __future__ import annotations

import asyncio
import json
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
from actors.engines.tokenization import Tokens
from actors.errors import PromptTooLong, RequestFailed, WrongModel
from actors.rpc.server import RpcServer
from search.data import ModelRef

if TYPE_CHECKING:
    from vllm.v1.engine.async_llm import AsyncLLM

GIB = 1 << 30
RELOADING = "actors.engines.weight_reload.WeightReload"
EXECUTORS = (
    "actors.engines.vllm_executor.OneProcess",
    "actors.engines.vllm_executor.ManyProcesses",
)  # vLLM imports them by name in its own process
BF16_INSTRUCTIONS = ("avx512_bf16", "amx_bf16")
DEAD = 17  # exit code of an actor whose engine core is gone; Ray then starts the actor again


@dataclass(frozen=True, slots=True)
class EngineStats:
    """What one engine did since it started. ``busy`` is the number of requests it holds now."""

    name: str
    version: int
    requests: int = 0
    busy: int = 0
    generated_tokens: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    too_long: int = 0
    failed: int = 0


def environment(model: ModelRef, config: EngineConfig, cores: int | None = None) -> dict[str, str]:
    """Environment variables that must stand before vLLM and torch are imported."""
    variables = {
        "VLLM_NO_USAGE_STATS": "1",
        "VLLM_LOGGING_LEVEL": os.environ.get("VLLM_LOGGING_LEVEL", "WARNING"),
        "TOKENIZERS_PARALLELISM": "false",
    }
    if Path(model.path).is_dir():
        variables["HF_HUB_OFFLINE"] = "1"  # nothing to ask the hub for
    if not config.num_gpus:
        threads = config.cpu_threads or max(1, (cores or os.cpu_count() or 1) // config.replicas)
        variables |= {"VLLM_CPU_OMP_THREADS_BIND": "nobind", "OMP_NUM_THREADS": str(threads)}
        variables |= affinity_env(model.role, config.cores)
        # Threads that spin while they wait take the cores from those they wait for, where policy and reward model share them.
        variables["OMP_WAIT_POLICY"] = os.environ.get("OMP_WAIT_POLICY", "passive")
    return variables


def saved_dtype(model: Path) -> str:
    """The type a local model directory says its weights have; "auto" leaves it to vLLM, which halves float32."""
    described = model / "config.json"
    if not described.exists():
        return "auto"
    config = json.loads(described.read_text())
    return str(config.get("dtype") or config.get("torch_dtype") or "auto")


def natural_dtype(model: Path, on_cpu: bool) -> str:
    """The type that a model was saved in, but float32 for bfloat16 on a CPU without instructions for it."""
    import torch  # after the environment is set, as for vLLM

    saved, capabilities = saved_dtype(model), torch.cpu.get_capabilities()
    slow = on_cpu and not any(capabilities.get(name) for name in BF16_INSTRUCTIONS)
    return "float32" if slow and saved in ("auto", "bfloat16") else saved


def arguments(model: ModelRef, config: EngineConfig, runner: Literal["generate", "pooling"]) -> dict[str, Any]:
    """Keyword arguments of vLLM's AsyncEngineArgs."""
    on_cpu = not config.num_gpus
    chosen: dict[str, Any] = {
        "model": model.path,
        "runner": runner,
        "dtype": natural_dtype(Path(model.path), on_cpu) if config.dtype == "auto" else config.dtype,
        "max_model_len": config.max_model_len,
        "max_num_seqs": config.max_num_seqs,
        "max_num_batched_tokens": max(config.max_batched_tokens, config.max_model_len),
        "enforce_eager": on_cpu if config.enforce_eager == "auto" else config.enforce_eager,
        "tensor_parallel_size": config.tensor_parallel,
        "enable_prefix_caching": True,
        "disable_log_stats": True,
        "distributed_executor_backend": EXECUTORS[config.tensor_parallel > 1],
        "worker_extension_cls": RELOADING,
    }
    if on_cpu:
        # An explicit size also spares the warm-up by which vLLM would measure how much is free. A prompt that is read in
        # several passes makes vLLM 0.32 rewind the request's seeded generator, which torch's CPU generator cannot do:
        # it would end the engine. So no prompt is split.
        chosen |= {
            "kv_cache_memory_bytes": math.ceil(config.kv_cache_gib * GIB),
            "block_size": config.block_size,
            "enable_chunked_prefill": False,
        }
    else:
        chosen["gpu_memory_utilization"] = config.gpu_memory_utilization
    return chosen


class Engine(RpcServer):
    """One vLLM engine on one model. Starting blocks until the model is loaded."""

    runner: Literal["generate", "pooling"]

    def __init__(self, model: ModelRef, config: EngineConfig, name: str) -> None:
        super().__init__()
        self._model, self._config, self._name = model, config, name
        self._requests = self._busy = self._generated = self._prompt = self._cached = 0
        self._too_long = self._failed = 0
        self._llm = self._start()
        pin(config.cores, as_engine=False)  # this process only speaks for the engine core that it has started
        tokenizer = self._llm.renderer.get_tokenizer()
        self._tokens = Tokens(tokenizer, eos=self._end_ids(tokenizer))
        self._end: int | None = tokenizer.eos_token_id
        self._loading = asyncio.Lock()

    def __repr__(self) -> str:
        return f"{self._name} ({Path(self._model.path).name}, round {self._model.round}, v{self._model.version})"

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def health(self) -> str:
        """The engine's name, once it can answer; the process ends where the engine core is dead."""
        with self._mortal():
            await self._llm.check_health()
        return self._name

    async def load(self, model: ModelRef) -> str:
        """Serve ``model`` from now on, if it is not served already; returns the engine's name.

        For models that are ``alike``, between searches: a request that runs meanwhile would be answered by both. In the
        lane of the requests, because vLLM's answers arrive in the event loop of the first one. An engine that cannot
        load ends, since nobody knows what is left of its weights.
        """
        async with self._loading:
            if model != self._model:
                try:
                    await self._llm.collective_rpc("load_directory", args=(model.path,))
                    await self._llm.reset_prefix_cache()
                except Exception:
                    logging.getLogger(__name__).exception("%s could not load %s", self._name, model.path)
                    os._exit(DEAD)
                self._model = model
        return self._name

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def stats(self) -> EngineStats:
        return EngineStats(
            self._name,
            self._model.version,
            self._requests,
            self._busy,
            self._generated,
            self._prompt,
            self._cached,
            self._too_long,
            self._failed,
        )

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def pid(self) -> int:
        return os.getpid()

    @ray.method(concurrency_group="control")  # type: ignore[untyped-decorator]
    async def stop(self) -> None:
        """End the engine core and free its memory; the actor itself is ended by the fleet."""
        self._llm.shutdown(timeout=0)

    def _start(self) -> AsyncLLM:
        # Imported here because vLLM takes seconds to import and reads the environment while it does:
        # whoever only wants the class (driver, fleet, tests) must not pay for it.
        from vllm.engine.arg_utils import AsyncEngineArgs
        from vllm.v1.engine.async_llm import AsyncLLM

        loggers = None
        if self._config.metrics:
            from vllm.v1.metrics.ray_wrappers import RayPrometheusStatLogger

            loggers = [RayPrometheusStatLogger]
        args = AsyncEngineArgs(**arguments(self._model, self._config, self.runner))
        return AsyncLLM.from_engine_args(args, stat_loggers=loggers)

    def _end_ids(self, tokenizer: Any) -> tuple[int, ...]:
        """The tokenizer's end of sequence, and those that the model's generation config names."""
        named = self._llm.model_config.try_get_generation_config().get("eos_token_id")
        ids = {tokenizer.eos_token_id} | set(named if isinstance(named, list) else [named])
        return tuple(token for token in ids if token is not None)

    def _serves(self, model: ModelRef | None) -> None:
        """Refuse a request that is meant for another model."""
        if model is not None and model != self._model:
            raise WrongModel(f"{self._name} serves {self._model.path}, the request is for {model.path}")

    def _fit(self, ids: list[int], room: int, key: str) -> None:
        limit = self._config.max_model_len - room
        if len(ids) > limit:
            self._too_long += 1
            raise PromptTooLong(
                f"{self._name}: request {key} has {len(ids)} prompt tokens, at most {limit} fit beside {room} new ones "
                f"(max_model_len {self._config.max_model_len})"
            )

    @contextmanager
    def _mortal(self) -> Iterator[None]:
        """Count a request; leave the process when the engine core is dead, so that Ray starts the actor again."""
        from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

        self._requests += 1
        self._busy += 1
        try:
            yield
        except EngineDeadError:
            os._exit(DEAD)
        except EngineGenerateError as error:
            self._failed += 1
            raise RequestFailed(f"{self._name}: {error.__cause__!r}") from error
        finally:
            self._busy -= 1
