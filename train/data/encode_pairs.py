"""Make samples of preference pairs, the preferred side first: for a reward model and for a policy."""

from __future__ import annotations

from collections.abc import Sequence

from search.data import PreferencePair, State
from train.data.encoding import Encoded, Encoder
from train.data.tokenized import TokenizedRow, TokenizedSet, pack
from train.objectives import SampleKind


def encode_pairs(
    records: Sequence[PreferencePair], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode pairs as a reward model reads them: at the last token, without an end-of-sequence token.

    Left out and counted: pairs with a side over ``max_length`` (too_long) and pairs of equal sides (same_text).
    """
    kept: list[TokenizedRow] = []
    weights: list[float] = []
    problems: list[str] = []
    dropped = {"too_long": 0, "same_text": 0}
    for record, sides in zip(records, _encode_sides(records, encoder, end=False), strict=True):
        reason = _why_left_out(sides, max_length)
        if reason:
            dropped[reason] += 1
        else:
            kept += [TokenizedRow(side.tokens, side.is_generated) for side in sides]
            weights.append(record.weight)
            problems.append(record.problem.id)
    return pack(SampleKind.PAIRS, kept, pad_id, problems, weights), dropped


def encode_preferences(
    records: Sequence[PreferencePair], encoder: Encoder, max_length: int, pad_id: int
) -> tuple[TokenizedSet, dict[str, int]]:
    """Encode pairs as the policy writes them, with the end-of-sequence token after an answer.

    Targets are the tokens that the model wrote after the shared prefix. Left out and counted: pairs with a side over
    ``max_length`` (too_long), whose log-probability would be that of another text, pairs of equal sides (same_text),
    and pairs with a side without a target (nothing_to_learn).
    """
    kept: list[TokenizedRow] = []
    weights: list[float] = []
    problems: list[str] = []
    dropped = {"too_long": 0, "same_text": 0, "nothing_to_learn": 0}
    for record, sides in zip(records, _encode_sides(records, encoder, end=True), strict=True):
        rows = [TokenizedRow(side.tokens, _targets_after(side, len(record.prefix))) for side in sides]
        reason = _why_left_out(sides, max_length)
        if reason:
            dropped[reason] += 1
        elif not all(any(row.targets) for row in rows):
            dropped["nothing_to_learn"] += 1
        else:
            kept += rows
            weights.append(record.weight)
            problems.append(record.problem.id)
    return pack(SampleKind.PREFERENCES, kept, pad_id, problems, weights), dropped


def _encode_sides(records: Sequence[PreferencePair], encoder: Encoder, end: bool) -> list[tuple[Encoded, Encoded]]:
    sides = [
        (State(record.problem, record.prefix + record.chosen), State(record.problem, record.prefix + record.rejected))
        for record in records
    ]
    return [(encoder.encode(chosen, end), encoder.encode(rejected, end)) for chosen, rejected in sides]


def _why_left_out(sides: tuple[Encoded, Encoded], max_length: int) -> str | None:
    """Return the reason why a pair cannot be learnt from, or None."""
    if max(len(side.tokens) for side in sides) > max_length:
        return "too_long"
    return "same_text" if sides[0].tokens == sides[1].tokens else None


def _targets_after(side: Encoded, steps: int) -> list[bool]:
    """Mark the tokens that the model wrote after the first ``steps`` steps; never the first token, which nothing predicts."""
    begin = max(1, side.ends[steps - 1] + 1 if steps else side.prompt)
    return [generated and position >= begin for position, generated in enumerate(side.is_generated)]
