"""``raystar select``: the solutions that a person should label next, chosen by a judge, as a labelling file.

    problems ──> samples, drawn or stored ──> a logit a step ──> 80 % convincing and wrong, 20 % convincing ──> file

The rule is train/labels/active_selection.py's, the file is train/labels/annotation_files.py's, which wants the
solutions again when labels come back: they are kept beside it.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cluster.annotation.file import solutions_file
from cluster.reward_eval import samples
from cluster.reward_eval.request import RewardEvalRequest
from cluster.reward_eval.step_scores import Scored
from cluster.run.context import Context
from cluster.searches.runner import SearchRunner
from search import serialization
from search.data import ModelRef, Trajectory
from search.evaluation.voting import aggregate
from search.grading.grader import grader
from search.seeds import derive
from search.storage.files import write_atomic
from train.labels.active_selection import ScoredSolution, choose
from train.labels.annotation_files import write_labelling


@dataclass(frozen=True, slots=True)
class Selection:
    """What to choose: ``count`` solutions of each problem as in the paper, or of all problems together."""

    count: int
    together: bool
    output: Path
    generation: int | None = None


@dataclass(frozen=True, slots=True)
class Selected:
    """What was chosen: of ``pool`` different finished solutions of ``problems`` so many, ``wrong`` of them wrong."""

    problems: int
    pool: int
    chosen: int
    wrong: int

    def told(self) -> str:
        return f"chose {self.chosen} of {self.pool} different solutions of {self.problems} problems, {self.wrong} of them wrong"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A solution that may be labelled; ``place`` counts the finished solutions of its tree."""

    problem: str
    place: int
    scored: ScoredSolution


def select(context: Context, asked: RewardEvalRequest, policy: ModelRef | None, wanted: Selection) -> Selected:
    """Samples, their scores, the choice; writes ``wanted.output``, in an order that says nothing of the solutions."""
    with SearchRunner(context) as searchers:
        samples.draw(context, searchers, asked, policy)
        scored = samples.score(context, searchers, asked)
    found = candidates(context, asked, scored)
    seed = derive(context.config.seed, "select")
    taken = chosen(found, wanted.count, wanted.together, seed)
    random.Random(seed).shuffle(taken)
    solutions = _solutions(context, asked, taken)
    write_atomic(solutions_file(wanted.output), "".join(f"{serialization.dump(solution)}\n" for solution in solutions))
    write_labelling(solutions, wanted.output, [one.scored.score for one in taken], wanted.generation)
    problems = len({one.problem for one in found})
    return Selected(problems, len(found), len(taken), sum(not one.scored.right for one in taken))


def candidates(context: Context, asked: RewardEvalRequest, scored: dict[str, Scored]) -> list[Candidate]:
    """All different finished solutions, graded and scored as a whole. Those without an answer are not asked about."""
    scale, found = context.config.evaluation.search.squash_scale, []
    for tree in asked.read(context.run):
        steps = samples.scores_of_steps(scored[tree.problem.id], asked.kind, scale)
        for place, (end, scores) in enumerate(zip(tree.terminals(), steps, strict=True)):
            right = grader().grade(tree.problem, tree.nodes[end].answer)
            solution = ScoredSolution(f"{tree.problem.id}/{place}", aggregate(scores, asked.by), right)
            found.append(Candidate(tree.problem.id, place, solution))
    return found


def chosen(found: Sequence[Candidate], count: int, together: bool, seed: int) -> list[Candidate]:
    """``count`` of each problem's solutions, or of all ``together``."""
    pools: dict[str, list[Candidate]] = {}
    for one in found:
        pools.setdefault("" if together else one.problem, []).append(one)
    return [pool[i] for pool in pools.values() for i in choose([one.scored for one in pool], count, seed)]


def _solutions(context: Context, asked: RewardEvalRequest, taken: Sequence[Candidate]) -> list[Trajectory]:
    """The chosen solutions, in the order of ``taken``."""
    right = {(one.problem, one.place): one.scored.right for one in taken}
    found: dict[tuple[str, int], Trajectory] = {}
    for tree in asked.read(context.run):
        for place, end in enumerate(tree.terminals()):
            name = (tree.problem.id, place)
            if name in right:
                found[name] = Trajectory(tree.problem, tree.steps(end), right[name], 1.0 if right[name] else -1.0)
    return [found[one.problem, one.place] for one in taken]
