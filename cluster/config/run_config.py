"""The config of a run, composed from the configs of the packages that own its parts.

It is parsed before anything heavy is imported; every field can be overridden on the command line by its path.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, NonNegativeInt, ValidationError, field_validator, model_validator

from actors.config import EngineConfig, WorkerConfig
from actors.endpoints.config import EndpointConfig
from actors.sandbox.config import ExecutorConfig
from cluster.config import loader
from cluster.config.compare_config import CompareConfig
from cluster.config.method_config import MethodConfig
from cluster.config.overrides import Override
from cluster.host.ray_session import RayConfig
from cluster.models.size import ModelSize
from search.config import SearchConfig, StrictConfig
from search.data import Problem
from search.formats.model_prompt import AUTO, FORMAT_NAMES, PromptSettings
from search.formats.prose import Delimiter
from search.problems.config import ProblemsConfig
from search.reward_models import ReadingConfig, RewardModelKind
from search.strategies.entry import Need
from search.strategies.registry import DEFAULT as DEFAULT_STRATEGY
from search.strategies.registry import AnySearchConfig, entry_of, revise, search_config
from train.config import BasePolicySize, TrainConfig


class RecipeConfig(StrictConfig):
    """The built-in base policy: a small Qwen2 model trained from nothing on shallow worked solutions."""

    solutions: tuple[NonNegativeInt, ...] = Field(
        (500, 500, 500), min_length=1, description="worked solutions it is trained on, of 1, 2, 3 … reasoning steps"
    )
    seed: int = Field(
        0,
        ge=0,
        description="of its worked solutions, first weights and order; runs of any seed start from the same base",
    )
    size: BasePolicySize = Field(BasePolicySize(), description="shape of the model")
    train: TrainConfig = Field(TrainConfig(), description="how it is trained")


class PolicyConfig(StrictConfig):
    """The model that writes steps."""

    path: str | None = Field(
        None,
        description="Hugging Face name (OWNER/NAME or OWNER/NAME@REVISION), model directory or stage of a run; default: the "
        "built-in recipe",
    )
    size: ModelSize | None = Field(None, description="of a model that a dry run has not at hand, to plan by")
    recipe: RecipeConfig = Field(RecipeConfig(), description="how the built-in base policy is made")
    format: str = Field(
        AUTO,
        description=f"step format: {', '.join(FORMAT_NAMES)}; auto: what the model was trained on by its raystar.json, else "
        "chat if it has a chat template, else plain; of the built-in recipe: code",
    )
    system: str | None = Field(
        AUTO, description="system text of the format chat; empty: the template's own; auto: to reason step by step"
    )
    thinking: bool | Literal["auto"] = Field(
        AUTO, description="let the chat template switch thinking on; auto: only for a model that was trained so"
    )
    delimiter: Delimiter | Literal["auto"] = Field(
        AUTO, description=f"what ends a step in prose: {', '.join(Delimiter)}; auto: blank_line"
    )
    shots: str | None = Field(
        None,
        description="file of worked examples put before the question, for models that were not trained on the format",
    )
    sampling_defaults: Literal["none", "generation_config"] = Field(
        "none",
        description="temperature, top_p and top_k where search and evaluation say none; generation_config: the model's own",
    )
    engine: EngineConfig = Field(EngineConfig(), description="engines that run it")
    endpoint: EndpointConfig | None = Field(
        None,
        description="an OpenAI-compatible server in place of engines; path then names a directory with the model's tokenizer "
        "and chat template, if there is one",
    )

    @field_validator("format")
    @classmethod
    def _known_format(cls, name: str) -> str:
        if name not in (AUTO, *FORMAT_NAMES):
            raise ValueError(f"one of {', '.join((AUTO, *FORMAT_NAMES))} is known")
        return name

    def prompt_settings(self, shots: Sequence[str] = ()) -> PromptSettings:
        """Return how the config wants models to be prompted. ``shots``: the worked examples in the file."""
        return PromptSettings(
            format=self.format,
            system=self.system,
            thinking=self.thinking,
            delimiter=self.delimiter,
            shots=tuple(shots),
        )


class RewardModelConfig(ReadingConfig):
    """The model that scores steps."""

    path: str | None = Field(
        None,
        description="reward model that scores until a round trains one: Hugging Face name (OWNER/NAME or "
        "OWNER/NAME@REVISION), model directory or stage of a run; default: none",
    )
    kind: Literal["auto"] | RewardModelKind = Field(
        AUTO,
        description=f"how it is read: {', '.join(RewardModelKind)}; auto: as its architecture, labels and name say; refused "
        "where they leave doubt",
    )
    size: ModelSize | None = Field(None, description="of a model that a dry run has not at hand, to plan by")
    engine: EngineConfig = Field(EngineConfig(), description="engines that run it")
    endpoint: EndpointConfig | None = Field(
        None, description="an OpenAI-compatible server of a judge (kind judge), in place of a path and engines"
    )

    @model_validator(mode="after")
    def _path_or_endpoint(self) -> RewardModelConfig:
        if self.endpoint is not None and self.path is not None:
            raise ValueError("a reward model has a path or an endpoint: leave one of them out")
        if self.endpoint is not None and self.kind not in (AUTO, RewardModelKind.JUDGE):
            raise ValueError(f"kind {self.kind}: an endpoint serves a judge only: leave kind out")
        return self

    @property
    def is_named(self) -> bool:
        """Whether the config names a reward model."""
        return self.path is not None or self.endpoint is not None


class ModelsTrainConfig(StrictConfig):
    """How each model is trained in a round."""

    policy: TrainConfig = Field(TrainConfig(), description="of the policy")
    reward_model: TrainConfig = Field(TrainConfig(epochs=1), description="of the reward model")


class RoundConfig(StrictConfig):
    """One round of self-evolution; what is not given stands as in ``search``."""

    values: Literal["terminal", "reward_model"] = Field(
        "terminal", description="where values come from: graded ends, or the reward model"
    )
    search: dict[str, Any] = Field(
        {}, description="options of search that differ; another strategy takes over the common ones only"
    )
    method: MethodConfig | None = Field(None, description="what this round learns; default: as the run's method says")
    levels: tuple[int, int] | None = Field(
        None, description="search training problems of so many reasoning steps, least and most (default: all)"
    )
    only_unsolved: bool = Field(False, description="search only what no earlier round solved, with fresh seeds")
    passes: int = Field(1, ge=1, description="searches in all; each after the first goes over what is still unsolved")
    growth: float = Field(
        2.0,
        ge=1,
        description="rollouts, or what the strategy grows with, of a pass over the pass before (paper: 16, 64, 128)",
    )
    train_reward_model: bool = Field(
        True, description="train a reward model on this round's trees, where the method has one"
    )

    def covers(self, problem: Problem) -> bool:
        """Whether the round searches the problem, as far as its level says."""
        if self.levels is None:
            return True
        return problem.level is not None and self.levels[0] <= problem.level <= self.levels[1]


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
        }
        return revise(self.search, changes)


class PlacementConfig(StrictConfig):
    """What runs beside what."""

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
            try:
                self.round_search(entry)
            except ValidationError as error:
                first = error.errors()[0]
                message = first["msg"].removeprefix("Value error, ")
                where = ".".join(str(part) for part in ("rounds", number, "search", *first["loc"][1:]))
                raise ValueError(f"{where}: {message[0].lower()}{message[1:]}") from error
        return self

    @model_validator(mode="after")
    def _trees_fit_methods(self) -> RunConfig:
        for number, entry in enumerate(self.rounds):
            search, method = self.round_search(entry), self.method_of(entry)
            rule = method.harvest_rule
            required = entry_of(search).reward_model is Need.REQUIRED
            if entry.values != "reward_model" and (rule.needs_scores or required):
                reader = f"rule {rule.name!r}" if rule.needs_scores else f"strategy {search.strategy!r}"
                raise ValueError(f"rounds.{number}: {reader} needs scores of a reward model: values: reward_model")
            if rule.strategy not in (None, search.strategy):
                raise ValueError(
                    f"rounds.{number}: rule {rule.name!r} reads trees of strategy {rule.strategy!r}, not of {search.strategy!r}"
                )
        return self

    @model_validator(mode="after")
    def _contenders(self) -> RunConfig:
        self.compare.check(self.evaluation.search)
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
        search = revise(self.search, entry.search)
        if attempt == 1:
            return search
        option = entry_of(search).budget_option
        return revise(search, {option: round(getattr(search, option) * entry.growth ** (attempt - 1))})

    def resolved(self) -> dict[str, Any]:
        """Every value, defaults included, as plain data: what the run directory keeps and compares."""
        return self.model_dump(mode="json")


def load(path: Path, overrides: Sequence[Override] = ()) -> RunConfig:
    """Return the config in ``path`` with ``overrides`` on top. Raises UserError that names file, line, field and remedy."""
    return loader.load_config(RunConfig, path, overrides, adjust=_follow_strategy)


def _follow_strategy(tree: dict[str, Any], overrides: Sequence[Override]) -> None:
    """Where an override changes ``search.strategy``, keep only the common options of the rounds that follow it."""
    search, rounds = tree.get("search"), tree.get("rounds")
    before = search.get("strategy", DEFAULT_STRATEGY) if isinstance(search, dict) else DEFAULT_STRATEGY
    changed = any(override.path == ("search", "strategy") and override.value != before for override in overrides)
    for entry in rounds if changed and isinstance(rounds, list) else ():
        options = entry.get("search") if isinstance(entry, dict) else None
        if isinstance(options, dict) and not options.keys() & {"strategy", "preset"}:
            entry["search"] = {name: value for name, value in options.items() if name in SearchConfig.model_fields}
