"""Describe the trace of a search as lines for a terminal of 80 columns."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from cluster.formatting import format_duration
from cluster.traces.record import Use, Waiting
from cluster.traces.spans import SearchTrace
from cluster.traces.waiting import worker_times
from search.concurrency.tracing import Activity

BAR, STRIP = 34, 60  # columns
LEVELS = " ▁▂▃▄▅▆▇█"
PLAIN_LEVELS = " .:-=+*%#"  # for a terminal without block elements
SLOWEST = 5  # trees that are named
WAITED_FOR = {
    Use.GENERATING: "in use",
    Use.PROGRAMS: "waited for programs",
    Use.SCORES: "waited for scores",
    Use.GRADES: "waited for grades",
    Use.WORKER: "waited for search workers",
    Use.ROUTER: "free beside full engines",
    Use.TREES: "free: too few trees at once",
}


def summary_lines(name: str, trace: SearchTrace, waiting: Waiting) -> Iterator[str]:
    """Yield the summary of a search: how its engines' places were used, and what its trees spent their time on."""
    sampled = "all" if waiting.share == 1 else f"{100 * waiting.share:g} % of them"
    yield f"{name}: {waiting.trees} trees ({sampled}) in {format_duration(waiting.seconds)}"
    if trace.damaged:
        yield f"{trace.damaged} lines of spans cannot be read: a worker died"
    yield ""
    yield f"the policy engines' {waiting.places} places for sequences"
    for use, share in waiting.uses.items():
        yield f"  {WAITED_FOR[Use(use)]:<28}{100 * share:5.1f} %  {bar(share)}".rstrip()
    if waiting.reward_model_use is not None:
        yield f"  {'(reward models in use)':<28}{100 * waiting.reward_model_use:5.1f} %"
    yield ""
    yield f"in use from begin to end ({LEVELS[-1]} all places)"
    yield f"  {strip([part.get(Use.GENERATING, 0.0) for part in waiting.parts])}"
    yield ""
    yield f"{'':<16}{'spans':>10}{'seconds':>12}{'mean':>14}{'95 % within':>14}"
    for activity, totals in waiting.activities.items():
        mean, late = format_short(totals.mean), format_short(totals.late)
        yield f"  {activity.replace('_', ' '):<14}{totals.spans:>10}{totals.seconds:>12.1f}{mean:>14}{late:>14}"


def describe_waiting(waiting: Waiting) -> str:
    """Return the use of the engines' places as text, the largest causes first: "engines in use 71 %, waited for …"."""
    causes = sorted((share, WAITED_FOR[Use(use)]) for use, share in waiting.uses.items() if use != Use.GENERATING)
    named = [f"{cause} {100 * share:.0f} %" for share, cause in reversed(causes) if share >= 0.005]
    return ", ".join([f"policy engines in use {100 * waiting.uses.get(Use.GENERATING, 0.0):.0f} %", *named])


def slowest_lines(trace: SearchTrace, names: Mapping[str, str]) -> Iterator[str]:
    """Yield the trees that took longest, with what each spent its time on. ``names``: of the trees, by trace."""
    slowest = sorted(trace.trees, key=lambda name: -trace.root(name).seconds)[:SLOWEST]
    yield "the slowest trees, and the share of their time in which they"
    yield f"  {'':<26}{'seconds':>9}{'generate':>10}{'execute':>9}{'score':>8}{'worker':>8}"
    for name in slowest:
        seconds = trace.root(name).seconds
        shares = [
            _share_of(trace, name, activity) for activity in (Activity.GENERATE, Activity.EXECUTE, Activity.SCORE)
        ]
        worker = sum(end - start for start, end in worker_times(trace.trees[name])) / 1e9 / max(seconds, 1e-9)
        cells = [f"{100 * share:.0f} %" for share in (*shares, worker)]
        yield f"  {names[name]:<26.26}{seconds:>9.2f}{cells[0]:>10}{cells[1]:>9}{cells[2]:>8}{cells[3]:>8}"


def bar(share: float, columns: int = BAR) -> str:
    """Return a bar for a share in [0, 1], in eighths of a column: 0.5 of 4 columns is "██"."""
    eighths = round(share * columns * 8)
    return "█" * (eighths // 8) + ("", "▏", "▎", "▍", "▌", "▋", "▊", "▉")[eighths % 8]


def strip(shares: Sequence[float], columns: int = STRIP) -> str:
    """Return shares in [0, 1] as a strip of signs of different height, the means of neighbours where they are too many."""
    size = max(1.0, len(shares) / columns)
    signs = []
    for column in range(min(columns, len(shares))):
        group = shares[int(column * size) : max(int((column + 1) * size), int(column * size) + 1)]
        level = sum(group) / len(group) * (len(LEVELS) - 1)
        signs.append(LEVELS[min(len(LEVELS) - 1, round(level))])
    return "".join(signs)


def plain(line: str) -> str:
    """Return a line without block elements, for a terminal whose encoding lacks them."""
    eighths = str.maketrans("█▉▊▋▌▍▎▏", "######..")
    return line.translate(str.maketrans(LEVELS[1:-1], PLAIN_LEVELS[1:-1])).translate(eighths)


def format_short(seconds: float) -> str:
    """Return "12 us", "3.4 ms" or "1.25 s"."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} us"
    return f"{seconds * 1e3:.1f} ms" if seconds < 1 else f"{seconds:.2f} s"


def _share_of(trace: SearchTrace, name: str, activity: Activity) -> float:
    """Return the share of a tree's time in which at least one span of ``activity`` was open."""
    root = trace.root(name)
    covered, reached = 0, root.start
    for span in sorted((s for s in trace.trees[name] if s.activity is activity), key=lambda s: s.start):
        covered += max(0, min(span.end, root.end) - max(span.start, reached))
        reached = max(reached, span.end)
    return covered / max(1, root.end - root.start)
