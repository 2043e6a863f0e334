"""Kinds of reward models by name. A new kind is a member of RewardModelKind, a file and a line of ``KINDS`` here."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from search.data import Aggregation, ModelRef
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.model_prompt import read_model_prompt
from search.reward_models import (
    classifier,
    implicit,
    judge,
    math_shepherd,
    outcome,
    qwen_prm,
    rlhflow,
    skywork,
    trained,
)
from search.reward_models.base import KindEntry, ModelFacts, RewardAdapter, config_labels
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import sigmoid
from search.serialization import read_json_object

AUTO = "auto"
HUB_CACHE_PREFIX = "models--"

KINDS: dict[RewardModelKind, KindEntry] = {
    entry.kind: entry
    for entry in (
        trained.PPM,
        trained.Q_REGRESSION,
        trained.ORM,
        trained.DPO,
        trained.PRM,
        qwen_prm.ENTRY,
        math_shepherd.ENTRY,
        rlhflow.ENTRY,
        skywork.ENTRY,
        implicit.ENTRY,
        classifier.ENTRY,
        outcome.ENTRY,
        judge.ENTRY,
    )
}
KIND_BY_LABELS = {entry.labels: entry.kind for entry in KINDS.values() if entry.labels}


def read_kind(directory: Path) -> RewardModelKind | None:
    """Return the kind that a directory says this project trained its model as; None if it says none.

    The labels in its config.json say it, or its raystar.json.
    """
    config = read_json_object(directory / "config.json")
    if (kind := KIND_BY_LABELS.get(config_labels(config))) is not None:
        return kind
    prompt = read_model_prompt(directory)
    return RewardModelKind(prompt.reward_kind) if prompt is not None and prompt.reward_kind else None


def model_facts(directory: Path, name: str = "") -> ModelFacts:
    """Return what a model is recognised by. Without a ``name`` it is what its directory is called."""
    config = read_json_object(directory / "config.json")
    return ModelFacts(directory=directory, config=config, name=name or _name(directory))


def recognise(config: Mapping[str, Any], name: str, directory: Path | None = None) -> RewardModelKind | None:
    """Return the only kind that a model can be; None if none or several can be meant.

    It is recognised by its config.json and name, or by what ``directory`` says of a model that this project trained.
    """
    if directory is not None and (trained_as := read_kind(directory)) is not None:
        return trained_as
    facts = ModelFacts(directory=directory or Path(), config=config, name=name)
    kinds = [kind for kind, entry in KINDS.items() if entry.recognise(facts)]
    return kinds[0] if len(kinds) == 1 else None


def recognise_directory(directory: Path) -> RewardModelKind | None:
    """Return the only kind that the model in a directory can be; None if none or several can be meant."""
    facts = model_facts(directory)
    return recognise(facts.config, facts.name, directory)


def resolve_kind(field: str, directory: Path, wanted: str | None, name: str = "") -> RewardModelKind:
    """Return the kind of the reward model in ``directory``: ``wanted``, or, for None or "auto", the one it is recognised as.

    Raises UserError if it cannot be read as wanted, if its labels say that this project trained it as another kind, or if
    it is not recognised. ``field``: config field or option that names the directory.
    """
    facts = model_facts(directory, name)
    if wanted in (None, AUTO):
        kind = recognise(facts.config, facts.name, directory)
        if kind is None:
            raise UserError(
                f"{field}: {_describe(facts)}: what it is for is unclear; name its kind (reward_model.kind or --kind): "
                f"{_choices(facts)}"
            )
        return kind
    kind = RewardModelKind(wanted)
    labelled = read_kind(directory)
    if labelled is not None and kind in KIND_BY_LABELS.values() and kind is not labelled:
        raise UserError(
            f"{field}: kind {kind}: the labels of {directory} ({', '.join(facts.labels)}) are those of the kind {labelled}"
        )
    if not KINDS[kind].fits(facts):
        raise UserError(
            f"{field}: {_describe(facts)}: the kind {kind} is {KINDS[kind].needs}; it can be {_choices(facts)}"
        )
    return kind


def make_adapter(
    directory: Path, kind: RewardModelKind, step_format: StepFormat, config: ReadingConfig | None = None
) -> RewardAdapter:
    """Return how the reward model in ``directory`` is shown states and read.

    ``step_format``: of the states; models that this project trained read it as it is. Raises UserError if the directory or
    the options lack what the kind needs.
    """
    return KINDS[kind].make(model_facts(directory), step_format, config or ReadingConfig())


def reward_adapter(model: ModelRef, step_format: StepFormat, config: ReadingConfig | None = None) -> RewardAdapter:
    """Return how a reward model is shown states and read, by its ``kind`` or as it is recognised. Raises UserError."""
    directory = Path(model.path)
    kind = RewardModelKind(model.kind) if model.kind else resolve_kind("reward model", directory, AUTO)
    return make_adapter(directory, kind, step_format, config)


def default_aggregation(kind: RewardModelKind | None, config: ReadingConfig | None = None) -> Aggregation:
    """Return how the scores of steps become that of a solution unless the config says otherwise. Without a kind: the last."""
    judges_solutions = kind is RewardModelKind.JUDGE and config is not None and config.judge.scope == "solution"
    return Aggregation.LAST if kind is None or judges_solutions else KINDS[kind].aggregation


def logit_unit(kind: RewardModelKind | None) -> float:
    """Return the ``KindEntry.logit_unit`` of a kind. An unknown kind counts as a PPM."""
    return KINDS[kind or RewardModelKind.PPM].logit_unit


def log_odds(logit: float, kind: RewardModelKind, squash_scale: float = 1.0) -> float:
    """Return the log-odds of ``probability``: solutions are ranked and votes are weighted by them."""
    return KINDS[kind].log_odds(logit, squash_scale)


def probability(logit: float, kind: RewardModelKind, squash_scale: float = 1.0) -> float:
    """Return the score of a step in [0, 1], so that the scores of all kinds can be multiplied and can weigh votes."""
    return sigmoid(log_odds(logit, kind, squash_scale))


def _name(directory: Path) -> str:
    """Return the last part of a path, or the model's name in a path of the Hub's cache."""
    cached = next((part for part in reversed(directory.parts) if part.startswith(HUB_CACHE_PREFIX)), None)
    return cached.removeprefix(HUB_CACHE_PREFIX).replace("--", "/") if cached else directory.name


def _describe(facts: ModelFacts) -> str:
    outputs = f" with the outputs {', '.join(facts.labels)}" if facts.is_classifier else ""
    return f"{facts.directory} is a {facts.architecture or 'model of no named architecture'}{outputs}"


def _choices(facts: ModelFacts) -> str:
    fitting = [str(kind) for kind, entry in KINDS.items() if entry.fits(facts)]
    return ", ".join(fitting) if fitting else "none of the kinds " + ", ".join(KINDS)
