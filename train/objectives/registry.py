"""Registry of training objectives. A new one is a file ``train/objectives/NAME.py``, an entry here and a test.

The file defines ``FUNCTIONS``, its loss and metrics. The entry says which samples they need and what they make.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from search.reward_models import KINDS, RewardModelKind
from train.objectives.sample_kinds import SampleKind
from train.record_files import OUTCOMES, PAIRS, STEP_LABELS, TRAJECTORIES

if TYPE_CHECKING:
    from train.objectives.base import LossFunctions


@dataclass(frozen=True, slots=True, kw_only=True)
class Objective:
    """One way to train a policy or a reward model.

    ``samples``: the kind of samples that the loss works on. ``records``: the file of a harvest that they are made from.
    ``trains_policy``: a policy can be trained by it. ``reward_model``: the kind of reward model that it makes, None if
    it makes none.
    """

    name: str
    samples: SampleKind
    records: str
    trains_policy: bool = False
    reward_model: RewardModelKind | None = None

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the reward model's outputs, as its directory has them; empty if the objective makes no reward model."""
        return KINDS[self.reward_model].labels if self.reward_model is not None else ()

    @property
    def head(self) -> tuple[str, ...]:
        """Names of the outputs of a reward head; empty for a model that keeps its language head."""
        return () if self.samples.language_head else self.output_names

    def functions(self) -> LossFunctions:
        """Import the loss and the metrics. Only this loads torch, so a config can name objectives without it."""
        functions: LossFunctions = import_module(f"train.objectives.{self.name}").FUNCTIONS
        return functions


_ENTRIES = (
    Objective(name="sft", samples=SampleKind.TOKENS, records=TRAJECTORIES, trains_policy=True),
    Objective(
        name="dpo",
        samples=SampleKind.PREFERENCES,
        records=PAIRS,
        trains_policy=True,
        reward_model=RewardModelKind.DPO,  # a language model whose likelihood scores solutions (V-STaR)
    ),
    Objective(name="dpo_nll", samples=SampleKind.PREFERENCES, records=PAIRS, trains_policy=True),
    Objective(name="ppm", samples=SampleKind.PAIRS, records=PAIRS, reward_model=RewardModelKind.PPM),
    Objective(name="prm", samples=SampleKind.STEP_LABELS, records=STEP_LABELS, reward_model=RewardModelKind.PRM),
    Objective(name="orm", samples=SampleKind.OUTCOMES, records=OUTCOMES, reward_model=RewardModelKind.ORM),
    Objective(
        name="q_regression",
        samples=SampleKind.STEP_VALUES,
        records=STEP_LABELS,
        reward_model=RewardModelKind.Q_REGRESSION,
    ),
)

OBJECTIVES: dict[str, Objective] = {objective.name: objective for objective in _ENTRIES}
POLICY_OBJECTIVES = tuple(name for name, objective in OBJECTIVES.items() if objective.trains_policy)
REWARD_MODEL_OBJECTIVES = tuple(name for name, objective in OBJECTIVES.items() if objective.reward_model)
