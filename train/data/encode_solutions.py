"""Single solutions to samples: which of their tokens are learnt, and with which label. Knows no model and no loss.

Targets are the tokens that the model wrote, and the end-of-sequence token after an answer, where solutions are imitated;
the last token of each step where steps are judged; every token after the prompt where the outcome is. A judge sees what
a reward model sees: no end-of-sequence token.

Each function returns the samples and how many records were left out, by reason; ``cut`` ones are learnt in part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.data import State, StepLabels, Trajectory
from train.data.encoding import Encoder
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.labels.targets import Labels, classes, values
from train.objectives import Kind


def encode_trajectories(
    records: Sequence[Trajectory], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Solutions to imitate. Left out: those over ``max_length`` (too_long) and without a target (nothing_to_learn)."""
    states = [State(record.problem, record.steps) for record in records]
    encoder.learn(states)
    kept: list[TokenizedRow] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0}
    for state in states:
        encoded = encoder.encode(state, end=True)
        targets = [False, *encoded.written[1:]]
        if len(encoded.tokens) > max_length:
            dropped["too_long"] += 1
        elif not any(targets):
            dropped["nothing_to_learn"] += 1
        else:
            kept.append(TokenizedRow(encoded.tokens, targets))
    return pack(Kind.TOKENS, kept, pad_id), dropped


def encode_outcomes(
    records: Sequence[Trajectory], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Solutions with their outcome, 1 right and 0 wrong, at every token after the prompt.

    Left out: those over ``max_length`` (too_long), whose last token would be missing, which is where the score is read,
    and those without a token after the prompt (nothing_to_learn).
    """
    states = [State(record.problem, record.steps) for record in records]
    encoder.learn(states)
    kept: list[TokenizedRow] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0}
    for record, state in zip(records, states, strict=True):
        encoded = encoder.encode(state, end=False)
        learnt = len(encoded.tokens) - encoded.prompt
        if len(encoded.tokens) > max_length:
            dropped["too_long"] += 1
        elif not learnt:
            dropped["nothing_to_learn"] += 1
        else:
            targets = [False] * encoded.prompt + [True] * learnt
            kept.append(TokenizedRow(encoded.tokens, targets, [(float(record.correct),)] * learnt))
    return pack(Kind.OUTCOMES, kept, pad_id), dropped


def encode_step_labels(
    records: Sequence[StepLabels], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Shares of right, neutral and wrong at the last token of each step, as train.labels.targets.classes has them."""
    return _encode_steps(Kind.STEP_LABELS, records, classes, encoder, max_length, pad_id)


def encode_step_values(
    records: Sequence[StepLabels], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """A value in [-1, 1] at the last token of each step, as train.labels.targets.values has them."""
    return _encode_steps(Kind.STEP_VALUES, records, values, encoder, max_length, pad_id)


def _encode_steps(
    kind: Kind,
    records: Sequence[StepLabels],
    learnt: Callable[[StepLabels], Labels],
    encoder: Encoder,
    max_length: int,
    pad_id: int,
) -> tuple[TokenizedSet, dict[str, int]]:
    """Solutions up to their last labelled step; no step before it depends on what comes later.

    One over ``max_length`` is cut after the last step that ends within it (cut), and left out where no label is left
    of it (too_long). Also left out: solutions without a label (nothing_to_learn), and those with a step of no tokens
    before the last label (empty_step), which has no last token to be judged at.
    """
    wanted = [learnt(record) for record in records]
    states = [State(r.problem, r.steps[: len(own)]) for r, own in zip(records, wanted, strict=True)]
    encoder.learn(states)
    kept: list[TokenizedRow] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0, "empty_step": 0, "cut": 0}
    for own, state in zip(wanted, states, strict=True):
        encoded = encoder.encode(state, end=False)
        ends = [end for end in encoded.ends if end < max_length]
        labelled = [(end, label) for end, label in zip(ends, own, strict=False) if label is not None]
        if not own:
            dropped["nothing_to_learn"] += 1
        elif not encoded.gapless:
            dropped["empty_step"] += 1
        elif not labelled:
            dropped["too_long"] += 1
        else:
            dropped["cut"] += int(len(ends) < len(own))
            length = labelled[-1][0] + 1
            targets = [False] * length
            for end, _ in labelled:
                targets[end] = True
            kept.append(TokenizedRow(encoded.tokens[:length], targets, [label for _, label in labelled]))
    return pack(kind, kept, pad_id), dropped
