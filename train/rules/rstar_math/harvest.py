"""Write the trajectories and pairs of rStar-Math (``harvest``); ``RULE`` is the rule's entry in the registry."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from search import serialization
from search.storage.files import open_atomic
from search.tree import ROOT
from train.record_files import PAIRS, TRAJECTORIES
from train.rules.base import POLICY, REWARD_MODEL, HarvestResult, HarvestRule, RoundTrees, RuleInputs, TreeSize
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.rstar_math.pairs import TreePairs, preference_pairs
from train.rules.rstar_math.trajectories import TrajectoryChoice, has_code_error, trajectories
from train.rules.rstar_math.valued_tree import ValuedTree, value_tree
from train.rules.writing import COUNTS


@dataclass(frozen=True, slots=True, kw_only=True)
class RStarMathCounts:
    """Counts of a harvest.

    ``solved``: problems with a correct solution. Of all correct solutions: ``trajectories`` kept, and those left out for
    ``code_errors``, because a later round solved the problem (``earlier_rounds``), as ``identical`` to another, or
    ``beyond_top_k``. ``all_correct`` and ``all_incorrect``: trees without pairs because their ends are all of one kind.
    ``trees_without_pairs``: trees whose pairs ``pairs_from`` leaves out. ``filtered_pairs``: pairs that the filter left out.
    """

    trees: int = 0
    problems: int = 0
    solved: int = 0
    trajectories: int = 0
    code_errors: int = 0
    earlier_rounds: int = 0
    identical: int = 0
    beyond_top_k: int = 0
    all_correct: int = 0
    all_incorrect: int = 0
    trees_without_pairs: int = 0
    step_pairs: int = 0
    answer_pairs: int = 0
    filtered_pairs: int = 0


def harvest(rounds: Sequence[RoundTrees], options: RStarMathOptions, out_dir: Path) -> RStarMathCounts:
    """Write ``trajectories.jsonl``, ``pairs.jsonl`` and ``counts.json`` into ``out_dir``; each is complete or absent.

    Trees are read one at a time. Trajectories are chosen per problem over all its trees, pairs within each tree.
    ``counts.json`` is written last: it is there if and only if the harvest is complete.
    """
    out_dir.mkdir(parents=True, exist_ok=True)
    choice = TrajectoryChoice(options)
    solved: set[str] = set()
    tally: Counter[str] = Counter()
    first_round = first_round_with_pairs(rounds, options)
    with open_atomic(out_dir / PAIRS) as file:
        for grown in rounds:
            for tree in grown.trees:
                valued = value_tree(tree, options)
                ranked = valued if options.rounds == "latest" else value_tree(tree, options, with_score=False)
                correct = trajectories(ranked)
                clean = [trajectory for trajectory in correct if not has_code_error(trajectory)]
                choice.add(tree.problem.id, grown.number, clean)
                solved.update([tree.problem.id] if correct else [])
                tally.update(trees=1, code_errors=len(correct) - len(clean))
                if grown.number < first_round:
                    tally.update(trees_without_pairs=1)
                    continue
                pairs = preference_pairs(valued, options)
                file.writelines(serialization.dump(pair) + "\n" for pair in (*pairs.step, *pairs.answer))
                tally.update(_count_pairs(valued, pairs))
    with open_atomic(out_dir / TRAJECTORIES) as file:
        for kept in choice.best():
            file.writelines(serialization.dump(trajectory) + "\n" for trajectory in kept.best)
            tally.update(trajectories=len(kept.best), identical=kept.identical, beyond_top_k=kept.beyond_top_k)
    counts = RStarMathCounts(
        problems=choice.problems, solved=len(solved), earlier_rounds=choice.earlier_rounds, **tally
    )
    with open_atomic(out_dir / COUNTS) as file:
        file.write(json.dumps(asdict(counts), indent=2) + "\n")
    return counts


def first_round_with_pairs(rounds: Sequence[RoundTrees], options: RStarMathOptions) -> int:
    """Return the number of the first round whose trees give pairs.

    With ``pairs_from: reward_model_rounds`` that is the first one that searched with a reward model. As long as there is
    none, as when the first reward model is trained, all rounds give pairs.
    """
    scored = [grown.number for grown in rounds if grown.has_reward_model]
    return min(scored) if scored and options.pairs_from == "reward_model_rounds" else 0


def _count_pairs(valued: ValuedTree, pairs: TreePairs) -> dict[str, int]:
    correct, incorrect = valued.correct[ROOT], valued.incorrect[ROOT]
    return {
        "all_correct": int(correct and not incorrect),
        "all_incorrect": int(incorrect and not correct),
        "step_pairs": len(pairs.step),
        "answer_pairs": len(pairs.answer),
        "filtered_pairs": pairs.filtered,
    }


def _write(inputs: RuleInputs, options: RStarMathOptions, out_dir: Path) -> HarvestResult:
    counts = harvest(inputs.by_round(), options, out_dir)
    pairs = counts.step_pairs + counts.answer_pairs
    return HarvestResult(
        counts=asdict(counts),
        summary=f"{counts.trajectories} trajectories and {pairs} preference pairs from {counts.trees} trees",
    )


def _bound(options: RStarMathOptions, trees: Sequence[TreeSize]) -> dict[str, int]:
    """Return the most records of one problem: pairs of the children of every expanded node, and of whole solutions."""
    sides = max(options.max_preferred * options.max_rejected, options.max_partners or 0)
    return {TRAJECTORIES: options.top_k, PAIRS: sides * sum(tree.expansions + options.answer_pairs for tree in trees)}


RULE = HarvestRule(
    name="rstar_math",
    write=_write,
    files={POLICY: (TRAJECTORIES,), REWARD_MODEL: (PAIRS,)},
    options=RStarMathOptions,
    reads_history=True,
    bound=_bound,
)
