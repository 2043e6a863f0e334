"""Stored samples of curriculum problems, a reward model that knows which are wrong, and a run that needs no Ray."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path

from actors.sandbox.config import ExecutorConfig
from actors.sandbox.limits import Tier
from cluster.config.run_config import RunConfig
from cluster.host.ray_session import Session
from cluster.run.context import Context
from cluster.run.directory import open_run
from cluster.run.progress import Progress
from search.data import Cost, Problem, Scores, State, Step, StepStatus
from search.formats.registry import END_OF_CODE, END_OF_STEP
from search.problems.curriculum import problems, worked
from search.problems.loading import ProblemSets
from search.storage import tree_store
from search.tree import ROOT, Tree

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

PROBLEMS = tuple(problems("worked", 12, 5, (2, 3)))


def wrong(problem: Problem) -> tuple[Step, ...]:
    """The worked solution with a mistake in its last computation, run to its wrong answer."""
    steps, variables, printed = list(worked(problem).steps), dict[str, object](), io.StringIO()
    slip = max(index for index, step in enumerate(steps) if "total =" in step.code)
    for index, step in enumerate(steps[:-1]):
        if index == slip:
            step = replace(step, code=f"{step.code} + 1", text=step.text.replace(END_OF_STEP, MISTAKE))
        with redirect_stdout(printed):
            exec(step.code, variables)
        steps[index] = replace(step, output=printed.getvalue() if step.text.endswith(END_OF_CODE) else "")
    answer = printed.getvalue().strip()
    last = replace(steps[-1], answer=answer, text=steps[-1].text.replace(problem.answer, answer))
    return (*steps[:-1], last)


def first_mistake(problem: Problem) -> int:
    return next(index for index, step in enumerate(wrong(problem)) if step.text.endswith(MISTAKE))


def tree(problem: Problem, right: int, wrongs: int, unfinished: int) -> Tree:
    """A tree of samples: so many times the right solution, the wrong one, and one without an end."""
    grown = Tree(problem, strategy="samples", cost=Cost(generated_tokens=100), models={"policy": "a policy"})
    without = (Step("\n# hm", status=StepStatus.NO_ANSWER),)
    for steps, many in ((worked(problem).steps, right), (wrong(problem), wrongs), (without, unfinished)):
        at = ROOT
        for step in steps if many else ():
            at = grown.add(at, step, multiplicity=many)
    return grown


def store_trees(directory: Path, trees: Sequence[Tree]) -> Path:
    with tree_store.TreeWriter(tree_store.worker_file(directory, 0), sync_every=0) as writer:
        for one in trees:
            writer.append(one)
    return directory


class KnowingRewardModel:
    """A PPM's logit: 2 for a state without a mistake, -2 for one with; counts what it was asked."""

    asked = 0

    def __init__(self, *_: object) -> None:
        pass

    async def score(self, states: Sequence[State]) -> Scores:
        KnowingRewardModel.asked += 1
        found = (-2.0 if any("+ 1<" in step.text for step in state.steps) else 2.0 for state in states)
        return Scores(tuple(found), prompt_tokens=len(states))


@contextmanager
def context(root: Path, require: Tier = Tier.NONE) -> Iterator[Context]:
    """A run without Ray; programs run in processes of their own with limits, nothing more, if that is enough."""
    config = RunConfig.model_validate(
        {
            "name": "judged",
            "problems": {"train": {"name": "curriculum", "count": 2}},
            "executor": ExecutorConfig(require=require, at_most=Tier.NONE, heavy=()).model_dump(mode="json"),
        }
    )
    ray = Session("", False, None, 1, 0)
    with open_run(root, config.resolved(), seed=0, command="test") as run, Progress(stream=io.StringIO()) as progress:
        yield Context(config, ProblemSets((), (), {}), (), run, ray, progress)
