"""Draw independent solutions and label each of their steps by completions from it: one tree a problem.

What the strategies "math_shepherd" and "first_error_search" share. Solutions are drawn, graded and scored as "sampling"
does; the labels are kept in the nodes, and train/labels/tree_labels.py reads them there. monte_carlo_labels.py estimates
one step. Its completions stay in the tree as further graded solutions, each below the step that it continues.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from time import monotonic
from typing import Any

from pydantic import Field

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.stopping import add_elapsed
from search.data import Aggregation, LabelledSolution, LabelScale, Problem, State
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.entry import Bound
from search.strategies.labelling.monte_carlo_labels import (
    PrefixCompletions,
    StepTexts,
    attach_completions,
    step_texts,
)
from search.strategies.sampling.solutions import draw_solutions, longest_solution, score_solutions
from search.tree import Tree

LabelFn = Callable[[State, PrefixCompletions], Coroutine[Any, Any, LabelledSolution]]


class LabellingConfig(SearchConfig):
    """Options of a search for step labels."""

    solutions: int = Field(4, ge=1, description="solutions drawn, whose steps are labelled")
    candidates: int = Field(4, ge=1, description="k, completions drawn of a prefix (papers: 8)")

    def bound(self, prefixes: int) -> Bound:
        """Return upper bounds where at most ``prefixes`` prefixes of each solution are completed.

        The solutions are drawn by one request, and so are the completions of a prefix; each of all these may take a
        request for its answer.
        """
        completions = self.solutions * prefixes * self.candidates
        requests = 1 + self.solutions + self.solutions * prefixes + completions
        return Bound(requests, (self.solutions + completions) * longest_solution(self))

    def describe(self, prefixes: int) -> str:
        """Return the settings in a few words."""
        return f"{self.solutions} solutions, {self.candidates} completions of up to {prefixes} prefixes each"


def halvings(steps: int) -> int:
    """Return the most prefixes that a binary search estimates in so many steps, ceil(log2(steps)): 4 in 9 to 16 steps.

    Prose is written to its end at any depth, so a plan for ``max_depth`` steps can be exceeded by it.
    """
    return (steps - 1).bit_length()


@dataclass(frozen=True, slots=True)
class StepLabelling:
    """Draws ``config.solutions`` solutions of a problem and labels every finished one by ``label``.

    All their steps are scored where there is a reward model, so that its opinion stands beside the labels; those of
    completions are not.
    """

    config: LabellingConfig
    label: LabelFn

    async def search(self, problem: Problem, services: SearchServices, seed: int) -> Tree:
        """Draw, grade, score and label. Raises ValueError without a grader, and whatever the services raise."""
        config = self.config
        tree, started = Tree(problem, strategy=config.strategy, seed=seed), monotonic()
        drawn = await draw_solutions(tree, config, config.solutions, services)
        ends = [end for end in drawn if tree.nodes[end].answer is not None]
        await score_solutions(tree, ends, Aggregation.PRODUCT, config.squash_scale, services)
        completions = PrefixCompletions(config, config.candidates, services, derive(seed, "labels"))
        labelled = await gather_or_cancel(self.label(tree.state(end), completions) for end in ends)
        for end, solution in zip(ends, labelled, strict=True):
            write_labels(tree, end, solution)
        _attach(tree, completions)
        return add_elapsed(tree, started)


def write_labels(tree: Tree, end: int, solution: LabelledSolution) -> None:
    """Put the labels of a solution into its nodes as shares of correct completions: a sign becomes 1 or 0."""
    record = solution.record
    is_sign = record.scale is LabelScale.SIGN
    for index, label in zip(tree.path(end), record.labels, strict=False):
        tree.nodes[index].label = float(label == 1) if is_sign and label is not None else label


def _attach(tree: Tree, completions: PrefixCompletions) -> None:
    """Add all completions to the first node that ends each prefix, in the order of these nodes."""
    first: dict[StepTexts, int] = {}
    for index in range(1, len(tree.nodes)):
        first.setdefault(step_texts(tree.steps(index)), index)
    results = completions.results()
    for prefix in sorted(results, key=first.__getitem__):
        attach_completions(tree, first[prefix], results[prefix])
