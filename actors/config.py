"""Define the settings of vLLM engines and of search workers.

The defaults were measured on two cores with a model of a few million parameters. A GPU config states its own.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import Field

from search.config import StrictConfig


class EngineConfig(StrictConfig):
    """One kind of vLLM engine: number of replicas, sizes and deadlines."""

    replicas: int = Field(1, ge=1, description="engines of this kind (actors)")
    dtype: Literal["auto", "float32", "bfloat16", "float16"] = Field(
        "auto",
        description="of weights and activations; auto: as the model was saved, but float32 for bfloat16 on a CPU that "
        "does not compute in it",
    )
    quantization: Literal["awq", "gptq", "fp8", "bitsandbytes"] | None = Field(
        None,
        description="of the weights; default: as the model was saved. awq and gptq must be in the model, fp8 is done while a "
        "full model is loaded",
    )
    trust_remote_code: bool = Field(False, description="run the Python code that the model brings; read it first")
    extra: dict[str, Any] = Field(
        {}, description="further arguments of vLLM's AsyncEngineArgs, by name: what no other field is for"
    )
    max_model_len: Literal["auto"] | Annotated[int, Field(ge=32)] = Field(
        "auto",
        description="prompt and continuation together (tokens); auto: what the search needs, at most the model's context",
    )
    max_num_seqs: int = Field(256, ge=1, description="sequences decoded at once in one engine")
    max_batched_tokens: int = Field(8192, ge=64, description="tokens in one forward pass")
    block_size: int = Field(
        32, ge=32, multiple_of=32, description="tokens in a KV block on CPU: the granularity of prefix caching"
    )
    kv_cache_gib: float = Field(1.0, gt=0, description="memory for the KV cache of one engine on CPU (GiB)")
    gpu_memory_utilization: float = Field(0.9, gt=0, le=1, description="share of one GPU that one engine may use")
    enforce_eager: Literal["auto"] | bool = Field("auto", description="no compilation; auto: true on CPU, false on GPU")
    tensor_parallel: int = Field(1, ge=1, description="GPUs one engine is spread over")
    num_gpus: float = Field(0, ge=0, description="GPUs one engine requests from Ray; 0 runs it on CPU")
    num_cpus: float = Field(0.5, ge=0, description="CPUs one engine requests from Ray (a share, for placement only)")
    cpu_threads: int = Field(1, ge=0, description="compute threads of one engine; 0: the machine's cores / replicas")
    reserve_cores: bool = Field(
        True,
        description="on a CPU with at most twice the policy engines' threads: keep the search's other actors off the "
        "policy engines' cores; false where several runs share the machine",
    )
    queue: float = Field(
        1.0, ge=0, description="sequences that may wait in an engine for each that it decodes at once, over all callers"
    )
    start_deadline_s: float = Field(300, gt=0, description="longest wait for an engine to start or come back (s)")
    request_deadline_s: float = Field(300, gt=0, description="longest wait for one response (s)")
    max_attempts: int = Field(4, ge=1, description="tries of one request before it fails for good")
    backoff_s: float = Field(0.2, gt=0, description="wait before the second try, doubled for each further one (s)")
    reload: bool = Field(
        True, description="load a new model's weights into the running engines instead of starting new ones"
    )
    metrics: bool = Field(False, description="export vLLM's own metrics to Ray's")

    @property
    def can_reload(self) -> bool:
        """Whether engines may load new weights while they run; not into weights that vLLM has quantized."""
        return self.reload and self.quantization is None

    @property
    def max_inflight(self) -> int:
        """Sequences that one engine accepts at once: ``max_num_seqs`` decoding, the rest in its queue."""
        return math.ceil(self.max_num_seqs * (1 + self.queue))

    @property
    def reserved_cores(self) -> int:
        """CPU cores reserved for all engines of this kind; 0 without a reservation or on GPUs."""
        return 0 if self.num_gpus or not self.reserve_cores else self.replicas * self.cpu_threads


class WorkerConfig(StrictConfig):
    """The search workers: actors that grow trees."""

    workers: int = Field(1, ge=1, description="search workers (actors)")
    trees_in_flight: int = Field(32, ge=1, description="trees one worker grows at once")
    chunk_size: int = Field(8, ge=1, description="problems dispatched to a busy worker at a time")
    max_attempts: int = Field(2, ge=1, description="tries of one problem before it is put in quarantine")
    num_cpus: float = Field(0.5, ge=0, description="CPUs one worker requests from Ray (a share, for placement only)")
    max_deaths: int = Field(3, ge=1, description="dead workers with a problem in hand that put it in quarantine")
    stall_s: float = Field(1800, gt=0, description="longest time without a finished tree before the search fails (s)")
