"""One solved problem of the last search, its best trajectory as text. Knows stored trees."""

from __future__ import annotations

from html import escape
from itertools import islice
from pathlib import Path

from cluster.report import markup
from cluster.report.data import RunData
from search.data import Outcome
from search.storage import tree_store
from search.tree import Tree

LOOKED_AT = 150  # trees of a search: reading all of them would take longer than the rest of the report


def section(data: RunData) -> str:
    """The example, or nothing where no stored tree is solved."""
    for record in reversed(data.rounds):
        for stage in reversed(record.stages):
            best = _best(stage.path)
            if best is not None:
                note = (
                    f"From round {record.round}: of the first {LOOKED_AT} stored trees the longest right solution with "
                    "the highest mean Q. Steps as the model wrote them, then what the code printed."
                )
                return markup.section("An example", note, _shown(*best))
    return ""


def _best(folder: Path) -> tuple[Tree, int] | None:
    """The tree and the terminal node with the most steps; of equally long ones that with the highest mean Q."""
    if not any(folder.glob(tree_store.PATTERN)):
        return None
    found: tuple[tuple[int, float], Tree, int] | None = None
    for tree in islice(tree_store.read_trees(folder), LOOKED_AT):
        for index in tree.terminals():
            if tree.nodes[index].correct:
                path = tree.path(index)
                rank = (len(path), sum(tree.nodes[i].q for i in path) / len(path))
                if found is None or rank > found[0]:
                    found = (rank, tree, index)
    return None if found is None else found[1:]


def _shown(tree: Tree, index: int) -> str:
    problem = tree.problem
    level = f", {problem.level} steps deep" if problem.level else ""
    about = (
        f"{problem.id} from {problem.source}{level}; reference answer {problem.answer}. "
        f"The tree has {len(tree.nodes) - 1} steps, {sum(1 for _ in tree.terminals())} of them with an answer, "
        f"and cost {tree.cost.generated_tokens} tokens."
    )
    parts = [f"<p><b>{escape(problem.question)}</b></p>", f'<p class="note">{escape(about)}</p>']
    for number, at in enumerate(tree.solution(index), start=1):
        node = tree.nodes[at]
        if node.step is None:
            continue
        reward_model = "" if node.score is None else f", PPM {node.score:+.2f}"
        parts.append(
            f'<div class="step"><span class="soft">Step {number}: N {node.visits}, Q {node.q:+.2f}{reward_model}</span>'
        )
        parts.append(markup.pre(node.step.text.strip()))
        if node.step.outcome is not Outcome.NOT_RUN and node.step.output.strip():
            parts.append(markup.pre(node.step.output.strip(), "out"))
        parts.append("</div>")
    return markup.card("".join(parts))
