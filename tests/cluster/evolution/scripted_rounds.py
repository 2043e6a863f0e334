"""Rounds whose searches and trainings are scripted: no Ray, no engine."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from cluster.config.run_config import RunConfig
from cluster.evolution import round as rounds
from cluster.evolution.round import Round
from cluster.host.ray_session import Session
from cluster.run.context import Context
from cluster.run.directory import open_run
from cluster.run.models import Models, model_ref
from cluster.run.progress import Progress
from cluster.searches.runner import SearchPlan, SearchReport, SearchRunner, report
from search.data import ModelRef, Problem
from search.grading.grader import grader
from search.problems.loading import ProblemSets
from search.tree import Tree
from tests.cluster.reward_eval.judged_samples import PROBLEMS, store_trees, tree
from train.config import TrainConfig
from train.data.loading import read_records
from train.trainer.launch import TrainResult, TrainTask

TRAIN = PROBLEMS[:3]
BASE, POLICY = model_ref("policy", "/base", 0), model_ref("policy", "/second round", 2)
SAMPLES = {"strategy": "samples", "candidates": 3}
DPO = {"objective": "dpo"}

Grow = Callable[[SearchPlan, Problem], Tree]


def graded(plan: SearchPlan, grown: Tree) -> Tree:
    for node in grown.nodes:
        if node.answer is not None:
            node.correct = grader().grade(grown.problem, node.answer)
            node.score = None if plan.reward_model is None else 0.5 if node.correct else -0.5
    return grown


def mixed(plan: SearchPlan, problem: Problem) -> Tree:
    """A right, a wrong and an unfinished sample; of the last problem only a wrong one."""
    return graded(plan, tree(problem, int(problem.id != TRAIN[2].id), 1, int(problem.id != TRAIN[2].id)))


def all_wrong(plan: SearchPlan, problem: Problem) -> Tree:
    return graded(plan, tree(problem, 0, 1, 0))


class Script:
    """Stands in for engines and trainers, and keeps what it was asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, grow: Grow) -> None:
        self.plans: list[SearchPlan] = []
        self.tasks: dict[str, TrainTask] = {}
        self.grow = grow
        monkeypatch.setattr(SearchRunner, "run", lambda _, plan, directory: self.search(plan, directory))
        monkeypatch.setattr(rounds, "fit", self.fit)

    def search(self, plan: SearchPlan, directory: Path) -> SearchReport:
        self.plans.append(plan)
        store_trees(directory, [self.grow(plan, problem) for problem in plan.problems])
        return report(directory, {})

    def fit(self, config: TrainConfig, task: TrainTask, progress: object) -> TrainResult:
        assert all(file.is_file() for file in task.data)
        self.tasks[task.name] = task
        return TrainResult(task.output, 1, 1, 0.5, {}, 3, {}, 100, 1.0, 1.0)


@contextmanager
def running(root: Path, **fields: Any) -> Iterator[Context]:
    config = RunConfig.model_validate(
        {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "search": SAMPLES, **fields}
    )
    ray = Session("", False, None, 1, 0)
    with open_run(root, config.resolved(), seed=0, command="test") as run, Progress(stream=io.StringIO()) as progress:
        yield Context(config, ProblemSets(TRAIN, (), {}), (), run, ray, progress)


def play(
    context: Context, number: int = 1, policy: ModelRef = BASE, reward_model: ModelRef | None = None
) -> tuple[ModelRef | None, ModelRef | None]:
    """Search, harvest and training of a round; what follows needs engines that measure."""
    one = Round(number, context.config.rounds[number - 1], context, SearchRunner(context))
    models = Models(BASE, policy, reward_model)
    one.search(models)
    one.search_hinted(models)
    one.mark(models)
    one.harvest()
    return one.learn(models)


def facts(root: Path, stage: str) -> dict[str, Any]:
    return json.loads((root / "rounds" / stage / "done.json").read_text())  # type: ignore[no-any-return]


def read(root: Path, cls: type, name: str, number: int = 1) -> list[Any]:
    return list(read_records(cls, [root / "rounds" / f"r{number}" / "harvest" / name]))
