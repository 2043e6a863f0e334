"""Trees to what is learnt from them: right trajectories to imitate and preference pairs to rank.

The rules are rStar-Math's (sections 3.3 and 3.4). A leaf is right if it was graded right; wrong if it was graded wrong
or ended without an answer (code error, no answer, too deep). A node leads to what the leaves below it, or it itself,
are. Knows trees and records; nothing of tokens or models. Pure functions but for
``harvest``, which writes files.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from search import serialization
from search.data import Outcome, PreferencePair, Step, StepStatus, Trajectory
from search.storage.files import complete
from search.tree import ROOT, Node, Tree
from train.config import HarvestConfig

RAISED = frozenset(
    {
        Outcome.SYNTAX_ERROR,
        Outcome.EXCEPTION,
        Outcome.TIMEOUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.FORBIDDEN,
        Outcome.CRASHED,
    }
)
TRAJECTORIES, PAIRS, COUNTS = "trajectories.jsonl", "pairs.jsonl", "counts.json"


@dataclass(frozen=True, slots=True)
class Pairs:
    """A tree's pairs by sort, and how many the filter took out."""

    step: tuple[PreferencePair, ...] = ()
    answer: tuple[PreferencePair, ...] = ()
    filtered: int = 0


@dataclass(frozen=True, slots=True)
class HarvestCounts:
    """What came of the trees.

    ``problems`` and, of these, ``solved`` ones. Of all right solutions: ``trajectories`` kept, those left out for
    ``code_errors``, as ``identical`` to another, or ``beyond_top_k``. ``all_right`` and ``all_wrong``: trees without
    pairs because their leaves were all of one sort. ``filtered_pairs``: pairs that the filter took out.
    """

    trees: int = 0
    problems: int = 0
    solved: int = 0
    trajectories: int = 0
    code_errors: int = 0
    identical: int = 0
    beyond_top_k: int = 0
    all_right: int = 0
    all_wrong: int = 0
    step_pairs: int = 0
    answer_pairs: int = 0
    filtered_pairs: int = 0


def trajectories(tree: Tree) -> list[Trajectory]:
    """Every right solution in the tree, in the order in which they were grown, with its mean Q."""
    found = []
    for index in tree.terminals():
        if tree.nodes[index].correct:
            values = _values(tree, index)
            found.append(Trajectory(tree.problem, tree.steps(index), True, fmean(values), values))
    return found


def raised(trajectory: Trajectory) -> bool:
    """Whether any step's code did not run to its end."""
    return any(step.outcome in RAISED or step.status is StepStatus.CODE_ERROR for step in trajectory.steps)


def merge(found: Sequence[Trajectory]) -> list[Trajectory]:
    """One trajectory of each text, best mean Q first; equal Q keeps the order of ``found``."""
    unique: dict[tuple[str, ...], Trajectory] = {}
    for trajectory in sorted(found, key=lambda t: -t.q):
        unique.setdefault(tuple(step.text for step in trajectory.steps), trajectory)
    return list(unique.values())


def preference_pairs(tree: Tree, config: HarvestConfig) -> Pairs:
    """Step pairs and answer pairs of a tree; none where its leaves are all right or all wrong."""
    right, wrong = leads_to(tree)
    if not (right[ROOT] and wrong[ROOT]):
        return Pairs()
    chains = best_chains(tree)
    step, answer, filtered = [], [], 0
    for parent in range(len(tree.nodes)):
        for a, b in _siblings(tree, parent, right, wrong, config):
            prefix = tree.steps(parent)
            pair = PreferencePair(
                tree.problem, prefix, tree.steps(a)[-1:], tree.steps(b)[-1:], _q(tree, a), _q(tree, b)
            )
            if passes(pair, chains[a] > chains[b], config):
                step.append(pair)
            else:
                filtered += 1
    for a, b in _answers(tree, config) if config.answer_pairs else ():
        q_a, q_b = fmean(_values(tree, a)), fmean(_values(tree, b))
        pair = PreferencePair(tree.problem, (), tree.steps(a), tree.steps(b), q_a, q_b)
        if passes(pair, q_a > q_b, config):
            answer.append(pair)
        else:
            filtered += 1
    return Pairs(tuple(step), tuple(answer), filtered)


def leads_to(tree: Tree) -> tuple[list[bool], list[bool]]:
    """For each node: whether a right leaf, and whether a wrong leaf, is at or below it."""
    right = [node.correct is True for node in tree.nodes]
    wrong = [_wrong_leaf(node) for node in tree.nodes]
    for index in range(len(tree.nodes) - 1, ROOT, -1):  # children come after their parents
        parent = tree.nodes[index].parent
        right[parent] |= right[index]
        wrong[parent] |= wrong[index]
    return right, wrong


def best_chains(tree: Tree) -> list[float]:
    """For each node: the highest mean Q of a finished chain through it; -inf where none is finished."""
    best = [-math.inf] * len(tree.nodes)
    for index, node in enumerate(tree.nodes):
        if node.terminal:
            best[index] = fmean(_values(tree, index))
    for index in range(len(tree.nodes) - 1, ROOT, -1):
        parent = tree.nodes[index].parent
        best[parent] = max(best[parent], best[index])
    return best


def _wrong_leaf(node: Node) -> bool:
    unanswered = node.terminal and node.step is not None and node.step.status is not StepStatus.FINAL
    return node.correct is False or unanswered


def _q(tree: Tree, index: int) -> float:
    """Q of a node; a wrong leaf that was never visited stands at -1, its terminal reward."""
    node = tree.nodes[index]
    return -1.0 if not node.visits and _wrong_leaf(node) else node.q


def _values(tree: Tree, index: int) -> tuple[float, ...]:
    return tuple(_q(tree, i) for i in tree.solution(index))


def _siblings(
    tree: Tree, parent: int, right: Sequence[bool], wrong: Sequence[bool], config: HarvestConfig
) -> Iterator[tuple[int, int]]:
    """Children of highest Q that lead to a right answer, each over those of lowest Q that lead to a wrong one.

    Not those that stand in their parent's place: they follow another prefix than their siblings.
    """
    children = [i for i in tree.nodes[parent].children if not tree.nodes[i].instead]
    better = sorted((i for i in children if right[i]), key=lambda i: -_q(tree, i))[: config.best]
    worse = sorted((i for i in children if wrong[i]), key=lambda i: _q(tree, i))[: config.worst]
    return ((a, b) for a in better for b in worse if _q(tree, a) > _q(tree, b))


def _answers(tree: Tree, config: HarvestConfig) -> Iterator[tuple[int, int]]:
    """Right answers of highest mean Q, each over the wrong ones of lowest, where their prefixes differ."""
    graded = {i: fmean(_values(tree, i)) for i in tree.terminals() if tree.nodes[i].correct is not None}
    better = sorted((i for i in graded if tree.nodes[i].correct), key=lambda i: -graded[i])[: config.best]
    worse = sorted((i for i in graded if not tree.nodes[i].correct), key=lambda i: graded[i])[: config.worst]
    return ((a, b) for a in better for b in worse if graded[a] > graded[b] and tree.steps(a)[:-1] != tree.steps(b)[:-1])


def passes(pair: PreferencePair, chain_higher: bool, config: HarvestConfig) -> bool:
    """The filter of the released code: margin of Q, mean Q of the best chain through each side, edit distance."""
    if pair.chosen_q - pair.rejected_q < config.q_margin or (config.chain_average and not chain_higher):
        return False
    return differ_by(_text(pair.chosen), _text(pair.rejected), config.edit_distance)


def _text(steps: Sequence[Step]) -> str:
    return "".join(step.text for step in steps)


def differ_by(a: str, b: str, least: int) -> bool:
    """Whether the Levenshtein distance of ``a`` and ``b`` is at least ``least`` characters.

    Only the band of cells that can stay below ``least`` is computed: O(length * least).
    """
    if least <= 0 or abs(len(a) - len(b)) >= least:
        return True
    row = {j: j for j in range(min(len(b), least) + 1)}
    for i, left in enumerate(a, 1):
        new: dict[int, int] = {}
        for j in range(max(0, i - least), min(len(b), i + least) + 1):
            if j == 0:
                new[j] = i
                continue
            change = row.get(j - 1, least) + (left != b[j - 1])
            new[j] = min(change, row.get(j, least) + 1, new.get(j - 1, least) + 1)
        row = new
        if min(row.values()) >= least:
            return True
    return row.get(len(b), least) >= least


def harvest(trees: Iterable[Tree], config: HarvestConfig, out_dir: Path) -> HarvestCounts:
    """Write ``trajectories.jsonl``, ``pairs.jsonl`` and ``counts.json`` into ``out_dir``; each is complete or absent.

    Trees are read one at a time. Trajectories are chosen per problem over all its trees, pairs within each tree.
    ``counts.json`` is written last: it is there if and only if the harvest is complete.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    found: dict[str, list[Trajectory]] = {}
    solved: set[str] = set()
    tally: Counter[str] = Counter()
    with complete(out_dir / PAIRS) as file:
        for tree in trees:
            every = trajectories(tree)
            kept = [trajectory for trajectory in every if not raised(trajectory)]
            found.setdefault(tree.problem.id, []).extend(kept)
            solved.update([tree.problem.id] if every else [])
            pairs = preference_pairs(tree, config)
            file.writelines(serialization.dump(pair) + "\n" for pair in (*pairs.step, *pairs.answer))
            tally.update(_tally(tree, len(every) - len(kept), pairs))
    with complete(out_dir / TRAJECTORIES) as file:
        for kept in found.values():
            unique = merge(kept)
            best = unique[: config.top_k]
            file.writelines(serialization.dump(trajectory) + "\n" for trajectory in best)
            tally.update(
                trajectories=len(best), identical=len(kept) - len(unique), beyond_top_k=len(unique) - len(best)
            )
    counts = HarvestCounts(problems=len(found), solved=len(solved), **tally)
    with complete(out_dir / COUNTS) as file:
        file.write(json.dumps(asdict(counts), indent=2) + "\n")
    return counts


def _tally(tree: Tree, code_errors: int, pairs: Pairs) -> dict[str, int]:
    right, wrong = (marks[ROOT] for marks in leads_to(tree))
    return {
        "trees": 1,
        "code_errors": code_errors,
        "all_right": int(right and not wrong),
        "all_wrong": int(wrong and not right),
        "step_pairs": len(pairs.step),
        "answer_pairs": len(pairs.answer),
        "filtered_pairs": pairs.filtered,
    }
