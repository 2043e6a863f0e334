"""Options that every search has, whatever its strategy: sampling, budget, reading of the answer, stopping.

Each strategy adds its own options in a subclass beside its code; ``search/strategies/registry.py`` makes the union of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, cast

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    ValidationError,
    ValidationInfo,
    ValidatorFunctionWrapHandler,
    field_serializer,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from search.data import Aggregation, Sampling, Until

AnswerRule = Literal["best", "weighted", "posterior", "majority"]

AUTO = "auto"  # in a config: the program chooses the value
HIDDEN_VALUE = "hidden_value"  # type of the error of a value that may be a secret, and that no message repeats


def hidden_value(message: str) -> PydanticCustomError:
    """Return the error of a field whose value may be a secret."""
    return PydanticCustomError(HIDDEN_VALUE, message)  # type: ignore[arg-type]  # a literal is wanted


class StrictConfig(BaseModel):
    """Base of all configs: unknown keys and infinite numbers are refused, values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class AutoInt(int):
    """A whole number that the program chooses for the model and the machines; configs write it as "auto".

    Until another number stands in its place it counts as the one for a single machine without a GPU.
    """

    def __repr__(self) -> str:
        return AUTO

    def __format__(self, spec: str) -> str:
        return AUTO


class AutoFloat(float):
    """A number that the program chooses, like ``AutoInt``."""

    def __repr__(self) -> str:
        return AUTO

    def __format__(self, spec: str) -> str:
        return AUTO


class AutoText(str):
    """A text that the program chooses, like ``AutoInt``. It is equal to the text that it counts as."""

    __slots__ = ()

    def __repr__(self) -> str:
        return AUTO

    def __str__(self) -> str:
        return AUTO

    def __format__(self, spec: str) -> str:
        return AUTO


def auto_flag(counts_as: bool) -> bool:
    """Return a flag that the program chooses. It is an ``AutoInt``, because no class can extend bool."""
    return cast(bool, AutoInt(counts_as))


def is_auto(value: object) -> bool:
    """Return whether a config leaves a value to the program."""
    return isinstance(value, AutoInt | AutoFloat | AutoText) or (isinstance(value, str) and value == AUTO)


class AutoConfig(StrictConfig):
    """Base of configs with values that may be "auto": those whose default is one of the classes above."""

    @field_validator("*", mode="wrap")
    @classmethod
    def _read_auto(cls, value: Any, handler: ValidatorFunctionWrapHandler, info: ValidationInfo) -> Any:
        default = cls.model_fields[str(info.field_name)].default
        if not isinstance(default, AutoInt | AutoFloat | AutoText):
            return handler(value)
        if is_auto(value):
            return default
        try:
            return handler(value)
        except ValidationError as error:
            if isinstance(value, str) and not isinstance(default, AutoText):
                raise ValueError("a number is needed, or auto") from error
            raise

    @field_serializer("*", mode="wrap")
    def _write_auto(self, value: Any, handler: SerializerFunctionWrapHandler) -> Any:
        return AUTO if is_auto(value) else handler(value)


class PresetConfig(StrictConfig):
    """Base of configs with settings to start from, by name: the field ``preset`` fills in what is not given.

    ``presets``: the settings of each name. The subclass declares the field, with the names that there are.
    """

    presets: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    @model_validator(mode="before")
    @classmethod
    def _fill_in_preset(cls, values: Any) -> Any:
        if not isinstance(values, Mapping):
            return values
        return {**cls.presets.get(str(values.get("preset")), {}), **values}


class SearchConfig(StrictConfig):
    """One search. ``preset`` fills in what is not given here."""

    strategy: str = Field(description="which strategy grows the tree")
    preset: str | None = Field(None, description="a paper's settings to start from, by name")
    trees: int = Field(
        1,
        ge=1,
        description="trees a problem, each with a seed of its own; budgets and other limits are those of one tree",
    )
    max_depth: int = Field(
        16, ge=2, description="longest path (steps); there prose is written to its end, and code has failed"
    )
    temperature: float = Field(1.0, ge=0, description="of the policy; 0 is greedy")
    top_p: float = Field(1.0, gt=0, le=1, description="nucleus of the policy; 1 is off")
    top_k: int = Field(0, ge=0, description="most likely tokens kept; 0 is off")
    max_step_tokens: int = Field(192, ge=4, description="longest step (tokens)")
    max_solution_tokens: int = Field(768, ge=8, description="longest stretch that is drawn in one go (tokens)")
    squash_scale: float = Field(1.0, gt=0, description="value of a state = tanh(logit / this); released code: 5")
    answer_rule: AnswerRule = Field(
        "best",
        description="the answer of a tree: of the best-scored solution, by score-weighted vote, by a vote weighted with "
        "strength under the reward model times the policy's share of the path, or by majority",
    )
    step_aggregation: Aggregation | None = Field(
        None,
        description="one score from the rewards of a solution's steps, for answers and for what beam and dvts keep; "
        "product: of (1 + reward) / 2; default: as the kind of the reward model wants, else last",
    )
    budget_tokens: int | None = Field(
        None, ge=1, description="a tree begins nothing new once it has generated this many tokens; empty: no limit"
    )
    stop_after_correct: int = Field(
        0,
        ge=0,
        description="a graded tree search stops once it has this many correct solutions, and stop_after_incorrect "
        "incorrect ones; 0 for both: it does not stop for them",
    )
    stop_after_incorrect: int = Field(
        0,
        ge=0,
        description="a graded tree search stops once it has this many incorrect solutions, and stop_after_correct "
        "correct ones; 0 for both: it does not stop for them",
    )
    stop_at_score: float | None = Field(
        None,
        gt=-1,
        lt=1,
        description="an ungraded tree search stops once a finished solution has at least this value, and saves the rest of "
        "its budget",
    )

    @property
    def aggregation(self) -> Aggregation:
        """How the rewards of a solution's steps become one score."""
        return self.step_aggregation or Aggregation.LAST

    @property
    def longest_path(self) -> int:
        """Tokens of the longest solution: step by step to the depth limit, or in one go."""
        return max(self.max_solution_tokens, self.max_depth * self.max_step_tokens)

    def step_sampling(self) -> Sampling:
        """How one step is drawn."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_step_tokens)

    def solution_sampling(self) -> Sampling:
        """How a whole solution, or what is left of one, is drawn in one go."""
        return Sampling(self.temperature, self.top_p, self.top_k, self.max_solution_tokens, until=Until.PAUSE)
