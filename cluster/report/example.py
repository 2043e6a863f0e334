"""Show one solved problem of the last search with the steps of its best trajectory."""

from __future__ import annotations

from html import escape
from itertools import islice
from pathlib import Path

from cluster.report import markup
from cluster.report.data import RunData
from search.storage import tree_store
from search.tree import Tree

MAX_TREES = 150  # trees read: reading all of a search would take longer than the rest of the report


def section(data: RunData) -> str:
    """Return the example; empty if no stored tree has a correct solution."""
    for record in reversed(data.rounds):
        for stage in reversed(record.stages):
            best = _best_solution(stage.path)
            if best is not None:
                note = (
                    f"From round {record.round}: the longest correct solution of the first {MAX_TREES} stored trees; of "
                    "equally long ones that with the highest mean Q. Each step as generated, then the output of its code."
                )
                return markup.section("An example", note, _render(*best))
    return ""


def _best_solution(folder: Path) -> tuple[Tree, int] | None:
    """Return the tree and the correct terminal node with the most steps, of equal ones that with the highest mean Q."""
    if not any(folder.glob(tree_store.PATTERN)):
        return None
    best: tuple[tuple[int, float], Tree, int] | None = None
    for tree in islice(tree_store.read_trees(folder), MAX_TREES):
        for index in tree.terminals():
            if tree.nodes[index].correct:
                path = tree.path(index)
                rank = (len(path), sum(tree.nodes[i].q for i in path) / len(path))
                if best is None or rank > best[0]:
                    best = (rank, tree, index)
    return None if best is None else best[1:]


def _render(tree: Tree, index: int) -> str:
    """Return a card with the problem and the steps to the terminal node ``index``."""
    problem = tree.problem
    level = f", {problem.level} steps deep" if problem.level else ""
    about = (
        f"{problem.id} from {problem.source}{level}; reference answer {problem.answer}. "
        f"The tree has {len(tree.nodes) - 1} steps, {sum(1 for _ in tree.terminals())} of them with an answer, "
        f"and cost {tree.cost.generated_tokens} tokens."
    )
    parts = [f"<p><b>{escape(problem.question)}</b></p>", f'<p class="note">{escape(about)}</p>']
    for number, node_index in enumerate(tree.solution(index), start=1):
        node = tree.nodes[node_index]
        if node.step is None:
            continue
        score = "" if node.score is None else f", reward model {node.score:+.2f} (logit {node.logit:+.2f})"
        parts.append(
            f'<div class="step"><span class="soft">Step {number}: N {node.visits}, Q {node.q:+.2f}{score}</span>'
        )
        parts.append(markup.pre(node.step.text.strip()))
        if node.step.output.strip():
            parts.append(markup.pre(node.step.output.strip(), "out"))
        parts.append("</div>")
    return markup.card("".join(parts))
