"""Make samples of single solutions: mark their target tokens and label them.

Targets of imitation are the tokens that the model wrote and the end-of-sequence token after an answer. Targets of a reward
model are the last token of each step (PRM, Q-regression), or every token after the prompt (ORM); it sees no end-of-sequence
token.

Each function returns the samples and the number of records left out, by reason; ``cut`` ones are learnt in part.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from search.data import State, StepLabels, Trajectory
from train.data.encoding import Encoder
from train.data.label_targets import StepTargets, classes, values
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import SampleKind


def encode_trajectories(
    records: Sequence[Trajectory], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode solutions to imitate. Left out: those over ``max_length`` (too_long) and without a target (nothing_to_learn)."""
    states = [State(record.problem, record.steps) for record in records]
    kept: list[TokenizedRow] = []
    problems: list[str] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0}
    for record, state in zip(records, states, strict=True):
        encoded = encoder.encode(state, end=True)
        targets = [False, *encoded.is_generated[1:]]
        if len(encoded.tokens) > max_length:
            dropped["too_long"] += 1
        elif not any(targets):
            dropped["nothing_to_learn"] += 1
        else:
            kept.append(TokenizedRow(encoded.tokens, targets))
            problems.append(record.problem.id)
    return pack(SampleKind.TOKENS, kept, pad_id, problems), dropped


def encode_outcomes(
    records: Sequence[Trajectory], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode solutions with their outcome, 1 correct and 0 incorrect, at every token after the prompt.

    Left out: those over ``max_length`` (too_long), whose last token would be missing, at which the score is read,
    and those without a token after the prompt (nothing_to_learn).
    """
    states = [State(record.problem, record.steps) for record in records]
    kept: list[TokenizedRow] = []
    problems: list[str] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0}
    for record, state in zip(records, states, strict=True):
        encoded = encoder.encode(state, end=False)
        solution_length = len(encoded.tokens) - encoded.prompt
        if len(encoded.tokens) > max_length:
            dropped["too_long"] += 1
        elif not solution_length:
            dropped["nothing_to_learn"] += 1
        else:
            targets = [False] * encoded.prompt + [True] * solution_length
            kept.append(TokenizedRow(encoded.tokens, targets, [(float(record.correct),)] * solution_length))
            problems.append(record.problem.id)
    return pack(SampleKind.OUTCOMES, kept, pad_id, problems), dropped


def encode_step_labels(
    records: Sequence[StepLabels], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode solutions with shares of correct, neutral and incorrect (``label_targets.classes``) at the last token of each step."""
    return _encode_steps(SampleKind.STEP_LABELS, records, classes, encoder, max_length, pad_id)


def encode_step_values(
    records: Sequence[StepLabels], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode solutions with a value in [-1, 1] (``label_targets.values``) at the last token of each step."""
    return _encode_steps(SampleKind.STEP_VALUES, records, values, encoder, max_length, pad_id)


def _encode_steps(
    kind: SampleKind,
    records: Sequence[StepLabels],
    to_targets: Callable[[StepLabels], StepTargets],
    encoder: Encoder,
    max_length: int,
    pad_id: int,
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode solutions up to their last labelled step; no step before it depends on what comes later.

    One over ``max_length`` is cut after the last step that ends within it (cut), and left out where no label is left
    of it (too_long). A step of no tokens has no last token to read a score at: its label is left out (empty_step), such as
    that of a block of thinking, which a reward model is not shown. A solution without a label is left out too
    (nothing_to_learn).
    """
    step_targets = [to_targets(record) for record in records]
    states = [State(r.problem, r.steps[: len(labels)]) for r, labels in zip(records, step_targets, strict=True)]
    kept: list[TokenizedRow] = []
    problems: list[str] = []
    dropped = {"too_long": 0, "nothing_to_learn": 0, "empty_step": 0, "cut": 0}
    for record, labels, state in zip(records, step_targets, states, strict=True):
        encoded = encoder.encode(state, end=False)
        readable = [
            (end, label)
            for end, label, is_empty in zip(encoded.ends, labels, encoded.is_empty, strict=True)
            if label is not None and not is_empty
        ]
        dropped["empty_step"] += sum(label is not None for label in labels) - len(readable)
        ends = [end for end in encoded.ends if end < max_length]
        labelled = [(end, label) for end, label in readable if end < max_length]
        if not labelled:
            dropped["too_long" if readable else "nothing_to_learn"] += 1
        else:
            dropped["cut"] += int(len(ends) < len(labels))
            length = labelled[-1][0] + 1
            targets = [False] * length
            for end, _ in labelled:
                targets[end] = True
            kept.append(TokenizedRow(encoded.tokens[:length], targets, [label for _, label in labelled]))
            problems.append(record.problem.id)
    return pack(kind, kept, pad_id, problems), dropped
