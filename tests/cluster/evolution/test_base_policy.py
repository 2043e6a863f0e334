"""Under which name a base policy is kept: another one for whatever would make another model."""

from __future__ import annotations

from dataclasses import replace

import pytest

from cluster.config.run_config import RecipeConfig
from cluster.evolution import base_policy
from cluster.evolution.base_policy import PROBE, recipe_key, worked_solutions
from search.data import Problem, Trajectory
from train.config import BaseSize

RECIPE = RecipeConfig(solutions=(5, 2 * PROBE))


def test_any_setting_makes_another_key() -> None:
    others = [
        RECIPE.model_copy(update=changed)
        for changed in ({"seed": 1}, {"solutions": (5, 2 * PROBE + 1)}, {"size": BaseSize(layers=9)})
    ]
    assert len({recipe_key(recipe) for recipe in (RECIPE, *others)}) == 4
    assert recipe_key(RECIPE) == recipe_key(RECIPE.model_copy())


def test_another_curriculum_makes_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before, worked = recipe_key(RECIPE), base_policy.curriculum.worked

    def longer(problem: Problem) -> Trajectory:
        solution = worked(problem)
        return replace(solution, steps=(*solution.steps, solution.steps[-1])) if problem.level == 2 else solution

    monkeypatch.setattr(base_policy.curriculum, "worked", longer)
    assert recipe_key(RECIPE) != before


def test_the_solutions_that_a_key_looks_at_are_the_first_of_all() -> None:
    found, every = worked_solutions(RECIPE, PROBE), worked_solutions(RECIPE)
    assert (len(found), len(every)) == (5 + PROBE, 5 + 2 * PROBE)
    assert found == every[: len(found)]
