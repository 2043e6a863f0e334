"""Share out cards among models where there are fewer cards than models."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from actors.config import EngineConfig
from cluster.capacity.bundles import Supply
from cluster.capacity.choices.cards import card_count, card_gib
from cluster.capacity.choices.engine_roles import EngineRole
from search.config import is_auto

SHARE_STEP = 0.05  # shares of a card are multiples of it


def share_cards(
    sections: Sequence[EngineRole], whole: Mapping[str, EngineConfig], supply: Supply, sequences: int
) -> dict[str, EngineConfig] | None:
    """Return engines of which those with one GPU in ``whole`` have a share of it; None where each can have its own.

    ``sequences``: how many each should hold. A section that says its share of a card's memory keeps the card.
    """
    sharing = [
        role
        for role in sections
        if is_auto(role.engine.gpus) and is_auto(role.engine.gpu_memory_utilization) and whole[role.section].gpus == 1
    ]
    counts = {role.section: len(role.roles) * whole[role.section].replicas for role in sections}
    held_by_others = sum(counts[role.section] * whole[role.section].gpus for role in sections if role not in sharing)
    cards = card_count(supply) - held_by_others
    engines = sum(counts[role.section] for role in sharing)
    if not sharing or engines <= cards or cards <= 0:
        return None
    if cards > 1:
        shares = dict.fromkeys((role.section for role in sharing), rounded_down(1 / math.ceil(engines / cards)))
    else:
        needed = {role.section: _least_share(role, card_gib(supply), sequences) for role in sharing}
        weights = {role.section: role.weight for role in sharing}
        shares = shares_of_one(needed, weights, counts, cards)
    return {
        section: engine.model_copy(update={"gpus": shares[section]}) if section in shares else engine
        for section, engine in whole.items()
    }


def rounded_down(share: float) -> float:
    """Return a share that Ray counts exactly: it has four decimals."""
    return math.floor(share * 10_000 + 1e-6) / 10_000


def shares_of_one(
    needed: Mapping[str, float], weights: Mapping[str, int], counts: Mapping[str, int], free: float
) -> dict[str, float]:
    """Return shares of what is free of one card: by weight where each then has what it needs, else the first gets the rest.

    Args:
        needed: least share of an engine, by section; may be more than there is.
        weights: of sections.
        counts: engines of each section.
        free: share of the card.

    >>> shares_of_one({"a": 0.2, "b": 0.2}, {"a": 3, "b": 1}, {"a": 1, "b": 1}, 1.0)
    {'a': 0.75, 'b': 0.25}
    >>> shares_of_one({"a": 0.2, "b": 0.4}, {"a": 3, "b": 1}, {"a": 1, "b": 1}, 1.0)
    {'a': 0.6, 'b': 0.4}
    """
    all_weights = sum(weights.values())
    shares = {
        section: round(free * weights[section] / all_weights / counts[section] / SHARE_STEP) * SHARE_STEP
        for section in needed
    }
    in_all = sum(share * counts[section] for section, share in shares.items())
    if in_all > free + 1e-6 or any(shares[section] < share for section, share in needed.items()):
        first, *others = needed
        left = free - sum(needed[section] * counts[section] for section in others)
        shares = {**needed, first: max(needed[first], left / counts[first])}
    return {section: rounded_down(share) for section, share in shares.items()}


def _least_share(role: EngineRole, card: float, sequences: int) -> float:
    """Return the smallest share of a card on which an engine holds so many sequences; nearly all of it where none does."""
    shares = [step * SHARE_STEP for step in range(1, round(1 / SHARE_STEP))]
    holding = (
        share for share in shares if role.held(role.engine.model_copy(update={"gpus": share}), card) >= sequences
    )
    return next(holding, shares[-1])
