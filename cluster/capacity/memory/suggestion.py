"""Find the smallest change of a config after which a stage fits the memory that there is.

A change sets a few fields of the sections that the stage works by. Changes are tried by the number of fields, then by what
they cost: a smaller micro-batch costs nearly nothing, computing activations again a third of the time, offload more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from actors.config import EngineConfig
from train.config import TrainConfig

Step = tuple[float, str, Any]  # cost, field, value
LEAST_TOKENS = 64  # of a micro-batch, or of one forward pass of an engine


@dataclass(frozen=True, slots=True)
class Change:
    """Fields to set, by their path in the config, and what that costs."""

    cost: float
    fields: Mapping[str, Any]

    def __str__(self) -> str:
        return assignments(self.fields)


def assignments(fields: Mapping[str, Any]) -> str:
    """Return fields as a command line or a config sets them: "a=8 and b=true"."""
    texts = {name: str(value).lower() if isinstance(value, bool) else f"{value}" for name, value in fields.items()}
    return " and ".join(f"{name}={text}" for name, text in texts.items())


def smallest_change(ladders: Sequence[Sequence[Step]], fits: Callable[[Mapping[str, Any]], bool]) -> Change | None:
    """Return the change with the fewest fields, then the least cost, with which ``fits`` is true; None if there is none.

    ``ladders``: for each field its values, each dearer than the one before. At most one value of each is set.
    """
    for number in range(1, len(ladders) + 1):
        for change in _changes(ladders, number):
            if fits(change.fields):
                return change
    return None


def training_ladders(section: str, train: TrainConfig, *, on_gpus: bool, is_half: bool) -> list[list[Step]]:
    """Return the changes of a training that save memory, by field. ``is_half``: it computes in bf16 already, or cannot."""
    ladders: list[list[Step]] = [
        [(float(halvings), "micro_batch_tokens", tokens) for halvings, tokens in _halves(train.micro_batch_tokens)],
        [] if train.gradient_checkpointing else [(3.0, "gradient_checkpointing", True)],
        [] if is_half else [(6.0, "precision", "bf16")],
    ]
    if on_gpus:
        stages = range(int(train.zero_stage) + 1, 4) if train.workers > 1 else range(0)
        ladders.append([(3.0 + stage, "zero_stage", stage) for stage in stages])
        if train.offload == "none":
            ladders.append([(12.0, "offload", "optimizer"), (20.0, "offload", "optimizer_and_weights")])
    return [[(cost, f"{section}.{field}", value) for cost, field, value in ladder] for ladder in ladders if ladder]


def engine_ladders(section: str, engine: EngineConfig, *, most_gpus: int, is_half: bool) -> list[list[Step]]:
    """Return the changes of an engine that save memory, by field. ``most_gpus``: of one node."""
    passes = [
        (float(halvings), "max_batched_tokens", tokens) for halvings, tokens in _halves(engine.max_batched_tokens)
    ]
    ladders: list[list[Step]] = [[(cost, field, value) for cost, field, value in passes]]
    if not is_half and engine.dtype == "auto":
        ladders.append([(3.0, "dtype", "bfloat16")])
    if engine.num_gpus:
        more = [gpus for gpus in (1, 2, 4, 8, 16) if engine.gpus < gpus <= most_gpus]
        ladders.append([(4.0 + gpus, "gpus", gpus) for gpus in more])
        if engine.quantization is None:
            ladders.append([(16.0, "quantization", "fp8")])
    else:
        halves = [engine.kv_cache_gib / 2**halvings for halvings in range(1, 4)]
        ladders.append([(1.0 + place, "kv_cache_gib", round(size, 3)) for place, size in enumerate(halves)])
        if engine.replicas > 1:
            ladders.append(
                [(2.0 + engine.replicas - fewer, "replicas", fewer) for fewer in range(engine.replicas - 1, 0, -1)]
            )
    return [[(cost, f"{section}.{field}", value) for cost, field, value in ladder] for ladder in ladders if ladder]


def _halves(tokens: int) -> Iterator[tuple[int, int]]:
    """Yield 1 and half of a number of tokens, 2 and a quarter of it, and so on down to LEAST_TOKENS."""
    halvings = 1
    while (half := tokens >> halvings) >= LEAST_TOKENS:
        yield halvings, half
        halvings += 1


def _changes(ladders: Sequence[Sequence[Step]], number: int) -> Iterable[Change]:
    """Return the changes of so many fields, the cheapest first."""
    changes = []
    for chosen in itertools.combinations(ladders, number):
        for steps in itertools.product(*chosen):
            fields = {field: value for _, field, value in steps}
            changes.append(Change(sum(cost for cost, _, _ in steps), fields))
    return sorted(changes, key=lambda change: change.cost)
