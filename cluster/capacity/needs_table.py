"""Print what each stage needs as one table that fits 80 columns: CPUs, GPUs, memory of a GPU and of a host, and what makes it up."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from textwrap import wrap

from cluster.capacity.bundles import Bundle, GroupNeed, StageNeed
from cluster.capacity.wording import number, replica_title

WIDTH = 78  # of the lines of a plan, which are indented by two
TITLE = "of each process"
COLUMNS = ("CPUs", "GPUs", "GiB of a GPU", "GiB of a host")
CELLS = tuple(len(title) + 3 for title in COLUMNS)
NAME_WIDTH = WIDTH - sum(CELLS)
NOTHING = "–"


def needs_table(stages: Sequence[StageNeed]) -> Iterator[str]:
    """Yield the lines of the table: stages with equal needs once, the parts of a memory where it first occurs."""
    if not stages:
        return
    yield _row(TITLE, COLUMNS)
    names: dict[tuple[GroupNeed, ...], list[str]] = {}
    for stage in stages:
        names.setdefault(stage.groups, []).append(stage.stage)
    described: set[str] = set()
    for groups, of_stages in names.items():
        yield from wrap(", ".join(of_stages), WIDTH)
        for group in groups:
            yield _row(f"  {group.replicas} x {replica_title(group)}", _cells(group.bundle))
            parts = group.bundle.memory_parts
            if parts and parts not in described:
                described.add(parts)
                yield from wrap(parts, WIDTH, initial_indent="      ", subsequent_indent="      ")
        if len(groups) > 1 or any(group.replicas > 1 for group in groups):
            yield _row("  at once", _sums(StageNeed("", groups)))


def _cells(bundle: Bundle) -> tuple[str, ...]:
    sizes = (bundle.gpu_memory_gib, bundle.memory_gib)
    return _amount(bundle.cpus), _amount(bundle.gpus), *map(_amount, sizes)


def _sums(stage: StageNeed) -> tuple[str, ...]:
    """Return what all processes take together; GPUs' memory is not added up."""
    return _amount(stage.cpus), _amount(stage.gpus), "", _amount(stage.memory_gib)


def _amount(amount: float) -> str:
    return number(amount) if amount else NOTHING


def _row(name: str, cells: Sequence[str]) -> str:
    return f"{name:<{NAME_WIDTH}}" + "".join(f"{cell:>{width}}" for cell, width in zip(cells, CELLS, strict=True))
