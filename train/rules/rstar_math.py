"""rStar-Math (sections 3.3 and 3.4): correct trajectories to imitate, and pairs of steps and of solutions to rank.

A leaf is correct if it was graded correct. It is incorrect if it was graded incorrect or ended without an answer (code
error, no answer, too deep). A node reaches the leaves below it, and itself.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean

from pydantic import Field

from search import serialization
from search.data import Outcome, PreferencePair, StepStatus, Trajectory
from search.storage.files import open_atomic
from search.tree import ROOT, Node, Tree
from train.record_files import PAIRS, TRAJECTORIES
from train.rules.base import POLICY, REWARD_MODEL, HarvestResult, HarvestRule, RuleInputs, RuleOptions
from train.rules.solutions import join_texts
from train.rules.writing import COUNTS

CODE_FAILURES = frozenset(
    {
        Outcome.SYNTAX_ERROR,
        Outcome.EXCEPTION,
        Outcome.TIMEOUT,
        Outcome.OUT_OF_MEMORY,
        Outcome.FORBIDDEN,
        Outcome.CRASHED,
    }
)


class RStarMathOptions(RuleOptions):
    """Which trajectories and pairs are taken from trees (rStar-Math, sections 3.3 and 3.4)."""

    top_k: int = Field(
        2, ge=1, description="rstar_math: correct trajectories kept a problem, best mean Q first (paper: 2)"
    )
    max_preferred: int = Field(
        2, ge=1, description="rstar_math: preferred sides a prefix or problem, highest Q first (paper: 2)"
    )
    max_rejected: int = Field(
        2, ge=1, description="rstar_math: rejected sides a prefix or problem, lowest Q first (paper: 2)"
    )
    answer_pairs: bool = Field(
        True, description="rstar_math: also pair whole correct solutions with whole incorrect ones (paper: yes)"
    )
    min_q_margin: float = Field(
        0.0,
        ge=0.0,
        le=2.0,
        description="rstar_math: least difference of Q within a pair (paper: none stated; released code: 0.5)",
    )
    min_edit_distance: int = Field(
        0,
        ge=0,
        description="rstar_math: least edit distance between the two sides of a pair (characters; released code: 20)",
    )
    compare_chains: bool = Field(
        False,
        description="rstar_math: mean Q of the whole chain must be higher on the preferred side too (released code: yes)",
    )


PRESETS: dict[str, RStarMathOptions] = {
    "paper": RStarMathOptions(),
    "released": RStarMathOptions(min_q_margin=0.5, min_edit_distance=20, compare_chains=True),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class TreePairs:
    """Pairs of a tree by kind. ``filtered``: number of pairs that the filter took out."""

    step: tuple[PreferencePair, ...] = ()
    answer: tuple[PreferencePair, ...] = ()
    filtered: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class RStarMathCounts:
    """Counts of a harvest.

    ``solved``: problems with a correct solution. Of all correct solutions: ``trajectories`` kept, and those left out for
    ``code_errors``, as ``identical`` to another, or ``beyond_top_k``. ``all_correct`` and ``all_incorrect``: trees without
    pairs because their leaves are all of one kind. ``filtered_pairs``: pairs that the filter took out.
    """

    trees: int = 0
    problems: int = 0
    solved: int = 0
    trajectories: int = 0
    code_errors: int = 0
    identical: int = 0
    beyond_top_k: int = 0
    all_correct: int = 0
    all_incorrect: int = 0
    step_pairs: int = 0
    answer_pairs: int = 0
    filtered_pairs: int = 0


def trajectories(tree: Tree) -> list[Trajectory]:
    """Return every correct solution of the tree with its mean Q, in the order of their growth."""
    correct = []
    for index in tree.terminals():
        if tree.nodes[index].correct:
            values = _q_values(tree, index)
            correct.append(Trajectory(tree.problem, tree.steps(index), correct=True, q=fmean(values), values=values))
    return correct


def has_code_error(trajectory: Trajectory) -> bool:
    """Return True if the code of any step did not run to its end."""
    return any(step.outcome in CODE_FAILURES or step.status is StepStatus.CODE_ERROR for step in trajectory.steps)


def deduplicate(candidates: Sequence[Trajectory]) -> list[Trajectory]:
    """Return one trajectory of each text, best mean Q first; equal Q keeps the order of ``candidates``."""
    unique: dict[tuple[str, ...], Trajectory] = {}
    for trajectory in sorted(candidates, key=lambda t: -t.q):
        unique.setdefault(tuple(step.text for step in trajectory.steps), trajectory)
    return list(unique.values())


def preference_pairs(tree: Tree, options: RStarMathOptions) -> TreePairs:
    """Return the step pairs and answer pairs of a tree; none if its leaves are all correct or all incorrect."""
    correct, incorrect = reachable_grades(tree)
    if not (correct[ROOT] and incorrect[ROOT]):
        return TreePairs()
    chain_means = best_chain_means(tree)
    step_pairs, answer_pairs, filtered = [], [], 0
    for parent in range(len(tree.nodes)):
        for a, b in _sibling_pairs(tree, parent, correct, incorrect, options):
            pair = PreferencePair(
                problem=tree.problem,
                prefix=tree.steps(parent),
                chosen=tree.steps(a)[-1:],
                rejected=tree.steps(b)[-1:],
                chosen_q=_q(tree, a),
                rejected_q=_q(tree, b),
            )
            if passes_filter(pair, chain_means[a] > chain_means[b], options):
                step_pairs.append(pair)
            else:
                filtered += 1
    for a, b in _answer_pairs(tree, options) if options.answer_pairs else ():
        pair = PreferencePair(
            problem=tree.problem,
            prefix=(),
            chosen=tree.steps(a),
            rejected=tree.steps(b),
            chosen_q=fmean(_q_values(tree, a)),
            rejected_q=fmean(_q_values(tree, b)),
        )
        if passes_filter(pair, pair.chosen_q > pair.rejected_q, options):
            answer_pairs.append(pair)
        else:
            filtered += 1
    return TreePairs(step=tuple(step_pairs), answer=tuple(answer_pairs), filtered=filtered)


def reachable_grades(tree: Tree) -> tuple[list[bool], list[bool]]:
    """Return for each node whether a correct leaf, and whether an incorrect leaf, is at or below it."""
    correct = [node.correct is True for node in tree.nodes]
    incorrect = [_is_incorrect_leaf(node) for node in tree.nodes]
    for index in range(len(tree.nodes) - 1, ROOT, -1):  # children come after their parents
        parent = tree.nodes[index].parent
        correct[parent] |= correct[index]
        incorrect[parent] |= incorrect[index]
    return correct, incorrect


def best_chain_means(tree: Tree) -> list[float]:
    """Return for each node the highest mean Q of a finished chain through it; -inf if none is finished."""
    best = [-math.inf] * len(tree.nodes)
    for index, node in enumerate(tree.nodes):
        if node.is_terminal:
            best[index] = fmean(_q_values(tree, index))
    for index in range(len(tree.nodes) - 1, ROOT, -1):
        parent = tree.nodes[index].parent
        best[parent] = max(best[parent], best[index])
    return best


def _is_incorrect_leaf(node: Node) -> bool:
    unanswered = node.is_terminal and node.step is not None and node.step.status is not StepStatus.FINAL
    return node.correct is False or unanswered


def _q(tree: Tree, index: int) -> float:
    """Return Q of a node; an incorrect leaf that was never visited stands at -1, its terminal reward."""
    node = tree.nodes[index]
    return -1.0 if not node.visits and _is_incorrect_leaf(node) else node.q


def _q_values(tree: Tree, index: int) -> tuple[float, ...]:
    return tuple(_q(tree, i) for i in tree.solution(index))


def _sibling_pairs(
    tree: Tree, parent: int, correct: Sequence[bool], incorrect: Sequence[bool], options: RStarMathOptions
) -> Iterator[tuple[int, int]]:
    """Pair children of highest Q that reach a correct leaf with those of lowest Q that reach an incorrect one.

    Children that replace their parent take no part: they follow another prefix than their siblings.
    """
    children = [i for i in tree.nodes[parent].children if not tree.nodes[i].replaces_parent]
    better = sorted((i for i in children if correct[i]), key=lambda i: -_q(tree, i))[: options.max_preferred]
    worse = sorted((i for i in children if incorrect[i]), key=lambda i: _q(tree, i))[: options.max_rejected]
    return ((a, b) for a in better for b in worse if _q(tree, a) > _q(tree, b))


def _answer_pairs(tree: Tree, options: RStarMathOptions) -> Iterator[tuple[int, int]]:
    """Pair correct solutions of highest mean Q with incorrect ones of lowest, where their prefixes differ."""
    graded = {i: fmean(_q_values(tree, i)) for i in tree.terminals() if tree.nodes[i].correct is not None}
    better = sorted((i for i in graded if tree.nodes[i].correct), key=lambda i: -graded[i])[: options.max_preferred]
    worse = sorted((i for i in graded if not tree.nodes[i].correct), key=lambda i: graded[i])[: options.max_rejected]
    return ((a, b) for a in better for b in worse if graded[a] > graded[b] and tree.steps(a)[:-1] != tree.steps(b)[:-1])


def passes_filter(pair: PreferencePair, is_chain_higher: bool, options: RStarMathOptions) -> bool:
    """Apply the filter of the released code: margin of Q, mean Q of the best chain through each side, edit distance."""
    if pair.chosen_q - pair.rejected_q < options.min_q_margin or (options.compare_chains and not is_chain_higher):
        return False
    return is_distance_at_least(join_texts(pair.chosen), join_texts(pair.rejected), options.min_edit_distance)


def is_distance_at_least(a: str, b: str, least: int) -> bool:
    """Return True if the Levenshtein distance of ``a`` and ``b`` is at least ``least`` characters.

    Only the band of cells that can stay below ``least`` is computed: O(length * least).
    """
    if least <= 0 or abs(len(a) - len(b)) >= least:
        return True
    row = {j: j for j in range(min(len(b), least) + 1)}
    for i, left in enumerate(a, 1):
        next_row: dict[int, int] = {}
        for j in range(max(0, i - least), min(len(b), i + least) + 1):
            if j == 0:
                next_row[j] = i
                continue
            change = row.get(j - 1, least) + (left != b[j - 1])
            next_row[j] = min(change, row.get(j, least) + 1, next_row.get(j - 1, least) + 1)
        row = next_row
        if min(row.values()) >= least:
            return True
    return row.get(len(b), least) >= least


def harvest(trees: Iterable[Tree], options: RStarMathOptions, out_dir: Path) -> RStarMathCounts:
    """Write ``trajectories.jsonl``, ``pairs.jsonl`` and ``counts.json`` into ``out_dir``; each is complete or absent.

    Trees are read one at a time. Trajectories are chosen per problem over all its trees, pairs within each tree.
    ``counts.json`` is written last: it is there if and only if the harvest is complete.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    candidates: dict[str, list[Trajectory]] = {}
    solved: set[str] = set()
    tally: Counter[str] = Counter()
    with open_atomic(out_dir / PAIRS) as file:
        for tree in trees:
            correct = trajectories(tree)
            clean = [trajectory for trajectory in correct if not has_code_error(trajectory)]
            candidates.setdefault(tree.problem.id, []).extend(clean)
            solved.update([tree.problem.id] if correct else [])
            pairs = preference_pairs(tree, options)
            file.writelines(serialization.dump(pair) + "\n" for pair in (*pairs.step, *pairs.answer))
            tally.update(_count_tree(tree, len(correct) - len(clean), pairs))
    with open_atomic(out_dir / TRAJECTORIES) as file:
        for clean in candidates.values():
            unique = deduplicate(clean)
            best = unique[: options.top_k]
            file.writelines(serialization.dump(trajectory) + "\n" for trajectory in best)
            tally.update(
                trajectories=len(best), identical=len(clean) - len(unique), beyond_top_k=len(unique) - len(best)
            )
    counts = RStarMathCounts(problems=len(candidates), solved=len(solved), **tally)
    with open_atomic(out_dir / COUNTS) as file:
        file.write(json.dumps(asdict(counts), indent=2) + "\n")
    return counts


def _count_tree(tree: Tree, code_errors: int, pairs: TreePairs) -> dict[str, int]:
    correct, incorrect = (grades[ROOT] for grades in reachable_grades(tree))
    return {
        "trees": 1,
        "code_errors": code_errors,
        "all_correct": int(correct and not incorrect),
        "all_incorrect": int(incorrect and not correct),
        "step_pairs": len(pairs.step),
        "answer_pairs": len(pairs.answer),
        "filtered_pairs": pairs.filtered,
    }


def _write(inputs: RuleInputs, options: RStarMathOptions, out_dir: Path) -> HarvestResult:
    counts = harvest(inputs.trees, options, out_dir)
    pairs = counts.step_pairs + counts.answer_pairs
    return HarvestResult(
        counts=asdict(counts),
        summary=f"{counts.trajectories} trajectories and {pairs} preference pairs from {counts.trees} trees",
    )


RULE = HarvestRule(
    name="rstar_math",
    write=_write,
    files={POLICY: (TRAJECTORIES,), REWARD_MODEL: (PAIRS,)},
    options=RStarMathOptions,
    reads_history=True,
)
