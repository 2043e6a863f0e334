"""What every kind of reward model answers: which models are of the kind, how a state is shown to one, how it is read.

A search asks for one logit a state, the score of its last step. All models are causal, so the score of a step does not
depend on what follows it: a state is rendered up to the place where its last step is scored, and read at its last token.
The states of one solution are then prefixes of each other, and the engine's prefix cache reads each token once.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any, ClassVar, Protocol

from search.data import Aggregation, State
from search.errors import UserError
from search.formats.base import Piece, StepFormat, step_texts
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.serialization import fast_pickle


class Reading(StrEnum):
    """What an engine does with a rendered state."""

    CLASSIFY = "classify"  # outputs of a sequence classifier at the last token
    TOKEN_CLASSIFY = "token_classify"  # outputs at the last token of a head that vLLM applies to all tokens
    NEXT_TOKEN = "next_token"  # log-probabilities of the adapter's ``answers`` after the last token
    LIKELIHOOD = (
        "likelihood"  # log-probability of the tokens that count, less that under a reference model if there is one
    )
    JUDGEMENT = "judgement"  # marks in texts that the model writes


@fast_pickle
@dataclass(frozen=True, slots=True)
class RenderedState:
    """A state as a reward model reads it.

    Attributes:
        pieces: what is tokenised, in order (search/tokens.py).
        is_scored: for a LIKELIHOOD, whether the tokens of each piece count; empty for other readings.
        is_finished: for a LIKELIHOOD, whether the end-of-sequence token follows and counts.
    """

    pieces: tuple[Piece, ...]
    is_scored: tuple[bool, ...] = ()
    is_finished: bool = False


class RewardAdapter(ABC):
    """How one reward model is shown states and read. Subclasses are frozen dataclasses, which cross processes.

    Attributes:
        reading: what the engine does.
        tags: texts that must be one token each of the model's tokenizer, where they follow other text.
        answers: tags whose log-probabilities are the outputs of NEXT_TOKEN.
        engine_options: arguments of vLLM that the kind needs.
        skips_padding: whether the model is read at the last token that is not its padding token, as transformers reads
            sequence classifiers: many are padded with the token that ends a turn, and so were trained on the one before it.
        value_head: architecture with a value head that vLLM lacks (actors/engines/value_head.py); empty for others.
        reference: directory of the model that a LIKELIHOOD is compared with.
    """

    kind: RewardModelKind
    reading: ClassVar[Reading] = Reading.CLASSIFY
    tags: ClassVar[tuple[str, ...]] = ()
    answers: ClassVar[tuple[str, ...]] = ()
    engine_options: ClassVar[Mapping[str, Any]] = {}
    skips_padding: ClassVar[bool] = False
    value_head: ClassVar[str] = ""
    reference: str | None = None

    @abstractmethod
    def render(self, state: State) -> RenderedState:
        """Return the state as the model reads it, up to the place where its last step is scored."""

    @abstractmethod
    def to_logit(self, outputs: Sequence[float]) -> float:
        """Return the logit of a state from the engine's outputs, as ``reading`` says. For most kinds it is log-odds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """What a reward model is recognised by.

    Attributes:
        directory: its files.
        config: its config.json.
        name: the name that it was asked for by, or what its directory is called.
    """

    directory: Path
    config: Mapping[str, Any]
    name: str

    @property
    def architecture(self) -> str:
        return str((self.config.get("architectures") or [""])[0])

    @property
    def labels(self) -> tuple[str, ...]:
        return config_labels(self.config)

    @property
    def is_classifier(self) -> bool:
        return self.architecture.endswith("ForSequenceClassification")

    @property
    def is_language_model(self) -> bool:
        return self.architecture.endswith("ForCausalLM")

    def is_named(self, *parts: str) -> bool:
        """Return whether the model's name has one of ``parts``, whatever their case."""
        return any(part.lower() in self.name.lower() for part in parts)


def config_labels(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of a classifier's outputs, in their order. transformers leaves the map out for two."""
    labels = config.get("id2label") or {"0": "LABEL_0", "1": "LABEL_1"}
    return tuple(str(labels[key]) for key in sorted(labels, key=int))


MakeAdapter = Callable[[ModelFacts, StepFormat, ReadingConfig], RewardAdapter]


@dataclass(frozen=True, slots=True, kw_only=True)
class KindEntry:
    """What the registry holds for a kind.

    Attributes:
        kind: its name.
        make: (facts, format of the steps, options) -> adapter. Raises UserError for a model that cannot be read so.
        needs: what a model of the kind is, in words, for messages.
        fits: whether a model can be read so: its architecture and its number of outputs.
        recognise: whether the kind is the only way to read a model; a wrong answer would be a silent misreading, so it is
            false where the model's architecture, labels and name leave doubt.
        labels: labels of the outputs, as ``id2label`` in the config.json of a model that this project trained has them.
        logit_unit: u with which value = tanh(logit / u) in [-1, 1] means what the model was trained to predict; 2 for
            log-odds: 2 * sigmoid(logit) - 1 = tanh(logit / 2).
        log_odds: (logit, squash_scale) -> log-odds of the score of a step; increases with the logit.
        aggregation: how the scores of steps become the score of a solution unless the config says otherwise.
        is_language_model: a causal language model whose likelihood is the score, trained by this project.
    """

    kind: RewardModelKind
    make: MakeAdapter
    needs: str
    fits: Callable[[ModelFacts], bool]
    recognise: Callable[[ModelFacts], bool]
    labels: tuple[str, ...] = ()
    logit_unit: float = 2.0
    log_odds: Callable[[float, float], float] = lambda logit, scale: logit
    aggregation: Aggregation = Aggregation.LAST
    is_language_model: bool = False


class Encoder(Protocol):
    """A tokenizer that encodes pieces one after the other (search/tokens.py)."""

    def ids(self, pieces: Sequence[Piece]) -> list[int]: ...


def tag_id(encoder: Encoder, tag: str) -> int:
    """Return the id of a tag that follows other text. Raises UserError if it is not one token."""
    before = encoder.ids(("1",))
    ids = encoder.ids(("1", tag))[len(before) :]
    if len(ids) != 1:
        raise UserError(
            f"the tag {tag!r} is {len(ids)} tokens ({', '.join(map(str, ids))}) of the reward model's tokenizer and must be "
            "one: the model is of another kind, or its tokenizer is not the one that it was trained with"
        )
    return ids[0]


def solution_steps(step_format: StepFormat, state: State) -> tuple[str, ...]:
    """Return the texts of a state's steps for a model that is shown no format and no request: stripped, empty ones left out."""
    bare = State(replace(state.problem, request=None), state.steps)
    texts = (text.strip() for text in step_texts(step_format, bare))
    return tuple(text for text in texts if text)


def is_finished(state: State) -> bool:
    """Return whether a state's last step carries an answer."""
    return bool(state.steps) and state.steps[-1].answer is not None


def literal(text: str) -> Piece:
    """Return a piece in which nothing is a special token."""
    return (text, text)
