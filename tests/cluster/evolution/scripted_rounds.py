"""Rounds whose searches and trainings are scripted, without Ray."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.config.run_config import RunConfig
from cluster.evolution import train_stages
from cluster.evolution.round import Round
from cluster.evolution.search_stages import judge_solutions, search, search_hinted
from cluster.host.ray_session import RaySession
from cluster.run.context import Context
from cluster.run.directory import Stage, open_run
from cluster.run.models import Models, model_ref
from cluster.run.progress import Progress
from cluster.searches.result import SearchResult, summarise_trees
from cluster.searches.runner import SearchPlan, SearchRunner
from search.data import ModelRef, Problem
from search.grading.grader import grader
from search.problems.loading import ProblemSets
from search.tree import Tree
from tests.cluster.reward_eval.stored_samples import PROBLEMS, sample_tree, store_trees
from train.config import TrainConfig
from train.data.records import read_records
from train.trainer.launch import TrainResult, TrainTask

TRAIN = PROBLEMS[:3]
BASE, POLICY = model_ref("policy", "/base", 0), model_ref("policy", "/second round", 2)
SAMPLING = {"strategy": "sampling", "candidates": 3}
DPO = {"objective": "dpo"}

Grow = Callable[[SearchPlan, Problem], Tree]


def graded(plan: SearchPlan, tree: Tree) -> Tree:
    for node in tree.nodes:
        if node.answer is not None:
            node.correct = grader().grade(tree.problem, node.answer)
            node.logit = None if plan.reward_model is None else math.atanh(0.5 if node.correct else -0.5)
    return tree


def mixed(plan: SearchPlan, problem: Problem) -> Tree:
    """Return a correct, an incorrect and an unfinished sample; of the last problem only an incorrect one."""
    return graded(plan, sample_tree(problem, int(problem.id != TRAIN[2].id), 1, int(problem.id != TRAIN[2].id)))


def all_incorrect(plan: SearchPlan, problem: Problem) -> Tree:
    return graded(plan, sample_tree(problem, 0, 1, 0))


class Script:
    """Stand-in for engines and trainers that keeps the plans and tasks it gets."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, grow: Grow) -> None:
        self.plans: list[SearchPlan] = []
        self.tasks: dict[str, TrainTask] = {}
        self.grow = grow
        monkeypatch.setattr(SearchRunner, "run", lambda _, plan, directory: self.search(plan, directory))
        monkeypatch.setattr(train_stages, "fit", self.fit)

    def search(self, plan: SearchPlan, directory: Path) -> SearchResult:
        self.plans.append(plan)
        store_trees(directory, [self.grow(plan, problem) for problem in plan.problems])
        return summarise_trees(directory, {})

    def fit(self, config: TrainConfig, task: TrainTask, progress: object) -> TrainResult:
        assert all(file.is_file() for file in task.data)
        self.tasks[task.name] = task
        return TrainResult(
            output=task.output,
            steps=1,
            epochs=1,
            final_loss=0.5,
            metrics={},
            samples=3,
            dropped={},
            tokens=100,
            train_seconds=1.0,
            seconds=1.0,
        )


@contextmanager
def running(root: Path, shots: tuple[str, ...] = (), **fields: Any) -> Iterator[Context]:
    config = RunConfig.model_validate(
        {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "search": SAMPLING, **fields}
    )
    ray = RaySession(address="", joined=False, dashboard=None, cpus=1, gpus=0)
    with open_run(root, config.resolved(), seed=0, command="test") as run, Progress(stream=io.StringIO()) as progress:
        yield Context(
            config=config,
            problems=ProblemSets(train=TRAIN, validation=(), evaluation={}),
            shots=shots,
            run=run,
            session=ray,
            progress=progress,
        )


def run_to_training(
    context: Context, number: int = 1, policy: ModelRef = BASE, reward_model: ModelRef | None = None
) -> tuple[ModelRef | None, ModelRef | None]:
    """Run the stages of a round up to training. Those after it need engines that measure."""
    settings = context.config.rounds[number - 1]
    this_round = Round(number=number, settings=settings, context=context, runner=SearchRunner(context))
    models = Models(BASE, policy, reward_model)
    search(this_round, models)
    search_hinted(this_round, models)
    judge_solutions(this_round, models)
    train_stages.harvest(this_round)
    return train_stages.train_models(this_round, models)


def facts(root: Path, stage: str) -> dict[str, Any]:
    return Stage(root / "rounds" / stage).facts()


def read(root: Path, cls: type, name: str, number: int = 1) -> list[Any]:
    return list(read_records(cls, [root / "rounds" / f"r{number}" / "harvest" / name]))
