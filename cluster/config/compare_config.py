"""Which strategies ``raystar compare`` compares, at which budgets, and how each is made to spend them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from pydantic import Field, ValidationError, field_validator

from search.config import SearchConfig, StrictConfig
from search.strategies.registry import STRATEGIES, entry_of, revise

AUTO = "auto"
BUDGET_TOKENS = "budget_tokens"


class ContenderConfig(StrictConfig):
    """One strategy: ``settings`` on top of ``evaluation.search``, and the option by which it spends more."""

    settings: dict[str, Any] = Field({}, description="options of evaluation.search that differ")
    scale: str | None = Field(
        AUTO,
        description="the option that is set so that the mean spend meets a budget; auto: the strategy's budget option; null: "
        "the strategy is measured as it is",
    )

    def option(self, base: SearchConfig) -> str | None:
        """Return the option that the calibration sets, None for a contender that is measured as it is."""
        search = revise(base, self.settings)
        return entry_of(search).budget_option if self.scale == AUTO else self.scale

    def search(self, base: SearchConfig, value: int | None = None) -> SearchConfig:
        """Return the search with ``value`` for the option that scales; None: as it is configured.

        A limit of tokens in ``base`` is left out: what a tree may spend is up to the option. Raises ValueError for no
        possible search.
        """
        search = revise(base, {BUDGET_TOKENS: None, "trees": 1, **self.settings})
        option = self.option(base)
        if option is not None and option not in type(search).model_fields:
            raise ValueError(
                f"scale: strategy {search.strategy!r} has no option {option}: an option, auto or null is needed"
            )
        return search if option is None or value is None else revise(search, {option: value})

    def first_value(self, base: SearchConfig, budget: int) -> int:
        """Return the value that the calibration tries first: the configured one, ``budget`` for a limit of tokens."""
        option = self.option(base)
        value = budget if option == BUDGET_TOKENS else getattr(self.search(base), str(option))
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(f"scale: {option} is no number that grows with a budget")
        return value


def _contenders() -> dict[str, ContenderConfig]:
    """Return the contenders that the registry has a strategy for.

    The trees of "majority" are samples without scores, those of "best_of_n" the same samples with scores; every rule for an
    answer is read from each contender's trees, so no rule is a contender.
    """
    settings: dict[str, dict[str, Any]] = {
        "greedy": {"strategy": "sampling", "candidates": 1, "temperature": 0.0},
        "majority": {"strategy": "sampling", "candidates": 4},
        "best_of_n": {"strategy": "best_of_n", "candidates": 4},
        "beam": {"strategy": "beam", "candidates": 4, "beam_width": 1},
        "dvts": {"strategy": "dvts", "candidates": 4, "rollouts": 1},
        "rebase": {"strategy": "rebase"},
        "ab_mcts": {"strategy": "ab_mcts"},
        "mcts": {"strategy": "mcts", "rollouts": 500, "candidates": 2, "progressive_widening": 0.7},
    }
    scales: dict[str, str | None] = {"greedy": None, "mcts": BUDGET_TOKENS}
    return {
        name: ContenderConfig(settings=options, scale=scales.get(name, AUTO))
        for name, options in settings.items()
        if options["strategy"] in STRATEGIES
    }


def _fill_in(name: str, contender: Any) -> Any:
    """Return a contender that chooses no strategy with that of its name; one without settings is the default contender."""
    settings = contender.get("settings", {}) if isinstance(contender, dict) else None
    if not isinstance(settings, dict) or settings.keys() & {"strategy", "preset"}:
        return contender
    named = ContenderConfig(settings={"strategy": name}) if name in STRATEGIES else None
    default = _contenders().get(name, named)
    if default is None:
        return contender
    if not settings:
        return {"scale": default.scale, **contender, "settings": default.settings}
    return {**contender, "settings": {"strategy": default.settings["strategy"], **settings}}


class CalibrationConfig(StrictConfig):
    """How each contender's option is set, on problems that are not measured, before those that are."""

    problems: int = Field(50, ge=1, description="problems that spend is measured on")
    tolerance: float = Field(
        0.05, gt=0, lt=1, description="distance of the mean spend from the budget that is near it (share)"
    )
    searches: int = Field(12, ge=1, description="most values of the option that are tried, for all budgets together")


class CompareConfig(StrictConfig):
    """Strategies on the same problems, models and seeds, at equal numbers of generated tokens."""

    budgets: tuple[int, ...] = Field(
        (500, 1000, 2000), min_length=1, description="generated tokens a problem that the mean spend meets"
    )
    repeats: int = Field(3, ge=1, description="seeds: how often each strategy searches all problems")
    calibration: CalibrationConfig = Field(CalibrationConfig(), description="how budgets are met")
    latency_problems: int = Field(
        4, ge=0, description="problems that are also searched one at a time, for the seconds that one takes alone"
    )
    strategies: dict[str, ContenderConfig] = Field(
        default_factory=_contenders,
        min_length=1,
        description="what is compared, by names of your own; the name of a default contender or of a strategy stands for it "
        "where the settings choose no strategy",
    )
    against: str = Field("best_of_n", description="the contender to which differences are taken")

    @field_validator("strategies", mode="before")
    @classmethod
    def _fill_in_names(cls, strategies: Any) -> Any:
        """Let a name say the strategy where the settings do not: ``{rebase: {}}`` is not ``evaluation.search`` by that name."""
        if not isinstance(strategies, dict):
            return strategies
        return {name: _fill_in(name, contender) for name, contender in strategies.items()}

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
            if not name or "/" in name or name.startswith("."):
                raise ValueError(
                    f"compare.strategies.{name}: the name is that of a directory: not empty, without '/' or a first '.'"
                )
            if entry_of(search).needs_answers:
                raise ValueError(f"compare.strategies.{name}: {search.strategy!r} labels solutions and gives no answer")

    def _searches(self, base: SearchConfig) -> dict[str, SearchConfig]:
        """Return each contender's search as it is configured. Raises ValueError that names the contender."""
        searches = {}
        for name, contender in self.strategies.items():
            try:
                searches[name] = contender.search(base)
                if contender.option(base) is not None:
                    contender.search(base, max(contender.first_value(base, self.budgets[0]), self.budgets[-1]))
            except ValidationError as error:
                first = error.errors()[0]
                option = ".".join(str(part) for part in first["loc"][1:])
                message = first["msg"].removeprefix("Value error, ")
                raise ValueError(f"compare.strategies.{name}: {option + ': ' if option else ''}{message}") from error
            except ValueError as error:
                raise ValueError(f"compare.strategies.{name}: {error}") from error
        return searches
