"""The configs of a run's models: the policy, its built-in recipe, the reward model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from pydantic import Field, NonNegativeInt, field_validator, model_validator

from actors.config import EngineConfig
from actors.endpoints.config import EndpointConfig
from cluster.models.size import ModelSize
from search.config import StrictConfig
from search.formats.model_prompt import AUTO, FORMAT_NAMES, PromptSettings
from search.formats.prose import Delimiter
from search.reward_models import ReadingConfig, RewardModelKind
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


class FurtherPolicyConfig(StrictConfig):
    """A policy that draws steps beside the first, in the same step format, where a strategy chooses among several."""

    path: str = Field(
        description="Hugging Face name (OWNER/NAME or OWNER/NAME@REVISION), model directory or stage of a run; base: the "
        "policy that the run begins with",
    )
    size: ModelSize | None = Field(None, description="of a model that a dry run has not at hand, to plan by")
    engine: EngineConfig | None = Field(
        None, description="engines that run it; default: as many and such as policy.engine"
    )

    @field_validator("path")
    @classmethod
    def _another_policy(cls, path: str) -> str:
        if path == "policy":
            raise ValueError("the policy that is trained draws already: name another model, or base")
        return path


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
