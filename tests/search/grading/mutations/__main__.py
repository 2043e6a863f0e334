"""Print how the grader agrees with generated pairs; exit 1 below the bars.

python -m tests.search.grading.mutations --seed 0 --count 1000
python -m tests.search.grading.mutations --seed 0 --count 1000 --kind matrix --kind vector
"""

from __future__ import annotations

import argparse
import sys

from search.grading import equivalent
from tests.search.grading.mutations.kinds import KINDS
from tests.search.grading.mutations.measure import measure, overall_rate, shortfalls


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.search.grading.mutations")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=1000, help="pairs of each kind, half of them equal")
    parser.add_argument("--kind", action="append", choices=tuple(KINDS), help="only this kind; may be repeated")
    parser.add_argument("--examples", type=int, default=10, help="disagreements printed of each kind")
    arguments = parser.parse_args()
    agreements = []
    print(f"{'kind':18} {'pairs':>6} {'equal':>8} {'unequal':>8}")
    for name in arguments.kind or KINDS:
        agreement = measure(equivalent, arguments.seed, arguments.count, [name])[0]
        agreements.append(agreement)
        print(f"{name:18} {arguments.count:6} {agreement.rate(True):8.2%} {agreement.rate(False):8.2%}", flush=True)
        for pair in agreement.disagreements[: arguments.examples]:
            print(f"    {'equal  ' if pair.is_equal else 'unequal'} {pair.gold!r} {pair.answer!r}")
    rates = f"{overall_rate(agreements, True):8.2%} {overall_rate(agreements, False):8.2%}"
    print(f"{'all':18} {arguments.count * len(agreements):6} {rates}")
    below = shortfalls(agreements)
    for line in below:
        print(f"below the bar: {line}")
    return 1 if below else 0


if __name__ == "__main__":
    sys.exit(main())
