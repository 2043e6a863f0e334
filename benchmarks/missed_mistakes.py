"""Count the first incorrect steps that a PRM accepts, by the kind of error.

    raystar eval-reward-model configs/recipes/lets_verify.yaml --model PRM --split validation --run-dir runs/scored
    python benchmarks/missed_mistakes.py runs/scored

Reads the samples of curriculum problems that `raystar eval-reward-model` checked and scored. For each kind of first
incorrect step: the number of solutions, the median probability of "correct" that the PRM gives the step, and the share
that it calls correct (above 0.5); for correct solutions the same of their lowest step. The last line is the same as JSON.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import sys
from collections import defaultdict
from pathlib import Path
from statistics import fmean, median

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from cluster.reward_eval.step_scores import read_logits
from search.evaluation.process_bench import ProcessRow, read_rows
from search.problems.curriculum import composition_of

COMMENT = re.compile(r"# (.*)")


def sentence(step: str) -> str:
    """Return the comment of a step, which names the sentence it uses. Empty where it only prints or answers."""
    match = COMMENT.match(step)
    return match.group(1).strip().rstrip(".") if match else ""


def error_kind(row: ProcessRow) -> str:
    """Return the kind of error of the first incorrect step."""
    facts = [fact.sentence.rstrip(".") for fact in composition_of(row.id.rpartition("/")[0]).facts]
    used, current = [sentence(step) for step in row.steps[: row.label]], sentence(row.steps[row.label])
    if not current:
        return "the end, too early"
    if current not in facts:
        return "a distractor" if current in row.problem else "a sentence that does not stand in the problem"
    if any(earlier not in used for earlier in facts[: facts.index(current)]):
        return "the one after a sentence that was left out"
    return "a sentence that was there already" if current in used else "correct sentence, incorrect code"


def probabilities_by_kind(run: Path) -> dict[str, list[float]]:
    """Return the probabilities of "correct" that the PRM gives, by the kind of error."""
    logits = read_logits(run / "rounds/reward_eval/scores/scores.jsonl")
    by_kind = defaultdict(list)
    for row in read_rows(run / "rounds/reward_eval/exact_check/process_bench.jsonl"):
        problem_id, _, index = row.id.rpartition("/")
        probabilities = [1 / (1 + math.exp(-logit)) for logit in logits[problem_id].logits[int(index)]]
        if row.label < 0:
            by_kind["none: the lowest step of a correct solution"].append(min(probabilities))
        else:
            by_kind[error_kind(row)].append(probabilities[row.label])
    return dict(sorted(by_kind.items(), key=lambda item: -len(item[1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="run directory of raystar eval-reward-model on curriculum problems")
    table = {
        name: {"solutions": len(values), "median": median(values), "called_correct": fmean(p > 0.5 for p in values)}
        for name, values in probabilities_by_kind(parser.parse_args().run).items()
    }
    print("| first incorrect step | solutions | median | called correct |")
    print("|---" * 4 + "|")
    for name, row in table.items():
        print(f"| {name} | {row['solutions']} | {row['median']:.2f} | {row['called_correct']:.0%} |")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
