"""The key of a base policy in the cache: it differs if the model would differ."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.config.model_config import RecipeConfig
from cluster.evolution import base_policy
from cluster.evolution.base_policy import KEY_SOLUTIONS, recipe_key, worked_solutions
from search.data import Problem, Trajectory
from train.config import BasePolicySize

RECIPE = RecipeConfig(solutions=(5, 2 * KEY_SOLUTIONS))


def test_key_changes_with_every_setting() -> None:
    others = [
        RECIPE.model_copy(update=changed)
        for changed in ({"seed": 1}, {"solutions": (5, 2 * KEY_SOLUTIONS + 1)}, {"size": BasePolicySize(layers=9)})
    ]
    assert len({recipe_key(recipe) for recipe in (RECIPE, *others)}) == 4
    assert recipe_key(RECIPE) == recipe_key(RECIPE.model_copy())


def test_key_changes_with_the_curriculum(monkeypatch: pytest.MonkeyPatch) -> None:
    key, worked = recipe_key(RECIPE), base_policy.curriculum.worked_trajectory

    def longer(problem: Problem) -> Trajectory:
        solution = worked(problem)
        return replace(solution, steps=(*solution.steps, solution.steps[-1])) if problem.level == 2 else solution

    monkeypatch.setattr(base_policy.curriculum, "worked_trajectory", longer)
    assert recipe_key(RECIPE) != key


def test_key_reads_the_first_of_all_worked_solutions() -> None:
    first, every = worked_solutions(RECIPE, KEY_SOLUTIONS), worked_solutions(RECIPE)
    assert (len(first), len(every)) == (5 + KEY_SOLUTIONS, 5 + 2 * KEY_SOLUTIONS)
    assert first == every[: len(first)]
