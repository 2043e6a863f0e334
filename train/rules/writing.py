"""Write the training sets of a rule that makes them in memory."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from search.storage.files import open_atomic
from train.data.records import write_records
from train.rules.base import Harvest, HarvestResult, RuleInputs, RuleOptions

COUNTS = "counts.json"

Options = TypeVar("Options", bound=RuleOptions)


def writer_of(
    make_harvest: Callable[[RuleInputs, Options], Harvest],
) -> Callable[[RuleInputs, Options, Path], HarvestResult]:
    """Return a function that writes each training set of ``make_harvest`` to its file, and ``counts.json`` last."""

    def write(inputs: RuleInputs, options: Options, out_dir: Path) -> HarvestResult:
        return write_harvest(make_harvest(inputs, options), out_dir)

    return write


def write_harvest(harvest: Harvest, out_dir: Path) -> HarvestResult:
    """Write the training sets and then ``counts.json``. Each file is complete or absent."""
    out_dir.mkdir(parents=True, exist_ok=True)
    for file, training_set in harvest.training_sets.items():
        write_records(training_set.records, out_dir / file)
    with open_atomic(out_dir / COUNTS) as lines:
        lines.write(json.dumps(dict(harvest.counts), indent=2) + "\n")
    return HarvestResult(
        counts=harvest.counts,
        summary=", ".join(f"{count} {name}" for name, count in harvest.counts.items()),
        nothing_to_learn={
            file: training_set.nothing_to_learn
            for file, training_set in harvest.training_sets.items()
            if training_set.nothing_to_learn
        },
    )
