"""Sequence classifiers of whole solutions with one, two or three outputs, read at the last token.

The text is question and solution in the model's chat template, or, without one, with a blank line between them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from search.data import State
from search.errors import UserError
from search.formats.base import StepFormat
from search.formats.chat_template import ChatTemplate, read_chat_template
from search.reward_models.base import (
    KindEntry,
    ModelFacts,
    RenderedState,
    RewardAdapter,
    solution_steps,
)
from search.reward_models.chat import conversation, render_whole
from search.reward_models.config import ReadingConfig
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import class_log_odds

MAX_LABELS = 3
INCORRECT = ("incorrect", "wrong", "bad", "negative", "no", "false", "label_0")  # lower case
CORRECT = ("correct", "right", "good", "positive", "yes", "true", "label_1")
NEUTRAL = ("neutral",)  # counts as correct, as in Let's Verify Step by Step
CLEAR_NAMES = {"correct", "incorrect"}  # leave no doubt what a classifier is for; others could be those of any


@dataclass(frozen=True, kw_only=True)
class Classifier(RewardAdapter):
    """A classifier whose outputs ``positive`` mean a correct solution; empty for one output, a logit."""

    kind: RewardModelKind = RewardModelKind.CLASSIFIER
    step_format: StepFormat
    template: ChatTemplate | None
    positive: tuple[int, ...]
    skips_padding = True

    def render(self, state: State) -> RenderedState:
        question, steps = state.problem.question, solution_steps(self.step_format, state)
        solution = "\n\n".join(steps)
        if self.template is None:
            return RenderedState(((f"{question}\n\n{solution}", question, *steps),))
        return RenderedState((render_whole(self.template, conversation(question, solution), (question, *steps)),))

    def to_logit(self, outputs: Sequence[float]) -> float:
        return class_log_odds(outputs, self.positive) if self.positive else outputs[0]


def positive_labels(labels: Sequence[str]) -> tuple[int, ...] | None:
    """Return the indices of the labels that mean correct or neutral; None if it is unclear, empty for one label."""
    if len(labels) == 1:
        return ()
    names = [label.lower() for label in labels]
    positive = tuple(index for index, name in enumerate(names) if name in (*CORRECT, *NEUTRAL))
    negative = tuple(index for index, name in enumerate(names) if name in INCORRECT)
    is_clear = len(names) <= MAX_LABELS and len(positive) + len(negative) == len(names)
    return positive if is_clear and positive and negative else None


def _make(facts: ModelFacts, step_format: StepFormat, config: ReadingConfig) -> RewardAdapter:
    positive = positive_labels(facts.labels)
    if positive is None:
        raise UserError(
            f"{facts.directory}: it is unclear which of its labels ({', '.join(facts.labels)}) mean a correct solution: "
            "rename them to correct, neutral and incorrect in id2label of its config.json"
        )
    return Classifier(step_format=step_format, template=read_chat_template(facts.directory), positive=positive)


ENTRY = KindEntry(
    kind=RewardModelKind.CLASSIFIER,
    make=_make,
    needs=f"a ...ForSequenceClassification model with one to {MAX_LABELS} outputs",
    fits=lambda facts: facts.is_classifier and len(facts.labels) <= MAX_LABELS,
    recognise=lambda facts: facts.is_classifier and {label.lower() for label in facts.labels} == CLEAR_NAMES,
)
