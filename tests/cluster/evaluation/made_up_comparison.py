"""Made-up searches of a comparison: trees whose spend and answers follow from strategy, setting, problem and seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cluster.evaluation.cells import Cell, Setting
from cluster.evaluation.costs import ProblemCost
from search.data import Cost, Problem, Step, StepStatus
from search.seeds import derive, tree_seed
from search.storage.tree_store import TreeWriter, read_trees, worker_file
from search.strategies.registry import entry_of
from search.tree import ROOT, Tree

if TYPE_CHECKING:
    from cluster.searches.runner import SearchPlan  # imports Ray

SAMPLE_TOKENS = 100
PROBLEMS = tuple(
    Problem(id=f"p{number}", question=f"{number} + 0?", answer=str(number), source="test") for number in range(1, 7)
)


def run_search(runner: object, plan: SearchPlan, directory: Path) -> tuple[list[Tree], float]:
    """Store the trees of a plan that are missing, without any engine; return all and two seconds."""
    directory.mkdir(parents=True, exist_ok=True)
    stored = {tree.problem.id for tree in read_trees(directory)} if any(directory.iterdir()) else set()
    with TreeWriter(worker_file(directory, 0)) as writer:
        for problem in plan.problems:
            if problem.id not in stored:
                writer.append(grow(plan, problem))
    return list(read_trees(directory)), 2.0


def grow(plan: SearchPlan, problem: Problem) -> Tree:
    """Return a tree of as many samples as the budget option says; half of them are correct, and score higher."""
    entry = entry_of(plan.config)
    count = plan.config.budget_tokens or getattr(plan.config, entry.budget_option)
    count = max(1, count // SAMPLE_TOKENS) if plan.config.budget_tokens else count
    seed = tree_seed(derive(0, *plan.seed), problem.id, 0)
    rng = random.Random(derive(seed, entry.name))
    tree = Tree(problem.without_answer(), strategy=entry.name, seed=seed)
    for number in range(count):
        is_correct = rng.random() < 0.5
        answer = str(int(problem.id[1:]) + (0 if is_correct else rng.randint(1, 2)))
        end = tree.add(ROOT, Step(f"{number}", status=StepStatus.FINAL, answer=answer))
        if plan.reward_model is not None:
            tree.nodes[end].logit = rng.gauss(0.5 if is_correct else 0.0, 1.0)
    tree.answer = tree.nodes[-1].answer if entry.chooses_answer else None
    scored = count if plan.reward_model is not None else 0
    tree.cost = Cost(
        generated_tokens=SAMPLE_TOKENS * count,
        prompt_tokens=20,
        requests=1 + bool(scored),
        reward_model_requests=int(bool(scored)),
        scored_states=scored,
        scored_tokens=SAMPLE_TOKENS * scored,
        seconds=0.5,
    )
    return tree


def cell(
    strategy: str,
    tokens: float,
    accuracies: dict[str, Sequence[float]],
    *,
    repeat: int = 0,
    budget: int | None = None,
    validation: dict[str, float] | None = None,
    option: str | None = "candidates",
) -> Cell:
    """Return a cell with this mean spend."""
    budget = budget or round(tokens)
    return Cell(
        strategy=strategy,
        budgets=(budget,),
        repeat=repeat,
        setting=Setting(
            budget=budget, option=option, value=4, spend=tokens, is_reached=True, validation=validation or {}
        ),
        cost=ProblemCost(
            tokens=tokens,
            prompt_tokens=1.0,
            scored_tokens=2.0,
            reward_model_requests=1.0,
            scored_states=4.0,
            requests=3.0,
            executions=0.0,
            policy_flops=2e9,
            reward_model_flops=1e9,
            seconds=0.25,
            latency=None if repeat else 1.5,
        ),
        accuracies={reading: tuple(values) for reading, values in accuracies.items()},
    )
