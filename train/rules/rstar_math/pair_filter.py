"""Leave out pairs whose sides differ too little (released code: train/sample_rm_data.py)."""

from __future__ import annotations

from search.data import PreferencePair
from train.rules.rstar_math.options import RStarMathOptions
from train.rules.solutions import join_texts


def passes_filter(pair: PreferencePair, options: RStarMathOptions) -> bool:
    """Return True if Q and the texts of both sides differ by at least what the options ask for."""
    if pair.chosen_q - pair.rejected_q < options.min_q_margin:
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
