"""Which strategies ``raystar compare`` compares, and what each may spend."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pydantic import Field, ValidationError, field_validator

from search.config import SearchConfig, StrictConfig
from search.strategies.registry import entry_of, revise


class ContenderConfig(StrictConfig):
    """One strategy: ``settings`` on top of ``evaluation.search``, and the option that grows with the budget."""

    settings: dict[str, Any] = Field({}, description="options of evaluation.search that differ")
    scale: str | None = Field(
        None,
        description="the option that is as given at the first budget and grows in step with it; none: nothing does",
    )

    def search(self, base: SearchConfig, budget: int, first: int) -> SearchConfig:
        """Return the search that may spend ``budget`` generated tokens a problem. Raises ValueError for no possible search."""
        search = revise(base, {**self.settings, "budget_tokens": budget})
        if self.scale is None:
            return search
        if self.scale not in type(search).model_fields:
            raise ValueError(f"scale: strategy {search.strategy!r} has no option {self.scale}")
        return revise(search, {self.scale: max(1, round(getattr(search, self.scale) * budget / first))})


def _contenders() -> dict[str, ContenderConfig]:
    def contender(scale: str | None, **settings: Any) -> ContenderConfig:
        return ContenderConfig(settings=settings, scale=scale)

    return {
        "greedy": contender(None, strategy="sampling", candidates=1, temperature=0.0),
        "majority": contender("candidates", strategy="sampling", candidates=4),
        "best_of_n": contender("candidates", strategy="best_of_n", candidates=4, answer_rule="best"),
        "weighted": contender("candidates", strategy="best_of_n", candidates=4, answer_rule="weighted"),
        "beam": contender("beam_width", strategy="beam", candidates=4, beam_width=1),
        "dvts": contender("rollouts", strategy="dvts", rollouts=1, candidates=4),
        "mcts": contender(
            "rollouts",
            strategy="mcts",
            rollouts=40,
            candidates=2,
            progressive_widening=0.7,
            answer_rule="posterior",
        ),
    }


class CompareConfig(StrictConfig):
    """Strategies on the same problems, models and seeds, at equal numbers of generated tokens."""

    budgets: tuple[int, ...] = Field(
        (500, 1000, 2000), min_length=1, description="generated tokens a problem after which nothing new is begun"
    )
    repeats: int = Field(3, ge=1, description="seeds: how often each strategy searches all problems")
    strategies: dict[str, ContenderConfig] = Field(
        default_factory=_contenders, min_length=1, description="what is compared, by names of your own"
    )
    against: str = Field("best_of_n", description="the contender to which differences are taken")

    @field_validator("budgets")
    @classmethod
    def _rising(cls, budgets: tuple[int, ...]) -> tuple[int, ...]:
        if budgets[0] < 1 or any(late <= early for early, late in pairwise(budgets)):
            raise ValueError(f"budgets must rise from 1 on, not {list(budgets)}")
        return budgets

    def reading_scores(self, base: SearchConfig) -> tuple[str, ...]:
        """Return the names of the contenders that read a reward model's scores: those that choose an answer by them."""
        return tuple(name for name, search in self._searches(base).items() if entry_of(search).reads_scores)

    def check(self, base: SearchConfig) -> None:
        """Raise ValueError if a contender is no search, or the one to compare with is missing."""
        if self.against not in self.strategies:
            raise ValueError(f"compare.against is {self.against!r}: one of {', '.join(self.strategies)}")
        for name, search in self._searches(base).items():
            if entry_of(search).needs_answers:
                raise ValueError(f"compare.strategies.{name}: {search.strategy!r} labels solutions and gives no answer")

    def _searches(self, base: SearchConfig) -> dict[str, SearchConfig]:
        """Return each contender's search at the first budget. Raises ValueError that names the contender."""
        searches = {}
        for name, contender in self.strategies.items():
            try:
                searches[name] = contender.search(base, self.budgets[0], self.budgets[0])
            except ValidationError as error:
                first = error.errors()[0]
                option = ".".join(str(part) for part in first["loc"][1:])
                message = first["msg"].removeprefix("Value error, ")
                raise ValueError(f"compare.strategies.{name}: {option + ': ' if option else ''}{message}") from error
            except ValueError as error:
                raise ValueError(f"compare.strategies.{name}: {error}") from error
        return searches
