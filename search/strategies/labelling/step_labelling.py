"""Independent solutions, each step labelled by completions from it: Math-Shepherd's data and OmegaPRM's, one tree a problem.

The strategies "every_step" and "first_error". Solutions are drawn, graded and scored as "samples" does it; the labels stand
in the nodes, and train.labels.tree_labels reads them there. How a step is looked at is monte_carlo_labels.py's business.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from time import monotonic
from typing import Any

from search.concurrency import gather_or_cancel
from search.config import SearchConfig
from search.core.stopping import add_elapsed
from search.data import LabelledSolution, LabelScale, Problem, State
from search.evaluation.voting import Aggregation
from search.protocols import SearchServices
from search.seeds import derive
from search.strategies.labelling.monte_carlo_labels import (
    PrefixCompletions,
    Texts,
    find_first_error,
    label_every_step,
    texts,
)
from search.strategies.sampling.sampling import draw_solutions, score_solutions
from search.tree import Tree

Look = Callable[[State, PrefixCompletions], Coroutine[Any, Any, LabelledSolution]]


@dataclass(frozen=True, slots=True)
class StepLabelling:
    """Draws ``config.solutions`` solutions of a problem and labels every finished one by ``look``.

    ``config.candidates`` is the number k of completions a prefix. All steps are scored where there is a reward model, for those
    who set its opinion beside the labels. Raises ValueError without a grader.
    """

    config: SearchConfig
    look: Look

    async def search(self, problem: Problem, tools: SearchServices, seed: int) -> Tree:
        tree, began = Tree(problem, strategy=self.config.strategy, seed=seed), monotonic()
        drawing = self.config.model_copy(update={"candidates": self.config.solutions})
        ends = [end for end in await draw_solutions(tree, drawing, tools) if tree.nodes[end].answer is not None]
        await score_solutions(tree, ends, Aggregation.PRODUCT, self.config.squash_scale, tools)
        prefixes = PrefixCompletions(self.config, tools, derive(seed, "labels"))
        labelled = await gather_or_cancel(self.look(tree.state(end), prefixes) for end in ends)
        for end, one in zip(ends, labelled, strict=True):
            write(tree, end, one)
        _account(tree, prefixes)
        return add_elapsed(tree, began)


def every_step(config: SearchConfig) -> StepLabelling:
    """Soft labels: of every step the share of its completions that end right (Math-Shepherd, arXiv 2312.08935)."""
    return StepLabelling(config, label_every_step)


def first_error(config: SearchConfig) -> StepLabelling:
    """The first error of each solution by binary search (OmegaPRM, arXiv 2406.06592); steps before it count as right."""
    return StepLabelling(config, find_first_error)


def write(tree: Tree, end: int, found: LabelledSolution) -> None:
    """Put the labels of a solution into its nodes, as shares of right: a step that is called right or wrong has 1 or 0."""
    record = found.record
    signs = record.scale is LabelScale.SIGN
    for index, label in zip(tree.path(end), record.labels, strict=False):
        tree.nodes[index].label = float(label == 1) if signs and label is not None else label


def _account(tree: Tree, prefixes: PrefixCompletions) -> None:
    """What the completions cost; the number of them goes to the first node that ends a prefix."""
    found = prefixes.found()
    tree.cost = sum((replace(one.cost, seconds=0.0) for one in found.values()), tree.cost)  # they ran side by side
    first: dict[Texts, int] = {}
    for index in range(1, len(tree.nodes)):
        first.setdefault(texts(tree.steps(index)), index)
    for key, one in found.items():
        tree.nodes[first[key]].completions = one.drawn
