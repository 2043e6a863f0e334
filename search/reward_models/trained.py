"""The kinds of reward models that this project trains. They read the policy's step format and are known by their labels.

All but ``dpo`` are sequence classifiers, read at the last token of the last step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.data import Aggregation, State
from search.formats.base import Source, StepFormat
from search.reward_models.base import (
    KindEntry,
    MakeAdapter,
    ModelFacts,
    Reading,
    RenderedState,
    RewardAdapter,
    is_finished,
)
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import PRM_CLASSES, likelihood_log_odds, to_logit, value_log_odds

REWARD, VALUE, CORRECT, LIKELIHOOD = ("reward",), ("value",), ("correct",), ("likelihood",)  # labels of single outputs
LIKELIHOOD_UNIT = 32.0  # nats: tanh(log-likelihood / unit) still separates solutions of a hundred nats


@dataclass(frozen=True, kw_only=True)
class TrainedClassifier(RewardAdapter):
    """A classifier that was trained on states in ``step_format``. ``neutral_is_correct`` of a PRM: see ``to_logit``."""

    kind: RewardModelKind
    step_format: StepFormat
    neutral_is_correct: bool = True

    def render(self, state: State) -> RenderedState:
        return RenderedState(tuple(segment.piece for segment in self.step_format.segments(state)))

    def to_logit(self, outputs: Sequence[float]) -> float:
        return to_logit(outputs, neutral_is_correct=self.neutral_is_correct)


@dataclass(frozen=True, kw_only=True)
class TrainedLikelihood(RewardAdapter):
    """A language model in ``step_format`` whose log-likelihood of what the policy wrote is the score (V-STaR).

    It reads what the policy reads. In a finished solution the end of the turn counts as written by the policy.
    """

    kind: RewardModelKind = RewardModelKind.DPO
    step_format: StepFormat
    reading = Reading.LIKELIHOOD

    def render(self, state: State) -> RenderedState:
        segments = self.step_format.segments(state)
        pieces = tuple(segment.piece for segment in segments)
        is_scored = tuple(segment.source is Source.MODEL for segment in segments)
        finished, turn_end = is_finished(state), self.step_format.turn_end
        if finished and turn_end:
            return RenderedState((*pieces, turn_end), (*is_scored, True))
        return RenderedState(pieces, is_scored, finished)

    def to_logit(self, outputs: Sequence[float]) -> float:
        return outputs[0]


def _classifier_of(kind: RewardModelKind) -> MakeAdapter:
    def make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
        return TrainedClassifier(
            kind=kind,
            step_format=step_format.for_reward_model(),
            neutral_is_correct=config.neutral == "correct",
        )

    return make


def _make_likelihood(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    return TrainedLikelihood(step_format=step_format)


def _has_outputs(facts: ModelFacts, number: int) -> bool:
    return facts.is_classifier and len(facts.labels) == number


PPM = KindEntry(  # the value of a PPM is v = tanh(logit): (1 + v) / 2 = sigmoid(2 * logit / squash_scale)
    kind=RewardModelKind.PPM,
    make=_classifier_of(RewardModelKind.PPM),
    needs="a ...ForSequenceClassification model with one output",
    fits=lambda facts: _has_outputs(facts, 1),
    recognise=lambda facts: facts.is_classifier and facts.labels == REWARD,
    labels=REWARD,
    logit_unit=1.0,
    log_odds=value_log_odds,
)
Q_REGRESSION = KindEntry(
    kind=RewardModelKind.Q_REGRESSION,
    make=_classifier_of(RewardModelKind.Q_REGRESSION),
    needs=PPM.needs,
    fits=PPM.fits,
    recognise=lambda facts: facts.is_classifier and facts.labels == VALUE,
    labels=VALUE,
    logit_unit=1.0,
    log_odds=value_log_odds,
)
ORM = KindEntry(
    kind=RewardModelKind.ORM,
    make=_classifier_of(RewardModelKind.ORM),
    needs=PPM.needs,
    fits=PPM.fits,
    recognise=lambda facts: facts.is_classifier and facts.labels == CORRECT,
    labels=CORRECT,
)
PRM = KindEntry(
    kind=RewardModelKind.PRM,
    make=_classifier_of(RewardModelKind.PRM),
    needs=f"a ...ForSequenceClassification model with {len(PRM_CLASSES)} outputs ({', '.join(PRM_CLASSES)})",
    fits=lambda facts: _has_outputs(facts, len(PRM_CLASSES)),
    recognise=lambda facts: facts.is_classifier and facts.labels == PRM_CLASSES,
    labels=PRM_CLASSES,
    # Trained on labels of people or of another model, it ranks solutions best by the product (Lessons of Developing PRMs,
    # arXiv 2501.07301; Let's Verify Step by Step, section 2.6); one trained on Monte-Carlo estimates by the last step.
    aggregation=Aggregation.PRODUCT,
)
DPO = KindEntry(  # the likelihood itself, by which V-STaR ranks solutions
    kind=RewardModelKind.DPO,
    make=_make_likelihood,
    needs="a ...ForCausalLM model",
    fits=lambda facts: facts.is_language_model,
    recognise=lambda facts: facts.is_language_model and facts.labels == LIKELIHOOD,
    labels=LIKELIHOOD,
    logit_unit=LIKELIHOOD_UNIT,
    log_odds=lambda logit, scale: likelihood_log_odds(logit),
    is_language_model=True,
)
