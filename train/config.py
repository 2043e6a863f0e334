"""Settings of training, with the papers' values in the descriptions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self, cast

from pydantic import Field, field_validator, model_validator

from search.config import AutoConfig, AutoInt, AutoText, PresetConfig, StrictConfig, auto_flag, is_auto
from train.presets import POLICY_PRESETS, REWARD_MODEL_PRESETS
from train.trainer.trackers.registry import TRACKERS

# Settings of how a training is carried out, not of what it learns. They may change when a run is resumed.
# What is learnt does not depend on how a step's samples are spread over workers and forward passes (train/trainer/loop.py),
# nor on where its states lie.
LAYOUT = ("workers", "micro_batch_tokens", "zero_stage", "offload", "gradient_checkpointing", "use_gpu")
NOT_IN_FINGERPRINT = frozenset(
    {"max_failures", "start_deadline_s", "log_every", "cpus_per_worker", "trackers", "trust_remote_code", *LAYOUT}
)
Offload = Literal["none", "optimizer", "optimizer_and_weights"]
# On a CPU the backward pass of the fused attention takes half of a step on sequences of a hundred tokens; plain matrix
# products make the whole step 2.4 times faster in bf16 (docs/LOG.md). Their memory grows with the square of the length.
LONGEST_PLAIN_ATTENTION = 512
LEAST_STAGE: Mapping[Offload, int] = {"none": 0, "optimizer": 1, "optimizer_and_weights": 3}  # of ZeRO


class TrainConfig(AutoConfig):
    """Training of one model. The defaults suit a model of a few million parameters on a CPU.

    How it is carried out is chosen for the model and the cluster where a value is "auto" (cluster/capacity/choose.py).
    """

    epochs: int = Field(default=2, ge=1, description="passes over the data (paper: SFT 2, PPM 1)")
    batch_size: int = Field(
        default=32,
        ge=1,
        description="sequences, or pairs, in one optimizer step over all workers (paper: SFT 128, PPM 512, Iterative RPO 16)",
    )
    micro_batch_tokens: int = Field(
        default=AutoInt(8192),
        ge=1,
        description="maximum tokens, padding included, in one forward pass of one worker; auto: 8192, or fewer where they do "
        "not fit the GPUs",
    )
    packing: Literal["auto", "tree", "none"] = Field(
        default="none",
        description="tree: what sequences of a problem begin with in common is computed once; none: each sequence is a padded "
        "row; auto: tree, where the model's attention takes it",
    )
    learning_rate: float = Field(
        default=1e-3, gt=0.0, le=1.0, description="peak learning rate (paper: 7e-6 from 1.5B up)"
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="decay of the learning rate to zero after the warm-up (paper: linear)"
    )
    warmup_ratio: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="share of the steps in which the learning rate rises"
    )
    weight_decay: float = Field(default=0.0, ge=0.0, le=1.0, description="AdamW's decoupled weight decay")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="AdamW's decay rates of the two moments")
    max_length: int = Field(
        default=1024, ge=8, description="maximum length of a sample (tokens); longer ones are left out and counted"
    )
    gradient_clip: float = Field(default=1.0, ge=0.0, description="maximum norm of the whole gradient; 0: no limit")
    zero_stage: int = Field(
        default=AutoInt(1),
        ge=0,
        le=3,
        description="DeepSpeed ZeRO stage: what is split over the workers; auto: the lowest from 1 up at which model and "
        "activations fit the GPUs; 1 without",
    )
    workers: int = Field(
        default=AutoInt(1),
        ge=1,
        description="Ray Train workers; auto: one for each GPU of the cluster, or one a node without GPUs, at most batch_size",
    )
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="of weights and activations; auto: bf16 if the processor computes in it, else fp32; "
        "the optimizer keeps 32-bit copies either way",
    )
    trust_remote_code: bool = Field(
        default=False,
        description="run the code that the model directory brings, if transformers lacks its architecture",
    )
    tag_tokens: bool = Field(
        default=False,
        description="make each tag of the step format a token of its own in SFT and in new reward models, if the tokenizer "
        "has none for it (rStar-Math); takes thousands of steps to learn",
    )
    gradient_checkpointing: bool = Field(
        default=auto_flag(False),
        description="recompute activations in the backward pass to save memory; auto: where they do not fit the GPUs without",
    )
    offload: Offload = Field(
        default=cast(Offload, AutoText("none")),
        description="what a GPU's memory is spared and the host's holds: none; optimizer: AdamW's states and its step, "
        "from zero_stage 1 up; optimizer_and_weights: the weights too, at zero_stage 3; auto: the least with which it fits",
    )
    head_dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="dropout before a reward head during training (PPM's released code: 0.1)",
    )
    squash_in_loss: bool = Field(
        default=False,
        description="PPM loss on tanh of the logits (paper), not on the logits themselves (released code)",
    )
    dpo_beta: float = Field(
        default=0.1,
        gt=0.0,
        description="DPO's beta: the reward is this times the change of a solution's log-probability (Iterative RPO: 0.1)",
    )
    nll_weight: float = Field(
        default=1.0, ge=0.0, description="weight of the chosen solution's likelihood in dpo_nll (Iterative RPO: 1)"
    )
    cpus_per_worker: int | None = Field(
        default=None, ge=1, description="CPU cores of a worker; empty: the nodes' cores shared out evenly"
    )
    use_gpu: Literal["auto"] | bool = Field(
        default="auto", description="one GPU for each worker; auto: if any node has or can have a GPU"
    )
    checkpoint_every: int = Field(
        default=0, ge=0, description="optimizer steps between checkpoints; 0: at the end of every epoch but the last"
    )
    max_failures: int = Field(default=2, ge=0, description="restarts of a failed worker group from its checkpoint")
    start_deadline_s: float = Field(
        default=300.0, gt=0.0, description="maximum wait for the workers to start (seconds)"
    )
    log_every: int = Field(default=10, ge=1, description="optimizer steps between two progress reports")
    trackers: tuple[str, ...] = Field(
        default=("tensorboard",), description=f"where scalars are written, beside the report: {', '.join(TRACKERS)}"
    )

    @model_validator(mode="after")
    def _stage_can_offload(self) -> Self:
        least = LEAST_STAGE[self.offload]
        if not is_auto(self.zero_stage) and self.zero_stage < least:
            raise ValueError(f"offload {self.offload!r} needs zero_stage {least} or more, not {self.zero_stage}")
        return self

    @field_validator("trackers")
    @classmethod
    def _known_trackers(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in TRACKERS:
                raise ValueError(f"tracker {name!r} is not known: one of {', '.join(TRACKERS)}")
        return names


class PresetTrainConfig(PresetConfig, TrainConfig):
    """Training of a model for which there are papers' settings. ``preset`` fills in what is not given here.

    A preset is only a name for values: it is not in a training's fingerprint.
    """

    preset: Literal["paper", "released"] | None = Field(
        None,
        description="rStar-Math's settings to start from: of the paper, or of the released code (train/presets.py)",
    )

    def revise(self, changes: Mapping[str, Any]) -> Self:
        """Return the settings with ``changes``. A preset among them replaces what was set before, other changes replace it.

        Raises pydantic.ValidationError if a change is impossible.
        """
        preset = self.presets.get(str(changes.get("preset")), {})
        return type(self).model_validate({**self.model_dump(), **preset, **changes})


class PolicyTrainConfig(PresetTrainConfig):
    """Training of a round's policy."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = POLICY_PRESETS


class RewardModelTrainConfig(PresetTrainConfig):
    """Training of a round's reward model."""

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = REWARD_MODEL_PRESETS


class BasePolicySize(StrictConfig):
    """Shape of the built-in base policy (train.trainer.base_policy)."""

    hidden_size: int = Field(192, ge=32, description="width of the residual stream (units)")
    layers: int = Field(4, ge=1, description="transformer layers")
    heads: int = Field(6, ge=1, description="attention heads; divides hidden_size")
    intermediate_size: int = Field(512, ge=32, description="width of the feed-forward part (units)")
    vocabulary: int = Field(
        800, ge=400, description="tokens of the tokenizer: 256 bytes, 101 numbers, the tags, and learnt ones"
    )
    context: int = Field(1024, ge=128, description="maximum length of a sequence (tokens)")
    initial_std: float = Field(
        0.08, gt=0.0, description="standard deviation of the random weights; 1 / sqrt(hidden_size) suits narrow models"
    )
