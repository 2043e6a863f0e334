"""Compare ways of laying out training sequences that share prefixes: wall time for the same loss terms.

    python benchmarks/training.py MODEL RECORDS.jsonl --objective ppm [--format chat] [--problems N] [--repeats R]

RECORDS is a file of `raystar harvest`: pairs.jsonl for ppm, dpo and dpo_nll, trajectories.jsonl for sft, step_labels.jsonl
for prm. It is encoded as training does. Every side runs forward and backward passes over all units once, in one process:

    padded         a row a sequence, units sorted by length
    deduplicated   a row a distinct sequence, units of a problem together
    packed         distinct sequences, several a row, none sees another
    tree           what the sequences of a problem begin with in common once, several trees a row

Sides take turns after a warm-up of each. Prints their medians, the first side's time over each, and the losses, which must
agree. The optimizer's step is left out: it takes the same time on every side.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from search.formats.model_prompt import PromptSettings, prompt_format
from train.config import TrainConfig
from train.data.batches import Batch, Rows, collate, fill_rows, make_batch
from train.data.loading import load_samples
from train.data.plan import PlanConfig, longest_row, plan_epoch
from train.data.prefix_tree import merge
from train.data.tokenized import Integers, TokenizedSet
from train.objectives import OBJECTIVES, Objective
from train.objectives.base import LossOptions
from train.trainer.models import ModelWithHead, attention_kernel, load_model, native_precision

ROOM = 1024  # tokens of a row of packed sequences, if none is longer
CPU = torch.device("cpu")
Side = Callable[[TokenizedSet, PlanConfig], Iterator[Batch]]


def padded(samples: TokenizedSet, order: PlanConfig) -> Iterator[Batch]:
    """Yield the batches of training without packing."""
    for units in _micro_batches(samples, replace(order, packing="none")):
        yield collate(samples, units, len(samples))


def deduplicated(samples: TokenizedSet, order: PlanConfig) -> Iterator[Batch]:
    """Yield batches with a row for each distinct sequence."""
    for units in _micro_batches(samples, order):
        yield make_batch(samples, units, _distinct_rows(samples, units, None), 1 / len(samples))


def packed(samples: TokenizedSet, order: PlanConfig) -> Iterator[Batch]:
    """Yield batches with several distinct sequences a row."""
    for units in _micro_batches(samples, order):
        yield make_batch(samples, units, _distinct_rows(samples, units, ROOM), 1 / len(samples))


def tree(samples: TokenizedSet, order: PlanConfig) -> Iterator[Batch]:
    """Yield the batches of training with trees."""
    for units in _micro_batches(samples, order):
        yield collate(samples, units, len(samples), "tree")


SIDES: dict[str, Side] = {"padded": padded, "deduplicated": deduplicated, "packed": packed, "tree": tree}


def _micro_batches(samples: TokenizedSet, order: PlanConfig) -> Iterator[Integers]:
    return (units for step in plan_epoch(samples, order, 0) for (units,) in step)


def _distinct_rows(samples: TokenizedSet, units: Integers, room: int | None) -> Rows:
    """Return rows of distinct sequences: one a row, or as many as fit into ``room``."""
    sequences = [samples.sequence(row) for row in samples.rows(units)]
    numbers: dict[bytes, int] = {}
    of_sequence = [numbers.setdefault(sequence.tobytes(), len(numbers)) for sequence in sequences]
    distinct = [merge([np.frombuffer(text, dtype=np.int32)]) for text in numbers]
    longest = max(map(len, distinct))
    if room is not None:
        input_ids, in_rows, begins = fill_rows(distinct, max(room, longest), samples.pad_id)
        return input_ids, in_rows, [begins[n] + distinct[n].paths[0] for n in of_sequence]
    parts = [fill_rows([text], longest, samples.pad_id)[0] for text in distinct]
    input_ids = np.concatenate(parts)
    return input_ids, None, [n * input_ids.shape[1] + distinct[n].paths[0] for n in of_sequence]


@dataclass(frozen=True, slots=True)
class Pass:
    """One pass over all units: its seconds, the tokens that the model computed, and the loss."""

    seconds: float
    computed: int
    loss: float


def run_side(side: Side, model: ModelWithHead, samples: TokenizedSet, order: PlanConfig, objective: Objective) -> Pass:
    """Run forward and backward passes over all units once."""
    functions, options = objective.functions(), LossOptions()
    model.zero_grad(set_to_none=True)
    began, computed, total = time.perf_counter(), 0, 0.0
    for batch in side(samples, order):
        outputs = functions.prepare(model(batch.input_ids, batch.positions, batch.trees), batch.targets)
        loss = (functions.loss(outputs, batch.targets, options) * batch.weights).sum()
        loss.backward()
        computed += batch.input_ids.numel()
        total += loss.item()
    return Pass(time.perf_counter() - began, computed, total)


def first_problems(samples: TokenizedSet, count: int) -> TokenizedSet:
    """Return the units of the first ``count`` problems."""
    units = np.flatnonzero(samples.problems < count)
    rows = samples.rows(units)
    spans = [slice(samples.starts[row], samples.starts[row + 1]) for row in rows]
    starts = np.concatenate(([0], np.cumsum([span.stop - span.start for span in spans])))
    return replace(
        samples,
        tokens=np.concatenate([samples.tokens[span] for span in spans]),
        targets=np.concatenate([samples.targets[span] for span in spans]),
        labels=np.concatenate([samples.labels[span] for span in spans]) if len(samples.labels) else samples.labels,
        starts=starts.astype(np.int64),
        problems=samples.problems[units],
    )


def describe(samples: TokenizedSet, objective: Objective) -> str:
    """Return the counts of what is learnt from."""
    problems = len(set(samples.problems.tolist()))
    return (
        f"{objective.name}: {len(samples)} units of {problems} problems, {len(samples) / problems:.1f} a problem, "
        f"{len(samples.tokens)} tokens in {len(samples.starts) - 1} sequences"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("model", type=Path, help="model directory to train from")
    parser.add_argument("records", type=Path, help="pairs.jsonl, trajectories.jsonl or step_labels.jsonl of a harvest")
    parser.add_argument("--objective", default="ppm", choices=list(OBJECTIVES))
    parser.add_argument("--format", default="auto", help="step format of the policy that wrote the records")
    parser.add_argument("--problems", type=int, default=None, help="take the first so many problems (default: all)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--max-length", type=int, default=1024)
    parser.add_argument("--batch-size", type=int, default=64, help="units of an optimizer step")
    parser.add_argument("--micro-batch-tokens", type=int, default=4096)
    parser.add_argument("--sides", nargs="+", default=list(SIDES), choices=list(SIDES))
    args = parser.parse_args()
    objective = OBJECTIVES[args.objective]
    form = prompt_format(args.model, PromptSettings(format=args.format))
    samples, left_out = load_samples(objective, args.model, [args.records], form, args.max_length)
    if args.problems is not None:
        samples = first_problems(samples, args.problems)
    if samples.kind.needs_reference:
        samples = replace(samples, reference=np.zeros(len(samples.starts) - 1, dtype=np.float32))
    config = TrainConfig(precision=native_precision(CPU), zero_stage=0)
    model = load_model(args.model, objective.head, config, samples.pad_id).train()
    order = PlanConfig(
        batch_size=args.batch_size,
        micro_batch_tokens=args.micro_batch_tokens,
        world_size=1,
        seed=0,
        packing="tree",
    )
    print(f"{describe(samples, objective)}; left out {left_out}; {config.precision}, {torch.get_num_threads()} threads")
    passes: dict[str, list[Pass]] = {name: [] for name in args.sides}
    with attention_kernel(CPU, longest_row(samples, order)):
        for turn in range(args.repeats + 1):
            for name in args.sides:
                result = run_side(SIDES[name], model, samples, order, objective)
                if turn:
                    passes[name].append(result)
    first = statistics.median(p.seconds for p in passes[args.sides[0]])
    print(f"{'side':14s}{'seconds':>9s}{'spread':>16s}{'tokens':>10s}{'times':>7s}{'loss':>10s}")
    for name, results in passes.items():
        seconds = [p.seconds for p in results]
        spread = f"{min(seconds):.2f}-{max(seconds):.2f}"
        middle = statistics.median(seconds)
        print(
            f"{name:14s}{middle:9.2f}{spread:>16s}{results[0].computed:10d}{first / middle:7.2f}{results[0].loss:10.5f}"
        )


if __name__ == "__main__":
    main()
