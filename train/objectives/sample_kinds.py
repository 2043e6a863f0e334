"""Kinds of training samples: how many sequences a unit has, what a target is labelled with, which head reads it."""

from __future__ import annotations

from enum import StrEnum

from search.reward_models import PRM_CLASSES


class SampleKind(StrEnum):
    """What a batch holds. An *item* is what the loss is averaged over."""

    TOKENS = "tokens"  # solutions; a language head, one item a target token
    PREFERENCES = "preferences"  # solutions, chosen and rejected in turn; a language head, one item a pair
    PAIRS = "pairs"  # states, preferred and rejected in turn; a reward head, one item a pair
    STEP_VALUES = "step_values"  # solutions with a value a step; a reward head, one item a step
    STEP_LABELS = "step_labels"  # solutions with a class a step; a reward head of three classes, one item a step
    OUTCOMES = "outcomes"  # solutions, correct or incorrect; a reward head, one item a token after the prompt

    @property
    def width(self) -> int:
        """Sequences a unit. A unit is what is shuffled: one sequence, or the two of a pair."""
        return 2 if self in (SampleKind.PAIRS, SampleKind.PREFERENCES) else 1

    @property
    def labels(self) -> int:
        """Numbers that each target token is labelled with; 0 where the token itself, or nothing, is the label."""
        return LABELS.get(self, 0)

    @property
    def language_head(self) -> bool:
        """True where the head gives a logit a token id, False where it gives the outputs of a reward model."""
        return self in (SampleKind.TOKENS, SampleKind.PREFERENCES)

    @property
    def needs_reference(self) -> bool:
        """True where the loss needs log-probabilities of the samples under the model that training starts from."""
        return self is SampleKind.PREFERENCES


LABELS = {SampleKind.STEP_VALUES: 1, SampleKind.STEP_LABELS: len(PRM_CLASSES), SampleKind.OUTCOMES: 1}
