"""The config of a run, composed from the configs of the packages that own its parts.

It is parsed before anything heavy is imported; every field can be overridden on the command line by its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from actors.config import WorkerConfig
from actors.placement.config import PlacementSettings
from actors.sandbox.config import ExecutorConfig
from cluster.config import loader
from cluster.config.compare_config import CompareConfig
from cluster.config.method_config import MethodConfig
from cluster.config.model_config import FurtherPolicyConfig, PolicyConfig, RewardModelConfig
from cluster.config.overrides import Override
from cluster.config.round_config import ModelsTrainConfig, RoundConfig, describe_option
from cluster.config.strategy_overrides import fit_to_overrides
from cluster.host.ray_session import RayConfig
from cluster.models.size import ModelSize
from search.config import SearchConfig, StrictConfig
from search.evaluation.tree_votes import VoteRule
from search.problems.config import ProblemsConfig
from search.strategies.entry import Need
from search.strategies.registry import STRATEGIES, AnySearchConfig, entry_of, revise, search_config


class PromotionConfig(StrictConfig):
    """When a new model replaces the old one: it must be no worse on the validation problems.

    Policies are compared by greedy accuracy, PPMs by best-of on the same samples.
    """

    tolerance: float = Field(0.01, ge=0, le=1, description="loss of accuracy that still counts as no worse (share)")


class EvaluationConfig(StrictConfig):
    """What is measured, and how: on the held-out problems for the report, on the validation problems for promotion."""

    samples: int = Field(8, ge=1, description="samples a problem for majority and best-of")
    temperature: float = Field(0.7, ge=0, le=5, description="of those samples")
    search: AnySearchConfig = Field(search_config(rollouts=4), description="the search that is measured")
    answers_per_tree: int = Field(
        1, ge=1, description="best solutions of each tree that vote, where the search grows several trees a problem"
    )
    top_answers: int | None = Field(
        None, ge=1, description="of these the best of all trees that vote; default: all (rStar-Math's code: 4)"
    )
    midway: float = Field(
        1.0,
        gt=0,
        le=1,
        description="share of the problems that samples and search are measured on before the last round; greedy: all",
    )

    @field_validator("search")
    @classmethod
    def _without_answers(cls, search: SearchConfig) -> SearchConfig:
        if entry_of(search).needs_answers:
            raise ValueError(f"strategy {search.strategy!r} needs the answers: it is for the search of rounds only")
        return search

    @property
    def vote_rule(self) -> VoteRule:
        """Which solutions vote, where the search grows several trees a problem."""
        return VoteRule(per_tree=self.answers_per_tree, top=self.top_answers)

    def greedy(self) -> SearchConfig:
        """One solution at temperature 0."""
        return self._sampling(1, 0.0)

    def sampled(self) -> SearchConfig:
        """``samples`` independent solutions."""
        return self._sampling(self.samples, self.temperature)

    def _sampling(self, solutions: int, temperature: float) -> SearchConfig:
        changes = {
            "strategy": "sampling",
            "candidates": solutions,
            "temperature": temperature,
            "budget_tokens": None,
            "trees": 1,
        }
        return revise(self.search, changes)


class PlacementConfig(PlacementSettings):
    """What runs beside what, and where on a cluster."""

    keep_engines: bool = Field(False, description="leave engines running while models are trained (needs the memory)")
    train_together: bool = Field(
        False,
        description="train a round's policy and PPM side by side; the PPM then starts from the policy of the round before",
    )


class RunConfig(StrictConfig):
    """One run."""

    version: Literal[1] = Field(1, description="version of this file's layout")
    name: str = Field(pattern=r"^[A-Za-z0-9][\w.-]*$", description="name of the run; its directory is runs/NAME")
    seed: int = Field(0, ge=0, lt=2**63, description="every random choice derives from it")
    problems: ProblemsConfig = Field(description="training, validation and held-out problems")
    policy: PolicyConfig = Field(PolicyConfig(), description="the model that writes steps")
    reward_model: RewardModelConfig = Field(RewardModelConfig(), description="the model that scores steps")
    executor: ExecutorConfig = Field(ExecutorConfig(), description="where model-written code runs")
    workers: WorkerConfig = Field(WorkerConfig(), description="actors that grow trees")
    search: AnySearchConfig = Field(search_config(), description="how trees grow")
    method: MethodConfig = Field(MethodConfig(), description="what a round learns, and from what")
    second_policy: str | None = Field(
        None,
        description="another policy for strategies that ask one (rstar's discriminator, sphere's smaller model): "
        "policy, the one that searches, base, or a model by name or directory",
    )
    second_policy_size: ModelSize | None = Field(
        None, description="of a second policy that a dry run has not at hand, to plan by"
    )
    policies: tuple[FurtherPolicyConfig, ...] = Field(
        (), description="policies that draw steps beside policy, for strategies that choose among several (ab_mcts)"
    )
    train: ModelsTrainConfig = Field(ModelsTrainConfig(), description="how models are trained")
    rounds: tuple[RoundConfig, ...] = Field(
        (
            RoundConfig(train_reward_model=False),
            RoundConfig(),
            RoundConfig(values="reward_model"),
            RoundConfig(values="reward_model", only_unsolved=True, passes=2),
        ),
        min_length=1,
        description="the rounds, in order",
    )
    promotion: PromotionConfig = Field(PromotionConfig(), description="when a new model is taken")
    evaluation: EvaluationConfig = Field(EvaluationConfig(), description="what is measured on held-out problems")
    compare: CompareConfig = Field(CompareConfig(), description="strategies at equal cost: raystar compare")
    placement: PlacementConfig = Field(PlacementConfig(), description="what runs beside what")
    ray: RayConfig = Field(RayConfig(), description="Ray on this machine")

    @model_validator(mode="after")
    def _reward_model_before_use(self) -> RunConfig:
        trained = self.reward_model.is_named
        for number, entry in enumerate(self.rounds):
            if entry.values == "reward_model" and not trained:
                raise ValueError(
                    f"rounds.{number}.values = 'reward_model' needs an earlier round with train_reward_model: true and a method "
                    "that trains a reward model, or reward_model.path"
                )
            trained = trained or self.method_of(entry).reward_model is not None
        return self

    @model_validator(mode="after")
    def _searches_are_possible(self) -> RunConfig:
        for number, entry in enumerate(self.rounds):
            for attempt in range(1, entry.passes + 1):
                try:
                    self.round_search(entry, attempt)
                except ValidationError as error:
                    place = f"rounds.{number}.{entry.search_place(attempt)}"
                    raise ValueError(describe_option(place, error, type(self.search), tags=1)) from error
                except ValueError as error:
                    raise ValueError(f"rounds.{number}.{error}") from error
        return self

    @model_validator(mode="after")
    def _trainings_are_possible(self) -> RunConfig:
        for number, entry in enumerate(self.rounds):
            try:
                self.round_training(entry)
            except ValueError as error:
                raise ValueError(f"rounds.{number}.{error}") from error
        return self

    @model_validator(mode="after")
    def _trees_fit_methods(self) -> RunConfig:
        for number, entry in enumerate(self.rounds):
            rule = self.method_of(entry).harvest_rule
            for search in self.round_searches(entry):
                required = entry_of(search).reward_model is Need.REQUIRED
                if entry.values != "reward_model" and (rule.needs_scores or required):
                    reader = f"rule {rule.name!r}" if rule.needs_scores else f"strategy {search.strategy!r}"
                    raise ValueError(f"rounds.{number}: {reader} needs scores of a reward model: values: reward_model")
                if rule.strategy not in (None, search.strategy):
                    raise ValueError(
                        f"rounds.{number}: rule {rule.name!r} reads trees of strategy {rule.strategy!r}, not of "
                        f"{search.strategy!r}"
                    )
        return self

    @model_validator(mode="after")
    def _contenders(self) -> RunConfig:
        self.compare.check(self.evaluation.search)
        return self

    @model_validator(mode="after")
    def _policies_are_used(self) -> RunConfig:
        paths = [self.policy.path, *(policy.path for policy in self.policies)]
        if twice := next((path for path in paths if path is not None and paths.count(path) > 1), None):
            raise ValueError(f"policies: {twice!r} is there twice (policy.path is the first policy): leave one out")
        if self.policies and self.policy.endpoint is not None:
            raise ValueError("policies: engines serve them, and policy.endpoint is a server: leave one of them out")
        searches = [self.search, *(search for entry in self.rounds for search in self.round_searches(entry))]
        searches.append(self.evaluation.search)
        if "strategies" in self.compare.model_fields_set:
            contenders = self.compare.strategies.values()
            searches += [revise(self.evaluation.search, contender.settings) for contender in contenders]
        if self.policies and not any(entry_of(search).several_policies for search in searches):
            able = " or ".join(name for name, entry in STRATEGIES.items() if entry.several_policies)
            raise ValueError(
                f"policies: strategy {self.search.strategy!r} draws by one policy: choose {able} in search, evaluation.search "
                "or compare.strategies, or leave policies out"
            )
        return self

    def measured_share(self, number: int) -> float:
        """Share of the evaluation problems that samples and search are measured on after round ``number`` (0: the base)."""
        return 1.0 if number == len(self.rounds) else self.evaluation.midway

    def method_of(self, entry: RoundConfig) -> MethodConfig:
        """What a round learns: its own method or the run's, without a reward model where it trains none."""
        method = entry.method or self.method
        return method if entry.train_reward_model else method.model_copy(update={"reward_model": None})

    def round_search(self, entry: RoundConfig, attempt: int = 1) -> SearchConfig:
        """The search of a round's pass (1 is the first): ``search`` with what the round says itself."""
        return entry.revise_search(self.search, attempt)

    def round_searches(self, entry: RoundConfig) -> list[SearchConfig]:
        """The searches of all passes of a round, in order."""
        return [self.round_search(entry, attempt) for attempt in range(1, entry.passes + 1)]

    def round_training(self, entry: RoundConfig) -> ModelsTrainConfig:
        """How the models of a round are trained: ``train`` with what the round says itself."""
        return entry.revise_training(self.train)

    def resolved(self) -> dict[str, Any]:
        """Every value, defaults included, as plain data: what the run directory keeps and compares."""
        return self.model_dump(mode="json")


def load(path: Path, overrides: Sequence[Override] = ()) -> RunConfig:
    """Return the config in ``path`` with ``overrides`` on top. Raises UserError that names file, line, field and remedy."""
    return loader.load_config(RunConfig, path, overrides, adjust=fit_to_overrides)
