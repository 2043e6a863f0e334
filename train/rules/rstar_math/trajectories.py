"""Choose correct solutions for the policy to imitate: the best of a problem by mean Q (rStar-Math, section 3.4).

Q of different rounds cannot be compared as it stands. A step on which every rollout succeeded has Q = 1 where values come
from graded ends, and less where a reward model's score counts as the first value: score 0.8 and four rollouts of value 1
give (0.8 + 4) / 5 = 0.96. So either one round is ranked, or Q is taken without the score: 4 / 4 = 1.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import fmean

from search.data import Trajectory
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.valued_tree import ValuedTree, is_failed_code, rank_solution


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptTrajectories:
    """Trajectories of one problem, best first, and the number of those left out: of equal text, and beyond ``top_k``."""

    best: tuple[Trajectory, ...]
    identical: int
    beyond_top_k: int


@dataclass(slots=True)
class _Candidates:
    """Correct solutions of a problem, and the round that they come from: 0 as long as there are none."""

    round_number: int = 0
    trajectories: list[Trajectory] = field(default_factory=list)


@dataclass(slots=True)
class TrajectoryChoice:
    """Collects the correct solutions of all problems, tree by tree, and chooses among them.

    ``earlier_rounds`` counts those that were dropped because a later round solved their problem too.
    """

    options: RStarMathOptions
    earlier_rounds: int = 0
    _by_problem: dict[str, _Candidates] = field(default_factory=dict)

    def add(self, problem_id: str, round_number: int, trajectories: Sequence[Trajectory]) -> None:
        """Add correct solutions that a round found. Of ``rounds: latest`` only the latest round with one keeps its own."""
        candidates = self._by_problem.setdefault(problem_id, _Candidates())
        if self.options.rounds == "latest" and trajectories and round_number != candidates.round_number:
            if round_number < candidates.round_number:
                self.earlier_rounds += len(trajectories)
                return
            self.earlier_rounds += len(candidates.trajectories)
            candidates.trajectories = []
            candidates.round_number = round_number
        candidates.trajectories.extend(trajectories)

    @property
    def problems(self) -> int:
        """Number of problems that have a tree."""
        return len(self._by_problem)

    def best(self) -> Iterator[KeptTrajectories]:
        """Yield the trajectories of each problem."""
        for candidates in self._by_problem.values():
            unique = deduplicate(candidates.trajectories, self.options)
            best = unique[: self.options.top_k]
            yield KeptTrajectories(
                best=tuple(best),
                identical=len(candidates.trajectories) - len(unique),
                beyond_top_k=len(unique) - len(best),
            )


def trajectories(valued: ValuedTree) -> list[Trajectory]:
    """Return every correct solution of a tree with its mean Q, in the order of their growth."""
    tree = valued.tree
    correct = {end: valued.solution_values(end) for end in tree.terminals() if tree.nodes[end].correct}
    return [
        Trajectory(tree.problem, tree.steps(end), correct=True, q=fmean(values), values=values)
        for end, values in correct.items()
    ]


def has_code_error(trajectory: Trajectory) -> bool:
    """Return True if the code of any step did not run to its end."""
    return any(map(is_failed_code, trajectory.steps))


def deduplicate(candidates: Sequence[Trajectory], options: RStarMathOptions) -> list[Trajectory]:
    """Return one trajectory of each text, best first; equal rank keeps the order of ``candidates``."""
    unique: dict[tuple[str, ...], Trajectory] = {}
    for trajectory in sorted(candidates, key=lambda t: rank_solution(t.values, options), reverse=True):
        unique.setdefault(tuple(step.text for step in trajectory.steps), trajectory)
    return list(unique.values())
