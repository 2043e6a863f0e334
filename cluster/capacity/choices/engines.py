"""Choose engines: GPUs of each, replicas, sequences at once and share of memory, where the config says auto.

An engine gets as few GPUs as hold the model and ENOUGH_SEQUENCES. The GPUs of a search are then shared out among its models by
their weights (``engine_roles``). Where there are fewer cards than models, small models share cards.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence

from actors.config import CARD_SHARE, EngineConfig
from cluster.capacity.bundles import GroupNeed, StageNeed, Supply
from cluster.capacity.choices.card_shares import rounded_down, share_cards
from cluster.capacity.choices.cards import card_count, card_gib, cpu_nodes, most_gpus_of_a_node
from cluster.capacity.choices.engine_roles import MOST_SEQUENCES, EngineRole
from cluster.capacity.memory.shortage import find_shortage
from cluster.capacity.packing import unplaced
from search.config import is_auto

# Sequences that an engine should hold at once, from what is good to what is possible: a pass over the weights takes as long
# for 64 sequences as for one.
ENOUGH_SEQUENCES = (64, 16, 4, 1)
ROUND_SEQUENCES = 8  # more sequences than twice this are a multiple of it

Engines = dict[str, EngineConfig]  # by config section


def choose_engines(sections: Sequence[EngineRole], supply: Supply, beside: Sequence[GroupNeed]) -> Engines:
    """Return the engines of each section with numbers in place of auto.

    ``beside``: what else runs at the same time. Where the models do not fit the supply, each has one engine as small as
    possible, and a comparison with the supply refuses it.
    """
    if not card_count(supply):
        return _on_cpus(sections, supply, beside)
    for sequences in ENOUGH_SEQUENCES:
        whole = {name: _least(engine) for name, engine in _whole_cards(sections, supply, sequences).items()}
        for chosen in (whole, share_cards(sections, whole, supply, sequences)):
            if chosen is None:
                continue
            held = all(
                role.held(chosen[role.section], card_gib(supply, chosen[role.section].gpus)) >= sequences
                for role in sections
                if is_auto(role.engine.gpus)
            )
            if held and _fits(sections, chosen, supply, beside):
                return _finish(sections, _share_out(sections, chosen, supply, beside), supply)
    smallest = _whole_cards(sections, supply, ENOUGH_SEQUENCES[-1])
    return _finish(sections, {section: _least(engine) for section, engine in smallest.items()}, supply)


def _on_cpus(sections: Sequence[EngineRole], supply: Supply, beside: Sequence[GroupNeed]) -> Engines:
    """Return engines without GPUs: one of each kind a node, or one in all where the nodes have no room for that."""
    for count in (len(cpu_nodes(supply)), 1):
        chosen = {
            role.section: role.engine.model_copy(
                update={
                    **({"replicas": max(1, count)} if is_auto(role.engine.replicas) else {}),
                    **({"gpus": 0.0} if is_auto(role.engine.gpus) else {}),
                }
            )
            for role in sections
        }
        if _fits(sections, chosen, supply, beside):
            break
    return _finish(sections, chosen, supply)


def _whole_cards(sections: Sequence[EngineRole], supply: Supply, sequences: int) -> Engines:
    """Return engines with whole GPUs: as few as hold so many sequences, else as many as a node has."""
    chosen = {}
    for role in sections:
        gpus = role.engine.gpus
        if is_auto(gpus):
            sizes = [count for count in _spreads(role, supply) if _holds(role, count, supply, sequences)]
            gpus = float(min(sizes, default=max(_spreads(role, supply))))
        chosen[role.section] = role.engine.model_copy(update={"gpus": gpus})
    return chosen


def _spreads(role: EngineRole, supply: Supply) -> list[int]:
    """Return the numbers of GPUs that vLLM can spread the models of a section over, on one node.

    They divide the attention heads; heads of keys and values are shared out, or repeated on several GPUs.
    """
    return [
        count
        for count in range(1, max(1, most_gpus_of_a_node(supply)) + 1)
        if all(
            shape.heads % count == 0 and (shape.kv_heads % count == 0 or count % shape.kv_heads == 0)
            for shape in role.shapes
        )
    ]


def _holds(role: EngineRole, gpus: float, supply: Supply, sequences: int) -> bool:
    return role.held(role.engine.model_copy(update={"gpus": float(gpus)}), card_gib(supply, gpus)) >= sequences


def _least(engine: EngineConfig) -> EngineConfig:
    """Return a section with one replica, unless it says how many."""
    return engine.model_copy(update={"replicas": 1}) if is_auto(engine.replicas) else engine


def _fits(
    sections: Sequence[EngineRole], engines: Mapping[str, EngineConfig], supply: Supply, beside: Sequence[GroupNeed]
) -> bool:
    groups = [group for role in sections for group in role.groups(engines[role.section])]
    stage = StageNeed("", (*groups, *beside))
    return unplaced(stage, supply) is None and find_shortage([stage], supply) is None


def _share_out(
    sections: Sequence[EngineRole], engines: Engines, supply: Supply, beside: Sequence[GroupNeed]
) -> Engines:
    """Return the engines with as many replicas as the GPUs have room for, in the proportion of the models' weights."""
    free = [role for role in sections if is_auto(role.engine.replicas)]
    fixed = sum(
        len(role.roles) * engines[role.section].replicas * engines[role.section].gpus
        for role in sections
        if role not in free
    )
    cards, weights = card_count(supply) - fixed, sum(role.weight for role in free)

    def fits(changed: Engines) -> bool:
        return _fits(sections, changed, supply, beside)

    for role in free:
        engine = engines[role.section]
        part = cards * role.weight / weights if weights else 0.0
        wanted = math.floor(part / (engine.gpus * len(role.roles))) if engine.gpus else 1
        engines = _with_most_replicas(engines, role.section, max(1, wanted), fits)
    return _fill_up(free, engines, fits)


def _with_most_replicas(engines: Engines, section: str, wanted: int, fits: Callable[[Engines], bool]) -> Engines:
    """Return the engines with up to ``wanted`` replicas in a section: as many as fit beside the others."""
    low, high = engines[section].replicas, wanted
    while low < high:
        middle = (low + high + 1) // 2
        if fits(_with_replicas(engines, section, middle)):
            low = middle
        else:
            high = middle - 1
    return _with_replicas(engines, section, low)


def _fill_up(free: Sequence[EngineRole], engines: Engines, fits: Callable[[Engines], bool]) -> Engines:
    """Return the engines with one replica more where a model has least for its weight, until no card is left."""
    open_sections = [role for role in free if engines[role.section].gpus]
    while open_sections:
        role = min(
            open_sections,
            key=lambda role: (
                engines[role.section].replicas * engines[role.section].gpus * len(role.roles) / role.weight
            ),
        )
        more = _with_replicas(engines, role.section, engines[role.section].replicas + 1)
        if fits(more):
            engines = more
        else:
            open_sections.remove(role)
    return engines


def _with_replicas(engines: Engines, section: str, replicas: int) -> Engines:
    return engines | {section: engines[section].model_copy(update={"replicas": replicas})}


def _finish(sections: Sequence[EngineRole], engines: Engines, supply: Supply) -> Engines:
    """Return the engines with numbers for share of memory and sequences at once."""
    finished = {}
    for role in sections:
        engine = engines[role.section]
        changes: dict[str, float] = {"replicas_alone": 0} if is_auto(engine.replicas_alone) else {}
        if is_auto(engine.gpu_memory_utilization):
            changes["gpu_memory_utilization"] = rounded_down(engine.memory_share) if engine.gpus else CARD_SHARE
        if is_auto(engine.max_num_seqs):
            held = role.held(engine, card_gib(supply, engine.gpus)) if engine.gpus else MOST_SEQUENCES
            changes["max_num_seqs"] = _round_sequences(held)
        finished[role.section] = engine.model_copy(update=changes)
    return finished


def _round_sequences(held: int) -> int:
    most = min(MOST_SEQUENCES, held)
    return most // ROUND_SEQUENCES * ROUND_SEQUENCES if most >= 2 * ROUND_SEQUENCES else max(1, most)
