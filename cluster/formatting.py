"""Format accuracies, intervals, counts, rates and durations for people."""

from __future__ import annotations

from search.evaluation.confidence import Interval


def format_difference(difference: Interval) -> str:
    """Return a difference of accuracies in points with its 95 % interval: "+2.3 [-0.5, +5.1]"."""
    return f"{100 * difference.mean:+.1f} [{100 * difference.low:+.1f}, {100 * difference.high:+.1f}]"


def format_percent(share: float | None) -> str:
    """Return "48.3", or a dash where nothing was measured."""
    return "–" if share is None else f"{100 * share:.1f}"


def cached_share(cached: int, prompt: int) -> float | None:
    """Return the share in [0, 1] of prompt tokens that the prefix cache held, None without prompt tokens."""
    return cached / prompt if prompt else None


def format_count(number: float) -> str:
    """Return "950", "12.3k" or "4.56M"."""
    for size, unit, digits in ((1e12, "T", 2), (1e9, "G", 2), (1e6, "M", 2), (1e4, "k", 1)):
        if number >= size:
            return f"{number / (size if unit != 'k' else 1e3):.{digits}f}{unit}"
    return f"{number:.0f}"


def format_rate(per_second: float | None) -> str:
    """Return "12.3/s", "4.0/min" or "2.0/h"; empty for an unknown rate."""
    if not per_second:
        return ""
    for factor, unit in ((1, "s"), (60, "min")):
        if per_second * factor >= 1:
            return f"{per_second * factor:.1f}/{unit}"
    return f"{per_second * 3600:.1f}/h"


def format_duration(seconds: float) -> str:
    """Return "42 s", "3:05 min" or "1:02 h"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60}:{whole % 60:02d} min"
    return f"{whole // 3600}:{whole % 3600 // 60:02d} h"
