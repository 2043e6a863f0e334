"""Which first wrong steps a PRM lets pass, by what is wrong with them.

    raystar judge configs/recipes/lets_verify.yaml --model PRM --split validation --run-dir runs/judged
    python benchmarks/missed_mistakes.py runs/judged

Reads the samples of curriculum problems that `raystar judge` checked and scored. For each kind of first wrong step the
number of solutions, the median probability of "right" that the PRM gives the step, and the share that it calls right (above
0.5); for right solutions that of their lowest step. Ends with the same as JSON.
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

from cluster.reward_eval.step_scores import known
from search.evaluation.process_bench import ProcessRow, read
from search.problems.curriculum import composition_of

SAID = re.compile(r"# (.*)")


def sentence(step: str) -> str:
    """What a step says it does; empty where it only prints or answers."""
    found = SAID.match(step)
    return found.group(1).strip().rstrip(".") if found else ""


def kind(row: ProcessRow) -> str:
    """What is wrong with the first wrong step."""
    facts = [fact.sentence.rstrip(".") for fact in composition_of(row.id.rpartition("/")[0]).facts]
    before, said = [sentence(step) for step in row.steps[: row.label]], sentence(row.steps[row.label])
    if not said:
        return "the end, too early"
    if said not in facts:
        return "an idle sentence" if said in row.problem else "a sentence that does not stand in the problem"
    if any(earlier not in before for earlier in facts[: facts.index(said)]):
        return "the one after a sentence that was left out"
    return "a sentence that was there already" if said in before else "right sentence, wrong code"


def by_kind(run: Path) -> dict[str, list[float]]:
    """Probabilities of "right" by kind."""
    scores = known(run / "rounds/judge/scores/scores.jsonl")
    found = defaultdict(list)
    for row in read(run / "rounds/judge/checked/process.jsonl"):
        problem, _, number = row.id.rpartition("/")
        right = [1 / (1 + math.exp(-logit)) for logit in scores[problem].logits[int(number)]]
        if row.label < 0:
            found["none: the lowest step of a right solution"].append(min(right))
        else:
            found[kind(row)].append(right[row.label])
    return dict(sorted(found.items(), key=lambda one: -len(one[1])))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="directory of a judgement of curriculum samples")
    table = {
        name: {"solutions": len(values), "median": median(values), "called_right": fmean(p > 0.5 for p in values)}
        for name, values in by_kind(parser.parse_args().run).items()
    }
    print("| what the first wrong step is | solutions | median | called right |")
    print("|---" * 4 + "|")
    for name, row in table.items():
        print(f"| {name} | {row['solutions']} | {row['median']:.2f} | {row['called_right']:.0%} |")
    print(json.dumps(table))


if __name__ == "__main__":
    main()
