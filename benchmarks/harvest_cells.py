"""Store the cells of the harvest ablation, a line each, and compare variants on the same problems.

A cell is one variant of the harvest on the trees of one seed. Its line has the commit and the machine, what the harvest
counted, how many samples each model learnt from, and the accuracy of every problem by method, in the order of their ids.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

from search.evaluation.confidence import Interval, mean_of_shares, paired_difference

BASELINE = "paper"
DIGITS = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class HarvestCell:
    """One variant of the harvest on the trees of one seed.

    ``counts``: what the harvest read and wrote. ``samples``: by role, records that the model learnt from; a role without any
    has no model, and its methods are missing. ``accuracies``: method -> accuracy of each problem.
    """

    variant: str
    seed: int
    overrides: tuple[str, ...]
    split: str
    commit: str
    machine: str
    counts: Mapping[str, int]
    samples: Mapping[str, int]
    accuracies: Mapping[str, Sequence[float]]

    @property
    def key(self) -> tuple[str, int, tuple[str, ...]]:
        """Return what was run: variant, seed and overrides of the config."""
        return self.variant, self.seed, self.overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class VariantRow:
    """A variant over seeds: by method its accuracy, and its difference to the baseline on the same problems and seeds."""

    seeds: tuple[int, ...]
    trajectories: float
    pairs: float
    accuracy: Mapping[str, Interval]
    difference: Mapping[str, Interval]


def rows_by_variant(cells: Sequence[HarvestCell]) -> dict[str, VariantRow]:
    """Return a row for each variant, in the order of the cells."""
    by_variant: dict[str, dict[int, HarvestCell]] = {}
    for cell in cells:
        by_variant.setdefault(cell.variant, {})[cell.seed] = cell
    baseline = by_variant.get(BASELINE, {})
    return {name: _row(by_seed, {} if name == BASELINE else baseline) for name, by_seed in by_variant.items()}


def _row(by_seed: Mapping[int, HarvestCell], baseline: Mapping[int, HarvestCell]) -> VariantRow:
    cells = list(by_seed.values())
    methods = [name for name in cells[0].accuracies if all(name in cell.accuracies for cell in cells)]
    shared = sorted(by_seed.keys() & baseline.keys())
    return VariantRow(
        seeds=tuple(sorted(by_seed)),
        trajectories=fmean(cell.samples.get("policy", 0) for cell in cells),
        pairs=fmean(cell.samples.get("reward_model", 0) for cell in cells),
        accuracy={name: mean_of_shares(mean_by_problem(cells, name)) for name in methods},
        difference={
            name: paired_difference(
                mean_by_problem([by_seed[seed] for seed in shared], name),
                mean_by_problem([baseline[seed] for seed in shared], name),
            )
            for name in methods
            if shared and all(name in baseline[seed].accuracies for seed in shared)
        },
    )


def mean_by_problem(cells: Sequence[HarvestCell], method: str) -> list[float]:
    """Return each problem's mean accuracy over seeds, since seeds are no independent problems."""
    return [fmean(by_seed) for by_seed in zip(*(cell.accuracies[method] for cell in cells), strict=True)]
