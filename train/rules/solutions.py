"""The solutions in trees, problem by problem: what all rules over samples begin with. Knows trees, no method."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from search.core.values import RIGHT, WORST
from search.data import PreferencePair, Problem, Step, Trajectory
from search.tree import Node, Tree


@dataclass(frozen=True, slots=True)
class Solution:
    """One finished solution. ``correct``: its grade, False without an answer, None where it was not graded.

    ``score``: the reward of its end, None where it was not scored.
    """

    steps: tuple[Step, ...]
    correct: bool | None = None
    score: float | None = None

    @property
    def text(self) -> str:
        return text_of(self.steps)


@dataclass(frozen=True, slots=True)
class Attempts:
    """All different solutions of a problem, in the order in which they were drawn."""

    problem: Problem
    solutions: tuple[Solution, ...]

    @property
    def right(self) -> tuple[Solution, ...]:
        return tuple(solution for solution in self.solutions if solution.correct is True)

    @property
    def wrong(self) -> tuple[Solution, ...]:
        return tuple(solution for solution in self.solutions if solution.correct is False)


def text_of(steps: Sequence[Step]) -> str:
    return "".join(step.text for step in steps)


def attempts(trees: Iterable[Tree]) -> list[Attempts]:
    """The solutions of each problem over all its trees; of equal texts the first, those without any text left out."""
    problems: dict[str, Problem] = {}
    found: dict[str, dict[str, Solution]] = {}
    for tree in trees:
        problems.setdefault(tree.problem.id, tree.problem)
        own = found.setdefault(tree.problem.id, {})
        for index, node in enumerate(tree.nodes):
            if node.terminal:
                solution = Solution(tree.steps(index), _grade(node), node.score)
                if solution.text.strip():
                    own.setdefault(solution.text, solution)
    return [Attempts(problem, tuple(found[name].values())) for name, problem in problems.items()]


def _grade(node: Node) -> bool | None:
    return False if node.failed else node.correct


def imitated(problem: Problem, solution: Solution) -> Trajectory:
    """A right solution to imitate."""
    return Trajectory(problem, solution.steps, True, RIGHT)


def preferred(problem: Problem, right: Solution, wrong: Solution) -> PreferencePair:
    """A right solution over a wrong one."""
    return PreferencePair(problem, (), right.steps, wrong.steps, RIGHT, WORST)


def sorts(every: Sequence[Attempts]) -> dict[str, int]:
    """How many problems there are, and how many of each sort; those without a graded solution are ``ungraded``."""
    right = [bool(own.right) for own in every]
    wrong = [bool(own.wrong) for own in every]
    kinds = list(zip(right, wrong, strict=True))
    return {
        "problems": len(every),
        "mixed": kinds.count((True, True)),
        "all_right": kinds.count((True, False)),
        "all_wrong": kinds.count((False, True)),
        "ungraded": kinds.count((False, False)),
    }


def no_contrast(counts: dict[str, int]) -> str:
    """Why there is no pair of a right and a wrong solution."""
    return (
        f"no problem has both a right and a wrong solution: of {counts['problems']} problems {counts['all_right']} are "
        f"all right, {counts['all_wrong']} all wrong, {counts['ungraded']} without a graded solution"
    )


def no_right(counts: dict[str, int]) -> str:
    """Why there is no solution to imitate."""
    return (
        f"no solution is right: of {counts['problems']} problems {counts['all_wrong']} are all wrong, "
        f"{counts['ungraded']} without a graded solution"
    )
