"""Options of one round: what differs from the run's search and training, and how its passes over the problems grow.

rounds:
  - {search: {temperature: 0.7}}                                                 # the bootstrap
  - {values: reward_model, train: {policy: {learning_rate: 5.e-4}}}
  - {values: reward_model, only_unsolved: true, rollouts: [16, 64, 128], seeds: [1, 4, 4]}
"""

from __future__ import annotations

import difflib
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError, field_validator, model_validator

from cluster.config.method_config import MethodConfig
from search.config import SearchConfig, StrictConfig
from search.data import Problem
from search.strategies.registry import entry_of, revise
from train.config import PolicyTrainConfig, RewardModelTrainConfig

BY_PASS = ("rollouts", "seeds", "pass_search")  # options that may be lists with an entry for each pass
GROWTH = 2.0


class ModelsTrainConfig(StrictConfig):
    """How each model is trained in a round."""

    policy: PolicyTrainConfig = Field(PolicyTrainConfig(), description="of the policy")
    reward_model: RewardModelTrainConfig = Field(RewardModelTrainConfig(epochs=1), description="of the reward model")


class RoundTrainConfig(StrictConfig):
    """What differs from ``train`` in one round."""

    policy: dict[str, Any] = Field({}, description="options of train.policy that differ")
    reward_model: dict[str, Any] = Field({}, description="options of train.reward_model that differ")


class RoundConfig(StrictConfig):
    """One round of self-evolution; what is not given stands as in ``search``, ``method`` and ``train``."""

    values: Literal["terminal", "reward_model"] = Field(
        "terminal", description="where values come from: graded ends, or the reward model"
    )
    search: dict[str, Any] = Field(
        {}, description="options of search that differ; another strategy takes over the common ones only"
    )
    method: MethodConfig | None = Field(None, description="what this round learns; default: as the run's method says")
    train: RoundTrainConfig = Field(RoundTrainConfig(), description="options of train that differ")
    levels: tuple[int, int] | None = Field(
        None, description="search training problems of so many reasoning steps, least and most (default: all)"
    )
    only_unsolved: bool = Field(False, description="search only what no earlier round solved, with fresh seeds")
    passes: int = Field(
        1,
        ge=1,
        description="searches in all; each after the first goes over what is still unsolved; default: as many as the lists "
        "of rollouts, seeds or pass_search have entries",
    )
    growth: float = Field(
        GROWTH,
        ge=1,
        description="rollouts, or what the strategy grows with, of a pass over the pass before, without rollouts or pass_search",
    )
    rollouts: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None,
        min_length=1,
        description="rollouts, or what the strategy grows with, of each pass (rStar-Math: [16, 64, 128])",
    )
    seeds: tuple[Annotated[int, Field(ge=1)], ...] | None = Field(
        None,
        min_length=1,
        description="trees a problem of each pass, each with a seed of its own; one number for all; default: search.trees",
    )
    pass_search: tuple[dict[str, Any], ...] | None = Field(
        None, min_length=1, description="options of search that differ in each pass, on top of the round's"
    )
    train_reward_model: bool = Field(
        True, description="train a reward model on this round's trees, where the method has one"
    )

    @field_validator("rollouts", mode="before")
    @classmethod
    def _list_of_rollouts(cls, value: Any) -> Any:
        if isinstance(value, int):
            raise ValueError(f"a list has a number for each pass: [{value}, …]; one for all is an option of search")
        return value

    @field_validator("levels")
    @classmethod
    def _least_first(cls, levels: tuple[int, int] | None) -> tuple[int, int] | None:
        if levels is not None and levels[0] > levels[1]:
            raise ValueError(f"the least level comes first: [{levels[1]}, {levels[0]}]")
        return levels

    @model_validator(mode="before")
    @classmethod
    def _count_passes(cls, values: Any) -> Any:
        """Set ``passes`` to the length of the lists, refuse lists of other lengths, and repeat one number of seeds."""
        if not isinstance(values, dict):
            return values
        lists = {name: values[name] for name in BY_PASS if isinstance(values.get(name), list | tuple) and values[name]}
        passes = values.get("passes", next(map(len, lists.values()), 1))
        for name, entries in lists.items():
            if len(entries) != passes:
                raise ValueError(f"{name} has {len(entries)} entries for {passes} passes: one for each pass is needed")
        seeds = values.get("seeds")
        same = {"seeds": (seeds,) * passes} if isinstance(seeds, int) and isinstance(passes, int) else {}
        return {**values, **same, "passes": passes}

    @model_validator(mode="after")
    def _one_kind_of_growth(self) -> RoundConfig:
        lists = [name for name in ("rollouts", "pass_search") if getattr(self, name) is not None]
        if lists and self.growth != GROWTH:
            raise ValueError(f"growth and {lists[0]} both say what a pass may spend: leave one of them out")
        return self

    def covers(self, problem: Problem) -> bool:
        """Whether the round searches the problem, as far as its level says."""
        if self.levels is None:
            return True
        return problem.level is not None and self.levels[0] <= problem.level <= self.levels[1]

    def revise_search(self, search: SearchConfig, attempt: int) -> SearchConfig:
        """Return the search of a pass (1 is the first) from the run's ``search``. Raises pydantic.ValidationError.

        With 16 rollouts in ``search``: growth 2 makes 16, 32 and 64 of three passes, ``rollouts`` says them one by one.
        """
        search = revise(search, self.search)
        if self.pass_search is not None:
            search = revise(search, self.pass_search[attempt - 1])
        option, changes = entry_of(search).budget_option, dict[str, Any]()
        if self.rollouts is not None:
            changes[option] = self.rollouts[attempt - 1]
        elif self.pass_search is None and attempt > 1:
            changes[option] = self._grown(getattr(search, option), attempt)
        if self.seeds is not None:
            changes["trees"] = self.seeds[attempt - 1]
        return revise(search, changes) if changes else search

    def _grown(self, value: int, attempt: int) -> int:
        """Return the value of an option that grows from pass to pass, in pass ``attempt``."""
        try:
            return round(value * self.growth ** (attempt - 1))
        except OverflowError as error:
            raise ValueError(f"growth {self.growth:g} makes pass {attempt} infinite: take a smaller one") from error

    def revise_training(self, train: ModelsTrainConfig) -> ModelsTrainConfig:
        """Return how the round's models are trained, from the run's ``train``. Raises ValueError that names the option."""
        revised = {}
        for role in ModelsTrainConfig.model_fields:
            settings, changes = getattr(train, role), getattr(self.train, role)
            try:
                revised[role] = settings.revise(changes) if changes else settings
            except ValidationError as error:
                raise ValueError(describe_option(f"train.{role}", error, type(settings))) from error
        return ModelsTrainConfig(**revised)

    def search_place(self, attempt: int) -> str:
        """Return where the options of a pass are said, for messages."""
        return "search" if self.pass_search is None else f"pass_search.{attempt - 1}"


def describe_option(place: str, error: ValidationError, config: type[StrictConfig], tags: int = 0) -> str:
    """Return the first error in the options at ``place``: "search.temperature: input should be greater than 0".

    ``tags``: keys of the error's location before that of the option.
    """
    first = error.errors()[0]
    option = ".".join(map(str, first["loc"][tags:]))
    where = f"{place}.{option}" if option else place
    if first["type"] == "extra_forbidden":
        close = difflib.get_close_matches(option, config.model_fields, n=1)
        return f"{where}: no such option" + (f", did you mean {close[0]}?" if close else "")
    message = first["msg"].removeprefix("Value error, ")
    return f"{where}: {message[0].lower()}{message[1:]}"
