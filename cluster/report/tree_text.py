"""Draw a search tree as lines of text for a terminal: visits, value and score of each step, then the step itself.

    visits  value  score
         8  +0.50         question
         7  +0.71  +0.31  ├ eggs = 3 * 4
         6  +1.00  +0.80  │ ├ print(eggs - 5)
         6  +1.00         │ │ The answer is 7. → 7, correct
         1  -1.00         │ └ The answer is 17. → 17, incorrect
         1  -1.00         └ eggs = 3 * four ✗ code raised an exception

A step that is the only continuation of the one before stands below it, not to the right of it, so long chains stay
narrow. Text of models is cut to one line; its control characters are removed, because a terminal would obey them.
"""

from __future__ import annotations

import textwrap
import unicodedata
from collections.abc import Collection, Iterator

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from cluster.report.failures import describe_failure
from search.data import StepStatus
from search.formats.code_format import CODE_TAGS
from search.protocols import FURTHER_POLICY
from search.tree import ROOT, Node, Tree

MIN_TEXT = 12  # columns left for a step, however deep it stands
NARROWEST = 54  # columns beside the guides: numbers, step and what follows it; deeper guides lose their left part
MAX_SUFFIX = 40  # columns of an answer and its grade
QUESTION_LINES = 3
SIBLINGS = 2  # beside each step of the drawn path of a small tree
UNPRINTABLE = {
    "Cc",
    "Cf",
    "Co",
    "Cs",
    "Cn",
    "Zl",
    "Zp",
}  # categories of Unicode: control, format, private, unassigned …
PLAIN_SIGNS = str.maketrans({"├": "|", "└": "`", "│": "|", "→": "->", "✗": "!", "×": "x", "…": "..."})


def printable(text: str) -> str:
    """Return ``text`` on one line, runs of white space as one space, without characters that a terminal would obey."""
    spaced = " ".join(text.split())
    return "".join(character for character in spaced if unicodedata.category(character) not in UNPRINTABLE)


def shorten(text: str, columns: int) -> str:
    """Return ``text`` cut to so many columns, with an ellipsis where something was cut."""
    return text if cell_len(text) <= columns else f"{set_cell_size(text, max(0, columns - 1)).rstrip()}…"


def encodable(text: Text, encoding: str) -> Text:
    """Return ``text`` with what the terminal's encoding lacks written as escapes or in plain signs."""
    if encoding.lower().replace("-", "") in ("utf8", "utf16", "utf32"):
        return text
    copy = text.copy()
    copy.plain = text.plain.translate(PLAIN_SIGNS).encode(encoding, "backslashreplace").decode(encoding)
    return copy


def draw_tree(tree: Tree, width: int = 80, nodes: Collection[int] | None = None) -> Iterator[Text]:
    """Yield the lines of a tree: the problem, the facts, and a line for each step of ``nodes`` (default: all)."""
    yield from _head(tree, width)
    scored = any(node.logit is not None for node in tree.nodes)
    yield Text("visits  value  score" if scored else "visits  value", style="dim")
    visible = set(range(len(tree.nodes))) if nodes is None else {ROOT, *nodes}
    pending: list[tuple[int, str, str]] = [(ROOT, "", "")]  # node, its branch sign, the guide of what is below it
    while pending:
        index, branch, guide = pending.pop()
        yield _line(tree, index, branch, scored, width)
        children = tree.nodes[index].children
        drawn = [child for child in children if child in visible]
        hidden = sum(_size(tree, child) for child in children if child not in visible)
        if hidden:
            yield _hidden_line(hidden, guide, scored, more_follow=bool(drawn))
        if len(drawn) == 1 and not hidden:
            pending.append((drawn[0], guide, guide))
            continue
        for position, child in reversed(list(enumerate(drawn))):
            is_last = position == len(drawn) - 1
            pending.append((child, guide + ("└ " if is_last else "├ "), guide + ("  " if is_last else "│ ")))


def best_end(tree: Tree) -> int:
    """Return the node that a small drawing leads to: a correct solution, else that of the tree's answer, else the deepest."""

    def rank(index: int) -> tuple[bool, bool, float, int]:
        node = tree.nodes[index]
        is_answer = tree.answer is not None and node.answer == tree.answer
        return node.correct is True, is_answer, node.log_odds or 0.0, node.visits

    ends = list(tree.terminals())
    if ends:
        return max(ends, key=rank)
    return max(range(len(tree.nodes)), key=lambda index: (tree.nodes[index].depth, -index))


def small_tree(tree: Tree) -> set[int]:
    """Return the nodes of a small drawing: the path to ``best_end``, and beside each step its most visited siblings."""
    path = [ROOT, *tree.path(best_end(tree))]
    nodes = set(path)
    for index in path:
        others = [child for child in tree.nodes[index].children if child not in nodes]
        others.sort(key=lambda child: (-tree.nodes[child].visits, tree.nodes[child].is_failed, child))
        nodes.update(others[:SIBLINGS])
    return nodes


def describe_answer(tree: Tree) -> str:
    """Return the tree's answer and whether it, or another one that was found, is correct."""
    if not any(node.correct is not None for node in tree.nodes):
        return f"answer {shorten(printable(tree.answer), MAX_SUFFIX)}" if tree.answer is not None else "no answer"
    if not tree.is_solved:
        return "not solved"
    correct = any(node.correct and node.answer == tree.answer for node in tree.nodes)
    return "solved" if correct or tree.answer is None else "solved, another answer chosen"


def _head(tree: Tree, width: int) -> Iterator[Text]:
    problem = tree.problem
    question = f"{printable(tree.name)}: {printable(problem.question)}"
    for row in textwrap.wrap(shorten(question, QUESTION_LINES * (width - 10)), width):
        yield Text(row, style="bold")
    facts = [describe_answer(tree)]
    if problem.answer:
        facts.append(f"reference {shorten(printable(problem.answer), MAX_SUFFIX)}")
    facts += [f"{tree.strategy}, {len(tree.nodes) - 1} steps", f"{tree.cost.generated_tokens} tokens"]
    yield Text(shorten("; ".join(facts), width))


def _line(tree: Tree, index: int, branch: str, scored: bool, width: int) -> Text:
    node = tree.nodes[index]
    suffix, style = _suffix(node)
    line = Text(_numbers(node, scored), style="dim")
    line.append(branch[-max(4, width - NARROWEST) :])
    room = max(MIN_TEXT, width - cell_len(line.plain) - cell_len(suffix))
    line.append(shorten(_step_text(tree, index), room), style="" if index != ROOT else "bold")
    line.append(suffix, style=style)
    line.truncate(width, overflow="ellipsis")
    return line


def _numbers(node: Node, scored: bool) -> str:
    value = f"{node.q:+.2f}" if node.weight else ""
    score = "" if node.score is None else f"{node.score:+.2f}"
    columns = f"{node.visits:>6}  {value:>5}  "
    return f"{columns}{score:>5}  " if scored else columns


def _step_text(tree: Tree, index: int) -> str:
    step = tree.nodes[index].step
    if step is None:
        return "question"
    text = step.code or step.text
    for tag in CODE_TAGS:
        text = text.replace(tag, " ")
    return printable(text) or "(empty)"


def _suffix(node: Node) -> tuple[str, str]:
    """Return what follows a step's text, and its style: how often it was drawn, its answer and grade, or why it failed.

    Of a policy beside the first its role follows too.
    """
    times = f" ×{node.multiplicity}" if node.multiplicity > 1 else ""
    times += f" by {node.action}" if node.action.startswith(FURTHER_POLICY) else ""
    if node.answer is not None:
        grade = {True: ", correct", False: ", incorrect", None: ""}[node.correct]
        style = {True: "green", False: "red", None: "cyan"}[node.correct]
        return f" → {shorten(printable(node.answer), MAX_SUFFIX)}{grade}{times}", style
    if node.is_failed and node.step is not None:
        reason = node.step.outcome if node.step.status is StepStatus.CODE_ERROR else node.step.status
        return f" ✗ {describe_failure(reason)}{times}", "yellow"
    label = "" if node.label is None else f" {100 * node.label:.0f} % of {node.completions} completions correct"
    return f"{label}{times}", "dim"


def _hidden_line(hidden: int, guide: str, scored: bool, more_follow: bool) -> Text:
    blank = " " * (len(_numbers(Node(parent=ROOT, step=None, depth=0), scored)))
    branch = "├ " if more_follow else "└ "
    return Text(f"{blank}{guide}{branch}… {hidden} more step{'' if hidden == 1 else 's'}", style="dim")


def _size(tree: Tree, index: int) -> int:
    """Return the number of nodes of a subtree."""
    count, pending = 0, [index]
    while pending:
        count += 1
        pending += tree.nodes[pending.pop()].children
    return count
