"""Reward models: their kinds, one a file, and how their outputs become logits and probabilities."""

from search.reward_models.base import KindEntry, Reading, RenderedState, RewardAdapter
from search.reward_models.config import JudgeConfig, ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import (
    PRM_CLASSES,
    likelihood_log_odds,
    sigmoid,
    squash,
    to_logit,
    value_log_odds,
)
from search.reward_models.registry import (
    KIND_BY_LABELS,
    KINDS,
    default_aggregation,
    log_odds,
    logit_unit,
    make_adapter,
    probability,
    read_kind,
    recognise,
    recognise_directory,
    resolve_kind,
    reward_adapter,
)
from search.reward_models.trained import LIKELIHOOD_UNIT

__all__ = [
    "KINDS",
    "KIND_BY_LABELS",
    "LIKELIHOOD_UNIT",
    "PRM_CLASSES",
    "JudgeConfig",
    "KindEntry",
    "Reading",
    "ReadingConfig",
    "RenderedState",
    "RewardAdapter",
    "RewardModelKind",
    "default_aggregation",
    "likelihood_log_odds",
    "log_odds",
    "logit_unit",
    "make_adapter",
    "probability",
    "read_kind",
    "recognise",
    "recognise_directory",
    "resolve_kind",
    "reward_adapter",
    "sigmoid",
    "squash",
    "to_logit",
    "value_log_odds",
]
