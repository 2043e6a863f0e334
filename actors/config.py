"""Define the settings of vLLM engines and of search workers.

A number of "auto" is chosen for the model and the cluster before anything starts (cluster/capacity/choose.py). Until then it
counts as the one for a machine without a GPU: these were measured on two cores with a model of a few million parameters.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from search.config import AutoConfig, AutoFloat, AutoInt, is_auto

# Share of a card that engines may fill: the rest is for CUDA's own use, and for what else the engine's process holds there.
CARD_SHARE = 0.9
MOST_OF_A_SHARE = 0.95  # from here on engines of one card cannot all start


class EngineConfig(AutoConfig):
    """One kind of vLLM engine: number of replicas, GPUs, sizes and deadlines."""

    replicas: int = Field(
        AutoInt(1),
        ge=1,
        description="engines of this kind (actors); auto: as many as GPUs allow, shared with the other models of a search, or "
        "one a node without GPUs",
    )
    replicas_alone: int = Field(
        AutoInt(0),
        ge=0,
        description="engines of the policy until another model is first served beside it, for GPUs that would wait for that; "
        "0: replicas; auto: as many as GPUs allow",
    )
    gpus: float = Field(
        AutoFloat(0),
        ge=0,
        description="GPUs of one engine: a whole number spreads the model over so many (tensor parallel), a number below 1 is "
        "a share of one card, 0 is none; auto: as few as hold the model, none where no node has or can have a GPU",
    )
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
    max_num_seqs: int = Field(
        AutoInt(256),
        ge=1,
        description="sequences decoded at once in one engine; auto: as many as fit the GPUs' memory, at most 256",
    )
    max_batched_tokens: int = Field(8192, ge=64, description="tokens in one forward pass")
    block_size: int = Field(
        32, ge=32, multiple_of=32, description="tokens in a KV block on CPU: the granularity of prefix caching"
    )
    kv_cache_gib: float = Field(1.0, gt=0, description="memory for the KV cache of one engine on CPU (GiB)")
    gpu_memory_utilization: float = Field(
        AutoFloat(CARD_SHARE),
        gt=0,
        le=1,
        description="share of a whole card's memory that one engine may use; auto: 0.9, or 0.9 of the engine's share of the card",
    )
    enforce_eager: Literal["auto"] | bool = Field("auto", description="no compilation; auto: true on CPU, false on GPU")
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

    @model_validator(mode="before")
    @classmethod
    def _name_the_new_field(cls, values: Any) -> Any:
        for old in ("num_gpus", "tensor_parallel"):
            if isinstance(values, Mapping) and old in values:
                raise ValueError(
                    f"{old} is no field any more: say gpus, a whole number for tensor parallel or a share of one card below 1"
                )
        return values

    @field_validator("gpus")
    @classmethod
    def _whole_or_a_share(cls, gpus: float) -> float:
        if gpus > 1 and gpus != int(gpus):
            raise ValueError("above 1 only whole GPUs are possible: an engine shares one card at most")
        return gpus

    @model_validator(mode="after")
    def _memory_fits_the_share(self) -> EngineConfig:
        most = MOST_OF_A_SHARE * self.gpus
        if 0 < self.gpus < 1 and not is_auto(self.gpu_memory_utilization) and self.gpu_memory_utilization > most:
            raise ValueError(
                f"gpu_memory_utilization {self.gpu_memory_utilization:g} is of the whole card, and an engine of gpus "
                f"{self.gpus:g} shares it: leave it out, or take {most:.3g} at most"
            )
        return self

    def alone(self) -> EngineConfig:
        """Return the settings while no other model is served: with ``replicas_alone`` engines, if there are more so."""
        return (
            self.model_copy(update={"replicas": self.replicas_alone}) if self.replicas_alone > self.replicas else self
        )

    @property
    def num_gpus(self) -> float:
        """GPUs that one engine requests from Ray; 0 runs it on CPU."""
        return self.gpus

    @property
    def tensor_parallel(self) -> int:
        """GPUs that the model is spread over; 1 on a CPU and on a share of a card."""
        return max(1, int(self.gpus))

    @property
    def engines_per_card(self) -> int:
        """Engines that start one after the other where this one shares a card; 1 where it has whole cards or none."""
        return math.ceil(1 / self.gpus - 0.01) if 0 < self.gpus < 1 else 1

    @property
    def memory_share(self) -> float:
        """Share of each card's memory that one engine may use."""
        share = self.gpus if 0 < self.gpus < 1 else 1.0
        return CARD_SHARE * share if is_auto(self.gpu_memory_utilization) else self.gpu_memory_utilization

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


class WorkerConfig(AutoConfig):
    """The search workers: actors that grow trees."""

    workers: int = Field(
        AutoInt(1), ge=1, description="search workers (actors); auto: one a node, or for 8 engines if those are more"
    )
    trees_in_flight: int = Field(
        AutoInt(32),
        ge=1,
        description="trees one worker grows at once; auto: 32, or as many as fill the policy engines on GPUs",
    )
    chunk_size: int = Field(8, ge=1, description="problems dispatched to a busy worker at a time")
    max_attempts: int = Field(2, ge=1, description="tries of one problem before it is put in quarantine")
    num_cpus: float = Field(0.5, ge=0, description="CPUs one worker requests from Ray (a share, for placement only)")
    max_deaths: int = Field(3, ge=1, description="dead workers with a problem in hand that put it in quarantine")
    stall_s: float = Field(1800, gt=0, description="longest time without a finished tree before the search fails (s)")
    trace: float = Field(0.0, ge=0, le=1, description="share of trees whose spans are stored (raystar trace); 0: none")
