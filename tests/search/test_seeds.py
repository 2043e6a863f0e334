"""Seeds are identities: the same key gives the same seed in every version."""

from __future__ import annotations

from search.seeds import derive, tree_seed


def test_seed_of_a_tree_follows_from_search_problem_and_number() -> None:
    assert tree_seed(17, "p3") == derive(17, "p3") == tree_seed(17, "p3", 0)
    assert tree_seed(17, "p3", 2) == derive(17, "p3", 2)
    seeds = {tree_seed(search, problem, number) for search in (1, 2) for problem in ("a", "b") for number in range(8)}
    assert len(seeds) == 32


def test_seeds_do_not_change() -> None:
    assert (tree_seed(17, "p3"), tree_seed(17, "p3", 1)) == (4602892595868693716, 5717508466953744630)
