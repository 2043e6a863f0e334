"""Settings of the papers' trainings by name, each with its source. Sizes of batches are over all workers.

``paper`` is rStar-Math (arXiv 2501.04519), ``released`` its code (microsoft/rStar, branch rStar-math). Both are for models of
1.5B to 7B. What a source leaves open is not set here and stays as in ``TrainConfig``.
"""

from __future__ import annotations

from typing import Any

# Paper, training details in the appendix: 2 epochs, length 4096, batch 128, AdamW, linear decay from 7e-6. The tags of the
# step format are special tokens.
_POLICY_PAPER: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 128,
    "learning_rate": 7e-6,
    "schedule": "linear",
    "warmup_ratio": 0.0,
    "max_length": 4096,
    "tag_tokens": True,
}

# README.md, "SFT Train Script": 2 epochs; 8 processes x 4 sequences x 4 accumulated = 128; 7e-6, linear, no warm-up; weight
# decay 0.1. train/train_SFT.py: model_max_length 2048, tags as special tokens, adamw_torch with the defaults of transformers:
# betas 0.9 and 0.999, gradients clipped to 1.
_POLICY_RELEASED: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 128,
    "learning_rate": 7e-6,
    "schedule": "linear",
    "warmup_ratio": 0.0,
    "weight_decay": 0.1,
    "betas": (0.9, 0.999),
    "gradient_clip": 1.0,
    "max_length": 2048,
    "tag_tokens": True,
}

# Paper, the same appendix: 1 epoch, batch 512, 7e-6; section 3.3: the reward is the tanh of a linear head. It states no length
# and no schedule of the PPM's training: those of the policy stand here.
_REWARD_MODEL_PAPER: dict[str, Any] = {
    "epochs": 1,
    "batch_size": 512,
    "learning_rate": 7e-6,
    "schedule": "linear",
    "warmup_ratio": 0.0,
    "max_length": 4096,
    "squash_in_loss": True,
    "head_dropout": 0.0,
    "tag_tokens": True,
}

# README.md, "RM Train Script": 2 epochs; 8 processes x 16 pairs x 4 accumulated = 512; 7e-6, length 2048, adamw_torch. It names
# no weight decay, schedule and warm-up: those of transformers are 0, linear, 0, its betas 0.9 and 0.999. train/rm.py,
# ValueHead: dropout 0.1 before a linear layer, whose output is compared without tanh.
_REWARD_MODEL_RELEASED: dict[str, Any] = {
    "epochs": 2,
    "batch_size": 512,
    "learning_rate": 7e-6,
    "schedule": "linear",
    "warmup_ratio": 0.0,
    "weight_decay": 0.0,
    "betas": (0.9, 0.999),
    "gradient_clip": 1.0,
    "max_length": 2048,
    "squash_in_loss": False,
    "head_dropout": 0.1,
    "tag_tokens": True,
    "gradient_checkpointing": True,
}

POLICY_PRESETS: dict[str, dict[str, Any]] = {"paper": _POLICY_PAPER, "released": _POLICY_RELEASED}
REWARD_MODEL_PRESETS: dict[str, dict[str, Any]] = {"paper": _REWARD_MODEL_PAPER, "released": _REWARD_MODEL_RELEASED}
