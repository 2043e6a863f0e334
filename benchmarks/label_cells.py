"""Store the cells of the comparison of step labels, a line each: how good the labels of one kind are, and what they cost.

A cell is one kind of labels on the problems of one seed. Labels are counted once for every step of a problem: soft ones as
the search estimated them, hard ones up to and including the first error, which is what a PRM learns from.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields

from search.data import LabelScale
from search.tree import Tree
from train.labels.quality import Quality
from train.labels.tree_labels import label_tree, without_repeats


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelCell:
    """One kind of labels on one seed's problems.

    ``quality`` counts labelled solutions, matches of the exact first error, completions and tokens. ``soft`` and ``hard``:
    labels of each sort, ``hard_correct`` those of the hard ones that call their step correct.
    """

    kind: str
    seed: int
    problems: int
    policy: str
    overrides: tuple[str, ...]
    commit: str
    machine: str
    quality: Quality
    soft: int
    hard: int
    hard_correct: int

    @property
    def key(self) -> tuple[str, int, int, str, tuple[str, ...]]:
        """Return what was measured: kind, seed, number of problems, policy and overrides of the config."""
        return self.kind, self.seed, self.problems, self.policy, self.overrides


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelRow:
    """A kind over seeds: the sums of its cells, the F1 of each seed, and what one label takes."""

    seeds: tuple[int, ...]
    quality: Quality
    f1_by_seed: tuple[float | None, ...]
    soft: int
    hard: int
    hard_correct: int

    def costs(self) -> dict[str, float | None]:
        """Return completions and tokens of one label by name. 1,000 tokens for 40 soft and 50 hard labels: 25 and 20."""
        completions, tokens = self.quality.completions, self.quality.generated_tokens
        return {
            "completions_a_soft_label": completions / self.soft if self.soft else None,
            "tokens_a_soft_label": tokens / self.soft if self.soft else None,
            "completions_a_hard_label": completions / self.hard if self.hard else None,
            "tokens_a_hard_label": tokens / self.hard if self.hard else None,
            "correct_share": self.hard_correct / self.hard if self.hard else None,
        }


def count_labels(trees: Iterable[Tree]) -> tuple[int, int, int]:
    """Return the soft labels, the hard labels and the hard ones that say correct, each step of a problem counted once."""
    soft = hard = correct = 0
    for tree in trees:
        for record in without_repeats(label_tree(tree, LabelScale.SHARE)):
            soft += sum(label is not None for label in record.labels)
        for record in without_repeats(label_tree(tree, LabelScale.SIGN)):
            end = record.labels.index(-1.0) + 1 if -1.0 in record.labels else len(record.labels)
            hard += sum(label is not None for label in record.labels[:end])
            correct += record.labels[:end].count(1.0)
    return soft, hard, correct


def add_up(qualities: Sequence[Quality]) -> Quality:
    """Return the sums of all counts."""
    return Quality(**{field.name: sum(getattr(q, field.name) for q in qualities) for field in fields(Quality)})


def rows_by_kind(cells: Sequence[LabelCell]) -> dict[str, LabelRow]:
    """Return a row for each kind, in the order of the cells."""
    by_kind: dict[str, list[LabelCell]] = {}
    for cell in cells:
        by_kind.setdefault(cell.kind, []).append(cell)
    return {
        kind: LabelRow(
            seeds=tuple(cell.seed for cell in same),
            quality=add_up([cell.quality for cell in same]),
            f1_by_seed=tuple(cell.quality.rates()["f1"] for cell in same),
            soft=sum(cell.soft for cell in same),
            hard=sum(cell.hard for cell in same),
            hard_correct=sum(cell.hard_correct for cell in same),
        )
        for kind, same in by_kind.items()
    }


def cost_table(rows: Mapping[str, LabelRow]) -> str:
    """Return a Markdown table of what labels cost, a line for each kind."""
    lines = [
        "| labels | soft | completions each | tokens each | hard | completions each | tokens each | correct |",
        f"|---{'|---:' * 7}|",
    ]
    for kind, row in rows.items():
        costs = {name: "–" if cost is None else f"{cost:.1f}" for name, cost in row.costs().items()}
        share = row.costs()["correct_share"]
        lines.append(
            f"| {kind} | {row.soft} | {costs['completions_a_soft_label']} | {costs['tokens_a_soft_label']} | {row.hard} | "
            f"{costs['completions_a_hard_label']} | {costs['tokens_a_hard_label']} | "
            f"{'–' if share is None else f'{100 * share:.0f} %'} |"
        )
    return "\n".join(lines)
