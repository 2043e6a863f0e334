"""A search tree as a flat list of nodes that point at each other by index: picklable, storable, comparable.

Knows what a node holds and how paths are read; how a tree grows is the strategies' business.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from search.data import Cost, Problem, State, Step, StepStatus

ROOT = 0


@dataclass(slots=True)
class Node:
    """One step in the tree.

    ``score``: the process reward in [-1, 1] that the node started with, None where no reward model was asked.
    ``visits`` N counts the rollouts that passed through, ``value_sum`` the values they backed up (rStar-Math, 3.2).
    ``correct``: set on graded terminal nodes only. ``multiplicity``: how many identical candidates were merged into it.
    ``tokens`` is the length of the step as generated; ``version`` names the weights that wrote it.
    ``action``: what a strategy with several ways to draw a step did to get this one; empty where it goes on with what
    the node before began. ``instead``: the step stands in place of the one before it, which is then not part of the
    solution (rStar answers a sub-question again). ``draws``: how often candidates were drawn to continue the step.
    ``label``: the share of right, in [0, 1], that a search for labels gives the step (step_labelling.py), and ``completions`` how
    many it drew from here to find it.
    """

    parent: int
    step: Step | None
    depth: int
    children: list[int] = field(default_factory=list)
    visits: int = 0
    value_sum: float = 0.0
    score: float | None = None
    correct: bool | None = None
    draws: int = 0
    tokens: int = 0
    multiplicity: int = 1
    version: int = 0
    action: str = ""
    instead: bool = False
    label: float | None = None
    completions: int = 0

    @property
    def terminal(self) -> bool:
        return self.step is not None and self.step.terminal

    @property
    def expanded(self) -> bool:
        return self.draws > 0

    @property
    def answer(self) -> str | None:
        return self.step.answer if self.step is not None else None

    @property
    def failed(self) -> bool:
        """Whether the solution ends here without an answer."""
        step = self.step
        return step is not None and step.answer is None and step.status is not StepStatus.OPEN

    @property
    def weight(self) -> int:
        """Visits, with the prior score counted as one: what the mean value stands on."""
        return self.visits + (self.score is not None)

    @property
    def q(self) -> float:
        """Mean value Q. Without a score value_sum / visits; with one the score is the first value: score 0.5, one
        rollout of value 1 → (0.5 + 1) / 2 = 0.75. A node that nothing is known of stands at 0."""
        return (self.value_sum + (self.score or 0.0)) / self.weight if self.weight else 0.0


@dataclass(slots=True)
class Tree:
    """All nodes grown for one problem; node 0 is the question. ``answer`` is what the strategy settled on.

    ``models`` are the names of the models that grew it, ``seed`` the seed of the tree, ``failures`` counts by name.
    """

    problem: Problem
    strategy: str = ""
    seed: int = 0
    nodes: list[Node] = field(default_factory=lambda: [Node(parent=-1, step=None, depth=0)])
    answer: str | None = None
    cost: Cost = field(default_factory=Cost)
    models: dict[str, str] = field(default_factory=dict)
    failures: dict[str, int] = field(default_factory=dict)

    def add(self, parent: int, step: Step, **fields: object) -> int:
        """Append a child of ``parent``; returns its index."""
        node = Node(parent=parent, step=step, depth=self.nodes[parent].depth + 1, **fields)  # type: ignore[arg-type]
        self.nodes.append(node)
        index = len(self.nodes) - 1
        self.nodes[parent].children.append(index)
        return index

    def child(self, index: int, text: str, action: str = "") -> Node | None:
        """The child whose step was written so and drawn by that action; None where there is none."""
        for node in (self.nodes[i] for i in self.nodes[index].children):
            if node.step is not None and node.step.text == text and node.action == action:
                return node
        return None

    def alive(self, index: int) -> list[int]:
        """Children that a search may enter: those that did not fail."""
        return [child for child in self.nodes[index].children if not self.nodes[child].failed]

    def path(self, index: int) -> list[int]:
        """Indices from the first step below the root down to ``index``; empty for the root."""
        path = []
        while index != ROOT:
            path.append(index)
            index = self.nodes[index].parent
        return path[::-1]

    def solution(self, index: int) -> list[int]:
        """The path down to ``index`` without the nodes in whose place another one stands."""
        standing: list[int] = []
        for i in self.path(index):
            if self.nodes[i].instead:
                standing.pop()
            standing.append(i)
        return standing

    def steps(self, index: int) -> tuple[Step, ...]:
        return tuple(step for i in self.solution(index) if (step := self.nodes[i].step) is not None)

    def state(self, index: int) -> State:
        return State(self.problem, self.steps(index))

    def terminals(self) -> Iterator[int]:
        """Indices of the nodes that carry an answer, in the order in which they were grown."""
        for index, node in enumerate(self.nodes):
            if node.answer is not None:
                yield index

    @property
    def solved(self) -> bool:
        return any(node.correct for node in self.nodes)
