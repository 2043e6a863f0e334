"""Collect the different solutions of each problem from its trees. All rules over samples begin with it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from search.core.values import BEST, WORST
from search.data import PreferencePair, Problem, Step, Trajectory
from search.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Solution:
    """One finished solution.

    ``correct``: its grade, False without an answer, None if it was not graded. ``score``: the reward of its last step in
    [-1, 1], ``logit``: the logit behind it, which ranks solutions; both None if it was not scored.
    """

    steps: tuple[Step, ...]
    correct: bool | None = None
    score: float | None = None
    logit: float | None = None

    @property
    def text(self) -> str:
        return join_texts(self.steps)


@dataclass(frozen=True, slots=True)
class ProblemSolutions:
    """All different solutions of a problem, in the order in which they were drawn."""

    problem: Problem
    solutions: tuple[Solution, ...]

    @property
    def correct(self) -> tuple[Solution, ...]:
        return tuple(solution for solution in self.solutions if solution.correct is True)

    @property
    def incorrect(self) -> tuple[Solution, ...]:
        return tuple(solution for solution in self.solutions if solution.correct is False)


def join_texts(steps: Sequence[Step]) -> str:
    return "".join(step.text for step in steps)


def collect_solutions(trees: Iterable[Tree]) -> list[ProblemSolutions]:
    """Return the solutions of each problem over all its trees: the first of equal texts, and none without any text."""
    problems: dict[str, Problem] = {}
    by_text: dict[str, dict[str, Solution]] = {}
    for tree in trees:
        problems.setdefault(tree.problem.id, tree.problem)
        solutions = by_text.setdefault(tree.problem.id, {})
        for index, node in enumerate(tree.nodes):
            if node.is_terminal:
                solution = Solution(tree.steps(index), _grade(node), node.score, node.logit)
                if solution.text.strip():
                    solutions.setdefault(solution.text, solution)
    return [ProblemSolutions(problem, tuple(by_text[name].values())) for name, problem in problems.items()]


def _grade(node: Node) -> bool | None:
    return False if node.is_failed else node.correct


def to_trajectory(problem: Problem, solution: Solution) -> Trajectory:
    """Return a correct solution as a trajectory to imitate."""
    return Trajectory(problem, solution.steps, correct=True, q=BEST)


def to_pair(problem: Problem, chosen: Solution, rejected: Solution) -> PreferencePair:
    """Return a pair whose chosen solution has the value 1 and whose rejected one has -1."""
    return PreferencePair(
        problem=problem,
        prefix=(),
        chosen=chosen.steps,
        rejected=rejected.steps,
        chosen_q=BEST,
        rejected_q=WORST,
    )


def count_problems(collected: Sequence[ProblemSolutions]) -> dict[str, int]:
    """Count the problems by the grades of their solutions; those without a graded solution are ``ungraded``."""
    grades = [(bool(solutions.correct), bool(solutions.incorrect)) for solutions in collected]
    return {
        "problems": len(collected),
        "mixed": grades.count((True, True)),
        "all_correct": grades.count((True, False)),
        "all_incorrect": grades.count((False, True)),
        "ungraded": grades.count((False, False)),
    }


def why_no_pair(counts: Mapping[str, int]) -> str:
    """Return the reason why there is no pair of a correct and an incorrect solution."""
    return (
        f"no problem has both a correct and an incorrect solution: of {counts['problems']} problems "
        f"{counts['all_correct']} are all correct, {counts['all_incorrect']} all incorrect, {counts['ungraded']} without a "
        "graded solution"
    )


def why_no_trajectory(counts: Mapping[str, int]) -> str:
    """Return the reason why there is no solution to imitate."""
    return (
        f"no solution is correct: of {counts['problems']} problems {counts['all_incorrect']} are all incorrect, "
        f"{counts['ungraded']} without a graded solution"
    )
