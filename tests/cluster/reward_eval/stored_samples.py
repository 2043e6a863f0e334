"""Store samples of curriculum problems, with a scripted reward model and a run that needs no Ray."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest

from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from cluster.config.run_config import RunConfig
from cluster.host.ray_session import RaySession
from cluster.run.context import Context
from cluster.run.directory import open_run
from cluster.run.progress import Progress
from search.data import Cost, Problem, State, Step, StepStatus
from search.formats.code_format import END_OF_CODE, END_OF_STEP
from search.problems.curriculum import make_problems, worked_trajectory
from search.problems.loading import ProblemSets
from search.storage import tree_store
from search.tree import ROOT, Tree
from tests.fakes.reward_model import ScriptedRewardModel

MISTAKE = " + 1" + END_OF_STEP
# A config for tests of command lines.
CONFIG = """\
name: mini
problems:
  train: {name: curriculum, split: train, count: 6, levels: [3, 4]}
  validation: {name: curriculum, split: validation, count: 5, levels: [3, 4]}
  evaluation:
    heldout: {name: curriculum, split: heldout, count: 7, levels: [3, 4]}
"""

PROBLEMS = tuple(make_problems("worked", 12, 5, (2, 3)))


def incorrect_steps(problem: Problem) -> tuple[Step, ...]:
    """Return the worked solution with a mistake in its last computation, run to its incorrect answer."""
    steps, variables, printed = list(worked_trajectory(problem).steps), dict[str, object](), io.StringIO()
    mistake_index = max(index for index, step in enumerate(steps) if "total =" in step.code)
    for index, step in enumerate(steps[:-1]):
        if index == mistake_index:
            step = replace(step, code=f"{step.code} + 1", text=step.text.replace(END_OF_STEP, MISTAKE))
        with redirect_stdout(printed):
            exec(step.code, variables)
        steps[index] = replace(step, output=printed.getvalue() if step.text.endswith(END_OF_CODE) else "")
    answer = printed.getvalue().strip()
    last = replace(steps[-1], answer=answer, text=steps[-1].text.replace(problem.answer, answer))
    return (*steps[:-1], last)


def first_incorrect_step(problem: Problem) -> int:
    return next(index for index, step in enumerate(incorrect_steps(problem)) if step.text.endswith(MISTAKE))


def sample_tree(problem: Problem, correct: int, incorrect: int, unfinished: int) -> Tree:
    """Return a tree of samples: the correct solution, an incorrect and an unfinished one, each drawn so many times."""
    tree = Tree(problem, strategy="sampling", cost=Cost(generated_tokens=100), models={"policy": "a policy"})
    unfinished_steps = (Step("\n# hm", status=StepStatus.NO_ANSWER),)
    solutions = (
        (worked_trajectory(problem).steps, correct),
        (incorrect_steps(problem), incorrect),
        (unfinished_steps, unfinished),
    )
    for steps, multiplicity in solutions:
        index = ROOT
        for step in steps if multiplicity else ():
            index = tree.add(index, step, multiplicity=multiplicity)
    return tree


def store_trees(directory: Path, trees: Sequence[Tree]) -> Path:
    with tree_store.TreeWriter(tree_store.worker_file(directory, 0), sync_every=0) as writer:
        for tree in trees:
            writer.append(tree)
    return directory


def logit_by_mistake(state: State) -> float:
    """Return the logit of a reward model that knows: 2 for a state without the mistake and -2 for one with it."""
    return -2.0 if any("+ 1<" in step.text for step in state.steps) else 2.0


def patch_reward_model(monkeypatch: pytest.MonkeyPatch, module: ModuleType) -> ScriptedRewardModel:
    """Replace the pool that ``module`` makes by a PPM that knows the mistake; return it."""
    reward_model = ScriptedRewardModel(logit_by_mistake, tokens=1)
    monkeypatch.setattr(module, "RewardModelPool", lambda *_: reward_model)
    return reward_model


@contextmanager
def context(root: Path, required_tier: Tier = Tier.NONE) -> Iterator[Context]:
    """Open a run without Ray. Programs run unconfined, each in a process with limits, unless ``require`` forbids it."""
    config = RunConfig.model_validate(
        {
            "name": "scored",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "executor": ExecutorConfig(required_tier=required_tier, max_tier=Tier.NONE, heavy_modules=()).model_dump(
                mode="json"
            ),
        }
    )
    ray = RaySession(address="", joined=False, dashboard=None, cpus=1, gpus=0)
    with open_run(root, config.resolved(), seed=0, command="test") as run, Progress(stream=io.StringIO()) as progress:
        yield Context(
            config=config,
            problems=ProblemSets(train=(), validation=(), evaluation={}),
            shots=(),
            run=run,
            session=ray,
            progress=progress,
        )
