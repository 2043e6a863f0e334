"""Which strategies are compared, and what each may spend. Knows settings; runs nothing."""

from __future__ import annotations

from itertools import pairwise
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from search.config import LABELLING, SearchConfig

WITHOUT_REWARD_MODEL = ("samples", "rstar")  # strategies that read no score


class Contender(BaseModel):
    """One strategy: ``settings`` on top of ``evaluation.search``, and the one that grows with the budget."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    settings: dict[str, Any] = Field({}, description="fields of evaluation.search that differ")
    scale: Literal["rollouts", "candidates", "beam_width"] | None = Field(
        None, description="the field that is as given at the first budget and grows in step with it; none: nothing does"
    )

    def search(self, base: SearchConfig, budget: int, first: int) -> SearchConfig:
        """The search that may spend ``budget`` generated tokens a problem. ValueError for what no search can be."""
        fields = {**base.model_dump(), **self.settings, "budget_tokens": budget}
        if self.scale is not None:
            fields[self.scale] = max(1, round(fields[self.scale] * budget / first))
        return SearchConfig.model_validate(fields)


def _contenders() -> dict[str, Contender]:
    samples, one = {"strategy": "samples"}, {"rollouts": 1, "candidates": 4}
    return {
        "greedy": Contender(settings={**samples, "candidates": 1, "temperature": 0.0}),
        "majority": Contender(settings={**samples, "candidates": 4}, scale="candidates"),
        "best_of": Contender(
            settings={"strategy": "best_of", "candidates": 4, "answer_by": "best"}, scale="candidates"
        ),
        "weighted": Contender(
            settings={"strategy": "best_of", "candidates": 4, "answer_by": "weighted"}, scale="candidates"
        ),
        "beam": Contender(settings={"strategy": "beam", **one, "beam_width": 1}, scale="beam_width"),
        "dvts": Contender(settings={"strategy": "dvts", **one}, scale="rollouts"),
        "mcts": Contender(
            settings={"strategy": "mcts", "rollouts": 40, "candidates": 2, "widen": 0.7, "answer_by": "posterior"},
            scale="rollouts",
        ),
    }


class CompareConfig(BaseModel):
    """Strategies on the same problems, models and seeds, at equal numbers of generated tokens."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    budgets: tuple[int, ...] = Field(
        (500, 1000, 2000), min_length=1, description="generated tokens a problem after which nothing new is begun"
    )
    repeats: int = Field(3, ge=1, description="seeds: how often each strategy searches all problems")
    strategies: dict[str, Contender] = Field(
        default_factory=_contenders, min_length=1, description="what is compared, by names of your own"
    )
    against: str = Field("best_of", description="the strategy to which differences are taken")

    @field_validator("budgets")
    @classmethod
    def _rising(cls, budgets: tuple[int, ...]) -> tuple[int, ...]:
        if budgets[0] < 1 or any(late <= early for early, late in pairwise(budgets)):
            raise ValueError(f"budgets must rise from 1 on, not {list(budgets)}")
        return budgets

    def guided(self, base: SearchConfig) -> tuple[str, ...]:
        """Names of the contenders that read a PPM's scores."""
        searches = {name: one.search(base, self.budgets[0], self.budgets[0]) for name, one in self.strategies.items()}
        return tuple(name for name, search in searches.items() if search.strategy not in WITHOUT_REWARD_MODEL)

    def check(self, base: SearchConfig) -> None:
        """ValueError where a contender is no search, or the one to compare with is missing."""
        if self.against not in self.strategies:
            raise ValueError(f"compare.against is {self.against!r}: one of {', '.join(self.strategies)}")
        for name, contender in self.strategies.items():
            try:
                search = contender.search(base, self.budgets[0], self.budgets[0])
            except ValueError as error:
                problem = str(error).splitlines()[1:3]
                raise ValueError(f"compare.strategies.{name}: {' '.join(part.strip() for part in problem)}") from error
            if search.strategy in LABELLING:
                raise ValueError(f"compare.strategies.{name}: {search.strategy!r} labels solutions and gives no answer")
