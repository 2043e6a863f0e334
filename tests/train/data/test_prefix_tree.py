"""Sequences with common beginnings become one tree, and nothing of any sequence is lost."""

from __future__ import annotations

import numpy as np
import pytest

from train.data.prefix_tree import merge, merged_length, shared_length


def sequences(*rows: list[int]) -> list[np.ndarray]:
    return [np.array(row, dtype=np.int32) for row in rows]


def test_merge_shares_a_common_beginning() -> None:
    tree = merge(sequences([5, 6, 8, 9], [5, 6, 7]))
    assert tree.tokens.tolist() == [5, 6, 7, 8, 9]
    assert tree.depths.tolist() == [0, 1, 2, 2, 3]
    assert tree.ends.tolist() == [4, 4, 2, 4, 4]
    assert [path.tolist() for path in tree.paths] == [[0, 1, 3, 4], [0, 1, 2]]


def test_merge_keeps_sequences_that_share_nothing_side_by_side() -> None:
    tree = merge(sequences([9, 1], [3, 4]))
    assert tree.tokens.tolist() == [3, 4, 9, 1]
    assert tree.ends.tolist() == [1, 1, 3, 3]


def test_merge_computes_equal_sequences_once() -> None:
    tree = merge(sequences([4, 2], [4, 2], [4]))
    assert tree.tokens.tolist() == [4, 2]
    assert [path.tolist() for path in tree.paths] == [[0, 1], [0, 1], [0]]


def test_tokens_sort_as_numbers_when_ids_take_several_bytes() -> None:
    tree = merge(sequences([256, 1], [255, 1], [256, 2]))
    assert tree.tokens.tolist() == [255, 1, 256, 1, 2]


@pytest.mark.parametrize("seed", range(20))
def test_ends_and_paths_agree_when_trees_are_random(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [rng.integers(0, 3, size=rng.integers(1, 12)).astype(np.int32) for _ in range(12)]
    tree = merge(rows)
    seen = {tuple(row[: i + 1].tolist()) for row in rows for i in range(len(row))}
    assert len(tree) == len(seen) == merged_length(rows)
    for row, path in zip(rows, tree.paths, strict=True):
        assert tree.tokens[path].tolist() == row.tolist()
        assert tree.depths[path].tolist() == list(range(len(row)))
        # a token sees exactly the tokens before it in its sequence
        for query in path:
            visible = [k for k in range(len(tree)) if k <= query <= tree.ends[k]]
            assert visible == path[: list(path).index(query) + 1].tolist()


def test_shared_length_counts_equal_tokens() -> None:
    first, second = sequences([1, 2, 3], [1, 2, 4, 5])
    assert shared_length(first, second) == 2
    assert shared_length(first, first[:2]) == 2
