"""Measure the grader: pairs a second by kind of answer, with the reference read once and with both sides new.

    python benchmarks/grading.py [FILE.jsonl] [--pairs N] [--seed S] [--profile]

With a file of rows ``gold, answer`` (and ``equal``) it grades those and prints verdicts, time by algebra and counts of
verdicts cut by a limit. ``--profile`` measures what one grade costs on numeric and on LaTeX answers, algebra included,
beside what a search spends until it has an answer to grade.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from search.grading import equivalence
from search.grading.algebra import pool
from search.grading.reading import reader

Pair = tuple[str, str]
REFERENCES = 1000  # references of the turn in which each is compared with many answers


def whole(rng: random.Random) -> Pair:
    number = rng.randrange(10**7)
    return str(number), rng.choice([f"{number:,}", str(number), str(number + 1), f"\\boxed{{{number}}}", f"${number}$"])


def decimal(rng: random.Random) -> Pair:
    number = rng.randrange(10**7)
    return f"{number / 100}", rng.choice([f"{number / 100:.3f}", f"{number}/100", f"{number / 100 + 1}"])


def fraction(rng: random.Random) -> Pair:
    above, below = rng.randrange(1, 10**5), rng.randrange(2, 100)
    return f"{above}/{below}", rng.choice(
        [f"\\frac{{{above}}}{{{below}}}", f"\\dfrac{{{2 * above}}}{{{2 * below}}}", f"{above + 1}/{below}"]
    )


def money(rng: random.Random) -> Pair:
    number = rng.randrange(10**7)
    return f"${number}", rng.choice([f"\\${number:,}.00", f"${number}.", f"{number}.00"])


def percent(rng: random.Random) -> Pair:
    number = rng.randrange(10**6) / 100
    return f"{number}%", rng.choice([f"{number}\\%", f"{number}", f"{number + 1}%"])


def quantity(rng: random.Random) -> Pair:
    number = rng.randrange(10**6)
    return f"{number}", rng.choice([f"{number} apples", f"{number}\\text{{ km/h}}", f"{number + 1} cm"])


def pair(rng: random.Random) -> Pair:
    a, b = rng.randrange(1000), rng.randrange(1000)
    return f"({a}, {b})", rng.choice([f"({a},{b})", f"({b}, {a})", f"\\left({a}, {b}\\right)"])


def word(rng: random.Random) -> Pair:
    name = "".join(rng.choices("aeiourstlnm", k=7))
    return name, rng.choice([name.title(), f"\\text{{{name}}}", name[::-1] + "s"])


KINDS: dict[str, Callable[[random.Random], Pair]] = {
    "whole numbers": whole, "decimals": decimal, "fractions": fraction, "money": money, "per cent": percent, "quantities": quantity,
    "pairs": pair, "words": word,
}  # fmt: skip


PROFILED = 2000  # pairs
PASSES = 3  # the fastest counts: the machine may be shared
ANSWERS, SPELLINGS = 16, 4  # answers that a search grades for one problem, and how many of them differ as text
EXPANSION_US = 300  # a worker's processor time for one expansion, the least below full cores in docs/LOG.md
TOKENS_PER_S = 10_525  # of one simulated engine there
TOKENS = {"numeric": 50, "LaTeX": 300}  # of one expansion: measured there; four steps of 75 tokens


def latex(rng: random.Random) -> Pair:
    """Return an answer such as those to competition problems; one of fourteen needs algebra."""
    a, b, c = rng.randrange(2, 60), rng.randrange(2, 60), rng.randrange(2, 9)
    return rng.choice(
        [
            (f"\\frac{{{a}}}{{{b}}}", f"\\dfrac{{{2 * a}}}{{{2 * b}}}"),
            (f"{a}\\sqrt{{{b}}}", f"\\sqrt{{{a * a * b}}}"),
            (f"\\frac{{{a}+\\sqrt{{{b}}}}}{{{c}}}", f"\\frac{{{a}}}{{{c}}}+\\frac{{\\sqrt{{{b}}}}}{{{c}}}"),
            (f"\\frac{{{a}\\pi}}{{{c}}}", f"\\frac{{{a}}}{{{c}}}\\pi"),
            (f"x^2+{a}x+{b}", f"{b}+{a}x+x^{{2}}"),
            (f"({a}, {b})", f"\\left({a},{b}\\right)"),
            (f"[{a}, {a + b})", f"{a} \\le x < {a + b}"),
            (f"\\{{{a}, -{b}\\}}", f"x = -{b} \\text{{ or }} x = {a}"),
            (f"y = {a}x - {b}", f"{a}x - y = {b}"),
            (
                f"\\begin{{pmatrix}}{a}&{b}\\\\{c}&1\\end{{pmatrix}}",
                f"\\begin{{bmatrix}}{a}&{b}\\\\{c}&2\\end{{bmatrix}}",
            ),
            (f"{a}^\\circ", f"{a}"),
            (f"{a}+{b}i", f"{b}i+{a}"),
            (f"\\binom{{{a + 9}}}{{{c}}}", f"\\binom{{{a + 9}}}{{{a + 9 - c}}}"),
            (f"\\ln {a * b}", f"\\ln {a} + \\ln {b}"),
        ]
    )


def profile(seed: int) -> None:
    """Print the cost of a grade, and its share of a worker's and of an engine's time, at one answer an expansion."""
    print(
        f"{'answers':10s}{'by algebra':>12s}{'us a grade':>12s}{'in a search':>13s}{'of worker':>11s}{'of wall time':>14s}"
    )
    numeric: Callable[[random.Random], Pair] = lambda rng: rng.choice([whole, money, quantity])(rng)  # noqa: E731
    for name, make in {"numeric": numeric, "LaTeX": latex}.items():
        rng = random.Random(seed)
        pairs = [make(rng) for _ in range(PROFILED)]
        open_pairs = sum(equivalence.exact_verdict(gold, answer) is None for gold, answer in pairs)
        new = min(time_grades(pairs) for _ in range(PASSES)) / len(pairs)
        again = min(time_grades(pairs[:SPELLINGS] * 500, clear=False) for _ in range(PASSES)) / (500 * SPELLINGS)
        in_search = (SPELLINGS * new + (ANSWERS - SPELLINGS) * again) / ANSWERS
        wall = 1e6 * TOKENS[name] / TOKENS_PER_S
        shares = f"{100 * in_search / (EXPANSION_US + in_search):10.1f}%{100 * in_search / (wall + in_search):13.2f}%"
        print(f"{name:10s}{open_pairs:12d}{new:12.1f}{in_search:13.1f}{shares}")


def time_grades(pairs: Sequence[Pair], *, clear: bool = True) -> float:
    """Return the microseconds that all pairs take, algebra included; ``clear``: nothing is remembered from before."""
    if clear:
        forget()
    started = time.perf_counter()
    for gold, answer in pairs:
        equivalence.equivalent(gold, answer)
    return 1e6 * (time.perf_counter() - started)


def rate(pairs: Sequence[Pair]) -> float:
    """Return pairs a second of processor time that are compared exactly."""
    started = time.process_time()
    for gold, answer in pairs:
        equivalence.exact_verdict(gold, answer)
    return len(pairs) / (time.process_time() - started)


def forget() -> None:
    equivalence.exact_verdict.cache_clear()
    equivalence._algebraic_verdict.cache_clear()
    reader.read.cache_clear()


def measure(make: Callable[[random.Random], Pair], count: int, rng: random.Random) -> tuple[float, float]:
    """Return pairs a second with every reference read before, and with both sides new."""
    pairs = [make(rng) for _ in range(count)]
    forget()
    both_new = rate(pairs)
    forget()
    golds = [gold for gold, _ in pairs[:REFERENCES]]
    for gold in golds:
        reader.read(gold)
    answers = [make(rng)[1] for _ in range(count)]
    once = rate([(golds[i % len(golds)], answer) for i, answer in enumerate(answers)])
    return once, both_new


def grade_file(path: Path) -> None:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8-sig").split("\n") if line.strip()]
    verdicts: Counter[str] = Counter()
    by_algebra = 0.0
    started = time.perf_counter()
    for row in rows:
        gold, answer = str(row["gold"]), str(row["answer"])
        is_open = equivalence.exact_verdict(gold, answer) is None
        begun = time.perf_counter()
        verdict = equivalence.equivalent(gold, answer)
        by_algebra += (time.perf_counter() - begun) if is_open else 0.0
        verdicts["equal" if verdict else "unequal"] += 1
        verdicts["as expected"] += "equal" in row and verdict == row["equal"]
    seconds = time.perf_counter() - started
    print(f"{len(rows)} rows in {seconds:.2f} s, {by_algebra:.2f} s of it by algebra: {dict(verdicts)}")
    print(f"algebra: {dict(pool.pool().counts)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument(
        "file", metavar="FILE.jsonl", type=Path, nargs="?", help="rows of gold, answer and equal to grade"
    )
    parser.add_argument("--pairs", type=int, default=20_000, help="pairs of each kind")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--profile", action="store_true", help="measure the cost of a grade and its share of a search")
    args = parser.parse_args()
    if args.file is not None:
        grade_file(args.file)
        return
    if args.profile:
        profile(args.seed)
        return
    print(f"{'pairs a second':16s}{'reference read once':>22s}{'both sides new':>18s}")
    inverse = [0.0, 0.0]
    for name, make in KINDS.items():
        once, both_new = measure(make, args.pairs, random.Random(args.seed))
        inverse = [inverse[0] + 1 / once, inverse[1] + 1 / both_new]
        print(f"{name:16s}{once:22,.0f}{both_new:18,.0f}")
    print(f"{'equal shares':16s}{len(KINDS) / inverse[0]:22,.0f}{len(KINDS) / inverse[1]:18,.0f}")


if __name__ == "__main__":
    main()
