"""A search tree as a flat list of nodes that refer to each other by index: picklable, storable, comparable."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import KW_ONLY, dataclass, field
from operator import not_
from typing import Annotated

from pydantic import Field

from search.data import Cost, Problem, State, Step, StepStatus
from search.reward_models.kinds import RewardModelKind
from search.reward_models.log_odds import squash, value_log_odds

ROOT = 0

TreeKey = tuple[str, int]  # what a tree is of: its problem's id, its number


@dataclass(slots=True)
class Node:
    """One step of a search tree, with its statistics.

    ``children`` are indices into ``Tree.nodes``. ``visits`` is N, the number of rollouts that passed through the node;
    ``value_sum`` is the sum of the values that they backed up (rStar-Math, section 3.2). ``logit`` is the reward model's
    output, None if none was asked, and ``squash_scale`` the scale that makes it a value (``score``). ``correct`` is the
    grade of a graded terminal node. ``draws`` counts the requests for candidates that continue the step. ``tokens`` is
    the generated length of the step, ``multiplicity`` how many identical candidates were merged into it, ``version`` the
    version of the policy that wrote it.

    ``action`` names how the step was drawn, in strategies that have several ways. ``replaces_parent``: the step stands
    in place of its parent, which is then not part of the solution (rStar answers a sub-question again). ``label`` is the
    share in [0, 1] of completions from here that end correct, ``completions`` how many were drawn to find it
    (step_labelling.py). ``votes`` is how many draws a step of rStar is the majority of, of which ``multiplicity`` gave its
    answer; 0 for a step without votes.
    """

    parent: int
    step: Step | None
    depth: int
    _: KW_ONLY
    children: list[int] = field(default_factory=list)
    visits: int = 0
    value_sum: float = 0.0
    logit: float | None = None
    squash_scale: float = 1.0
    correct: bool | None = None
    draws: int = 0
    tokens: int = 0
    multiplicity: int = 1
    version: int = 0
    action: str = ""
    replaces_parent: bool = False
    label: float | None = None
    completions: int = 0
    votes: Annotated[int, Field(exclude_if=not_)] = 0

    @property
    def is_terminal(self) -> bool:
        return self.step is not None and self.step.is_terminal

    @property
    def is_expanded(self) -> bool:
        return self.draws > 0

    @property
    def answer(self) -> str | None:
        return self.step.answer if self.step is not None else None

    @property
    def is_failed(self) -> bool:
        """True if the solution ends here without an answer."""
        step = self.step
        return step is not None and step.answer is None and step.status is not StepStatus.OPEN

    @property
    def score(self) -> float | None:
        """The reward model's value tanh(logit / squash_scale) in [-1, 1]; 1.0 from about 19 scales on."""
        return None if self.logit is None else squash(self.logit, self.squash_scale)

    @property
    def log_odds(self) -> float | None:
        """The log-odds of (1 + score) / 2, which stay distinct where scores do not: solutions are ranked by them."""
        return None if self.logit is None else value_log_odds(self.logit, self.squash_scale)

    @property
    def weight(self) -> int:
        """Number of values behind the mean: visits, plus one for a score."""
        return self.visits + (self.logit is not None)

    @property
    def q(self) -> float:
        """Mean value Q = (score + value_sum) / weight: a score counts as the first value. 0 without any value.

        Score 0.5 and one rollout of value 1: (0.5 + 1) / 2 = 0.75.
        """
        if self.logit is None:
            return self.value_sum / self.visits if self.visits else 0.0
        return (self.value_sum + squash(self.logit, self.squash_scale)) / (self.visits + 1)


@dataclass(slots=True)
class Tree:
    """A search tree of one problem; node 0 is the question.

    ``number`` counts the trees that one search grows for the problem, from 0; a stored tree without it is number 0.
    ``answer`` is the strategy's final answer, ``tied_answers`` the number of other answers that were as good as it by the
    rule that chose it: their order decided. ``models`` has the models that grew the tree, by role, and ``reward_kind`` is
    the kind of the reward model, None if there was none or it names none. ``failures`` counts failed steps and requests
    by reason.
    """

    # The number comes first, so that the beginning of a stored line names the tree (search/storage/tree_store.py).
    number: Annotated[int, Field(ge=0, exclude_if=not_)] = field(default=0, kw_only=True)
    problem: Problem
    _: KW_ONLY
    strategy: str = ""
    seed: int = 0
    nodes: list[Node] = field(default_factory=lambda: [Node(parent=-1, step=None, depth=0)])
    answer: str | None = None
    tied_answers: int = 0
    cost: Cost = field(default_factory=Cost)
    models: dict[str, str] = field(default_factory=dict)
    reward_kind: RewardModelKind | None = None
    failures: dict[str, int] = field(default_factory=dict)

    @property
    def key(self) -> TreeKey:
        """The problem's id and the tree's number: no two trees of a search share them."""
        return self.problem.id, self.number

    @property
    def name(self) -> str:
        """The name of the tree beside others of its problem; of the first the problem's id."""
        return tree_name(*self.key)

    def add(self, parent: int, step: Step, **fields: object) -> int:
        """Append a child of ``parent`` and return its index. ``fields`` are those of Node."""
        node = Node(parent=parent, step=step, depth=self.nodes[parent].depth + 1, **fields)  # type: ignore[arg-type]
        self.nodes.append(node)
        index = len(self.nodes) - 1
        self.nodes[parent].children.append(index)
        return index

    def find_child(self, index: int, text: str, action: str = "") -> Node | None:
        """Return the child of node ``index`` with this step text and action, or None."""
        for node in (self.nodes[i] for i in self.nodes[index].children):
            if node.step is not None and node.step.text == text and node.action == action:
                return node
        return None

    def live_children(self, index: int) -> list[int]:
        """Return the children that a search may enter: those that have not failed."""
        return [child for child in self.nodes[index].children if not self.nodes[child].is_failed]

    def path(self, index: int) -> list[int]:
        """Return the indices from the first step below the root down to ``index``; empty for the root."""
        path = []
        while index != ROOT:
            path.append(index)
            index = self.nodes[index].parent
        return path[::-1]

    def solution(self, index: int) -> list[int]:
        """Return the path down to ``index`` without the nodes that their child replaces."""
        indices: list[int] = []
        for i in self.path(index):
            if self.nodes[i].replaces_parent:
                indices.pop()
            indices.append(i)
        return indices

    def steps(self, index: int) -> tuple[Step, ...]:
        """Return the steps of the solution that ends at ``index``."""
        return tuple(step for i in self.solution(index) if (step := self.nodes[i].step) is not None)

    def state(self, index: int) -> State:
        """Return the problem with the steps down to ``index``."""
        return State(self.problem, self.steps(index))

    def terminals(self) -> Iterator[int]:
        """Yield the indices of the nodes that carry an answer, in the order of their creation."""
        for index, node in enumerate(self.nodes):
            if node.answer is not None:
                yield index

    @property
    def is_solved(self) -> bool:
        """True if a solution of the tree was graded correct."""
        return any(node.correct for node in self.nodes)


def tree_name(problem_id: str, number: int) -> str:
    """Return "p7" for the first tree of problem p7, "p7, tree 2" for its tree number 2."""
    return f"{problem_id}, tree {number}" if number else problem_id
