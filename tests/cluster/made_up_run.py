"""Write a made-up finished run with the files of a real one and numbers that are easy to recognise."""

from __future__ import annotations

import math
import random
from pathlib import Path

import yaml

from cluster.evaluation.records import Evaluation, Measure
from cluster.run import manifest as manifests
from cluster.run.directory import CONFIG, MANIFEST, Stage
from search.data import Cost, Outcome, Problem, Step, StepStatus
from search.evaluation.confidence import Interval, wilson
from search.storage import tree_store
from search.storage.files import write_text
from search.tree import Tree

GREEDY = (0.41, 0.52, 0.58, 0.63, 0.66)
SOLVED = (None, 260, 300, 330, 361)
PROBLEMS = 400


def measure(share: float, n: int, tokens: int) -> Measure:
    correct = round(share * n)
    interval = wilson(correct, n)
    return Measure(
        accuracy=interval.mean, low=interval.low, high=interval.high, n=n, tokens=tokens, seconds=tokens / 4000
    )


def evaluation(number: int) -> Evaluation:
    splits: dict[str, dict[str, Measure | None]] = {}
    margins = {}
    for split, factor in (("heldout", 1.0), ("deeper", 0.55)):
        greedy = GREEDY[number] * factor
        splits[split] = {
            "greedy": measure(greedy, 300, 300 * 130),
            "majority": measure(greedy + 0.09, 300, 300 * 1010),
            "best_of_n": measure(greedy + 0.15, 300, 300 * 1010) if number >= 2 else None,
            "search": measure(greedy + 0.19, 300, 300 * 990) if number >= 2 else None,
        }
        if number >= 2:
            margins[split] = {
                "majority": Interval(mean=0.1, low=0.052, high=0.147, n=300),
                "best_of_n": Interval(mean=0.04, low=-0.003, high=0.08, n=300),
            }
    return Evaluation(round=number, splits=splits, margins=margins)


def solved_tree() -> Tree:
    problem = Problem(
        id="train-17",
        question="A box holds 3 pens & 4 <caps>. How many things are in 5 boxes?",
        answer="35",
        source="curriculum",
        level=2,
    )
    tree = Tree(problem, strategy="mcts", cost=Cost(generated_tokens=512))
    texts = (
        "\n# Step 1: things in a box\nbox = 3 + 4\n<end_of_step>",
        "# Step 2: times five boxes\ntotal = box * 5\n<end_of_step>",
        "# Now print the final answer\nprint(total)\n<end_of_code>",
    )
    parent = 0
    for text in texts:
        step = Step(text, code="x", output="35" if "print" in text else "", outcome=Outcome.OK)
        parent = tree.add(parent, step, visits=9, value_sum=7.0, logit=math.atanh(0.5))
    final = Step("<answer>\\boxed{35}<end_of_answer>", status=StepStatus.FINAL, answer="35")
    tree.add(parent, final, visits=8, value_sum=8.0, correct=True)
    return tree


def write_stage(root: Path, name: str, facts: dict[str, object]) -> None:
    stage = Stage(root / "rounds" / name)
    with stage.writing() as writer:
        writer.facts.update(facts)
        if name.endswith("evaluate"):
            evaluation(int(name[1])).write(writer.directory)
        if name.endswith("search"):
            with tree_store.TreeWriter(tree_store.worker_file(writer.directory, 0)) as trees:
                trees.append(solved_tree())


def make(root: Path, rounds: int = 4) -> Path:
    """Write a run of ``rounds`` rounds to ``root`` and return it."""
    rng = random.Random(0)
    root.mkdir(parents=True)
    manifest = (
        manifests.new_manifest(seed=7)
        .with_fields({"sandbox": "strict (Landlock, seccomp)"})
        .with_start("raystar evolve")
    )
    write_text(root / CONFIG, yaml.safe_dump({"version": 1, "name": root.name, "seed": 7}))
    write_stage(root, "r0/base", {"seconds": 95.0, "samples": 1500, "losses": loss_curve(rng, 300, 3.2, 0.25)})
    write_stage(root, "r0/evaluate", {"seconds": 40.0, "tokens": 700_000})
    manifest = manifest.with_lineage({"role": "policy", "round": 0, "version": 0, "path": "rounds/r0/base"})
    for number in range(1, rounds + 1):
        failures = {"code_error": 900 - 150 * number, "no_answer": 120 - 20 * number, "timeout": 4}
        facts = {"problems": PROBLEMS, "solved": SOLVED[number], "tokens": 2_600_000, "seconds": 75.0 + 9 * number}
        work = {
            "trees": 400,
            "requests": 5300,
            "executions": 41_000,
            "prompt_tokens": 900_000,
            "cached_tokens": 639_000,
        }
        write_stage(root, f"r{number}/search", {**facts, **work, "occupancy": 0.834, "failures": failures})
        write_stage(root, f"r{number}/harvest", {"seconds": 2.0, "trajectories": 610, "pairs": 2300})
        if number > 1:
            write_stage(
                root, f"r{number}/train_reward_model", {"seconds": 31.0, "losses": loss_curve(rng, 120, 0.7, 0.31)}
            )
        write_stage(root, f"r{number}/train_policy", {"seconds": 48.0, "losses": loss_curve(rng, 200, 2.9, 0.2)})
        old, new = ({"accuracy": GREEDY[n]} for n in (number - 1, number))
        decisions = [
            {
                "role": "policy",
                "promoted": number != 3,
                "metric": "greedy",
                "old": old,
                "new": new,
                "reason": "no worse",
            }
        ]
        write_stage(root, f"r{number}/promote", {"seconds": 12.0, "tokens": 90_000, "decisions": decisions})
        write_stage(root, f"r{number}/evaluate", {"seconds": 60.0, "tokens": 1_900_000})
        entry = {
            "role": "policy",
            "round": number,
            "version": number,
            "start": str(root / "rounds/r0/base/model"),
            "objective": "sft",
        }
        manifest = manifest.with_lineage({**entry, "path": str(root / f"rounds/r{number}/train_policy/model")})
    write_text(root / MANIFEST, manifest.dump())
    return root


def loss_curve(rng: random.Random, steps: int, start: float, end: float) -> list[list[float]]:
    return [[s, end + (start - end) * math.exp(-5 * s / steps) + rng.gauss(0, 0.02)] for s in range(0, steps, 2)]
