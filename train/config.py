"""Settings of harvest and training, with the papers' values in the descriptions. Knows bounds, no behaviour."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class HarvestConfig(BaseModel):
    """Which trajectories and pairs are taken from trees (rStar-Math, sections 3.3 and 3.4)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    top_k: int = Field(default=2, ge=1, description="right trajectories kept a problem, best mean Q first (paper: 2)")
    best: int = Field(
        default=2, ge=1, description="preferred sides taken a prefix or problem, highest Q first (paper: 2)"
    )
    worst: int = Field(
        default=2, ge=1, description="rejected sides taken a prefix or problem, lowest Q first (paper: 2)"
    )
    answer_pairs: bool = Field(
        default=True, description="also pair whole right solutions with whole wrong ones (paper: yes)"
    )
    q_margin: float = Field(
        default=0.0,
        ge=0.0,
        le=2.0,
        description="least difference of Q within a pair (paper: none stated; released code: 0.5)",
    )
    edit_distance: int = Field(
        default=0,
        ge=0,
        description="least edit distance between the two sides of a pair (characters; released code: 20)",
    )
    chain_average: bool = Field(
        default=False,
        description="mean Q of the whole chain must be higher on the preferred side too (released code: yes)",
    )


HARVEST_PRESETS: dict[str, HarvestConfig] = {
    "paper": HarvestConfig(),
    "released": HarvestConfig(q_margin=0.5, edit_distance=20, chain_average=True),
}


class TrainConfig(BaseModel):
    """How one model is trained. The defaults suit a model of a few million parameters on a CPU."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    epochs: int = Field(default=2, ge=1, description="passes over the data (paper: SFT 2, PPM 1)")
    batch_size: int = Field(
        default=32,
        ge=1,
        description="sequences, or pairs, an optimizer step over all workers (paper: SFT 128, PPM 512, Iterative RPO 16)",
    )
    micro_batch_tokens: int = Field(
        default=8192, ge=1, description="most tokens, padding included, in one forward pass of one worker"
    )
    learning_rate: float = Field(
        default=1e-3, gt=0.0, le=1.0, description="peak learning rate (paper: 7e-6 from 1.5B up)"
    )
    schedule: Literal["linear", "cosine", "constant"] = Field(
        default="linear", description="how the learning rate falls to zero after the warm-up (paper: linear)"
    )
    warmup_ratio: float = Field(
        default=0.05, ge=0.0, lt=1.0, description="share of the steps that the learning rate rises for"
    )
    weight_decay: float = Field(default=0.0, ge=0.0, le=1.0, description="AdamW's decoupled weight decay")
    betas: tuple[float, float] = Field(default=(0.9, 0.95), description="AdamW's decay rates of the two moments")
    max_length: int = Field(
        default=1024, ge=8, description="longest sample (tokens); longer ones are left out and counted"
    )
    gradient_clip: float = Field(
        default=1.0, ge=0.0, description="largest norm of the whole gradient; 0 means no limit"
    )
    zero_stage: int = Field(default=1, ge=0, le=3, description="DeepSpeed ZeRO stage: what is split over the workers")
    workers: int = Field(default=1, ge=1, description="Ray Train workers")
    precision: Literal["auto", "fp32", "bf16"] = Field(
        default="auto",
        description="of weights and activations; auto: bf16 where the processor computes in it, else fp32; "
        "the optimizer keeps 32-bit copies either way",
    )
    gradient_checkpointing: bool = Field(
        default=False, description="recompute activations in the backward pass to save memory"
    )
    head_dropout: float = Field(
        default=0.0,
        ge=0.0,
        lt=1.0,
        description="dropout before a reward head while training (PPM's released code: 0.1)",
    )
    squash_in_loss: bool = Field(
        default=False,
        description="PPM loss on tanh of the logits (paper) instead of the logits themselves (released code)",
    )
    dpo_beta: float = Field(
        default=0.1,
        gt=0.0,
        description="DPO's beta: a reward is this times the change of a solution's log-probability (Iterative RPO: 0.1)",
    )
    nll_weight: float = Field(
        default=1.0, ge=0.0, description="weight of the chosen solution's likelihood in dpo_nll (Iterative RPO: 1)"
    )
    cpus_per_worker: int | None = Field(
        default=None, ge=1, description="CPU cores of a worker; empty: the cluster's cores shared out evenly"
    )
    use_gpu: Literal["auto"] | bool = Field(
        default="auto", description="one GPU a worker; auto: if the cluster has enough"
    )
    checkpoint_every: int = Field(
        default=0, ge=0, description="optimizer steps between checkpoints; 0: at the end of every epoch but the last"
    )
    max_failures: int = Field(
        default=2, ge=0, description="times that a failed worker group is restarted from the checkpoint"
    )
    start_deadline_s: float = Field(
        default=300.0, gt=0.0, description="longest wait for the workers to start (seconds)"
    )
    log_every: int = Field(default=10, ge=1, description="optimizer steps between two progress reports")


class BaseSize(BaseModel):
    """Shape of the base policy that is made from nothing (train.trainer.base_policy)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    hidden_size: int = Field(192, ge=32, description="width of the residual stream (units)")
    layers: int = Field(4, ge=1, description="transformer layers")
    heads: int = Field(6, ge=1, description="attention heads; divides hidden_size")
    intermediate_size: int = Field(512, ge=32, description="width of the feed-forward part (units)")
    vocabulary: int = Field(
        800, ge=400, description="tokens of the tokenizer: 256 bytes, 101 numbers, the tags and what is learnt"
    )
    context: int = Field(1024, ge=128, description="longest sequence (tokens)")
    initial_std: float = Field(
        0.08, gt=0.0, description="standard deviation of the random weights; 1 / sqrt(hidden_size) suits narrow models"
    )
