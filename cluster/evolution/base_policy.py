"""Make the built-in base policy: train its recipe once and keep the model in a cache."""

from __future__ import annotations

import hashlib
import json
import shutil
from itertools import chain
from pathlib import Path

from cluster.config.model_config import RecipeConfig
from cluster.config.run_config import RunConfig
from cluster.run.progress import Progress, training_task
from search import serialization
from search.data import State, Trajectory
from search.formats.code_format import CODE_TAGS
from search.formats.model_prompt import BUILT_IN_PROMPT, build_format
from search.problems import curriculum
from search.problems.cache_directory import cache_root
from search.storage.files import atomic_directory
from search.storage.schema import SCHEMA_VERSION
from train.config import NOT_IN_FINGERPRINT
from train.trainer.launch import TrainTask, fit
from train.trainer.room import TrainingRoom

KEY_SOLUTIONS = 20  # worked solutions of each depth in the key of a recipe; making all of them takes ten seconds
RECIPE_VERSION = 7  # increment it when the curriculum or the meaning of the recipe changes: old caches are then unused


def recipe_key(recipe: RecipeConfig) -> str:
    """Return a hash of all that decides the weights: the recipe's settings and seed, and the first worked solutions.

    How its training is laid out does not: the same model serves on other machines.
    """
    digest = hashlib.blake2b(digest_size=10)
    settings = recipe.model_dump(mode="json", exclude={"train": set(NOT_IN_FINGERPRINT)})
    digest.update(json.dumps([SCHEMA_VERSION, RECIPE_VERSION, settings], sort_keys=True).encode())
    for solution in worked_solutions(recipe, KEY_SOLUTIONS):
        digest.update(serialization.dump(solution).encode())
    return digest.hexdigest()


def worked_solutions(recipe: RecipeConfig, limit: int | None = None) -> list[Trajectory]:
    """Return the shallow worked solutions that the base policy is trained on, at most ``limit`` of each depth."""
    return [
        curriculum.worked_trajectory(problem)
        for depth, count in enumerate(recipe.solutions, 1)
        for problem in curriculum.make_problems("worked", min(count, limit or count), recipe.seed, (depth, depth))
    ]


def make_base_policy(
    config: RunConfig, output: Path, progress: Progress, *, shared: bool = False, room: TrainingRoom | None = None
) -> dict[str, object]:
    """Write the built-in base policy to ``output`` (a model directory) and return facts about its training.

    ``shared``: train beside ``output``, where workers on other nodes find the files, and not in this machine's cache.
    ``room``: the cluster's nodes, where the run has joined one.
    """
    recipe = config.policy.recipe
    key = recipe_key(recipe)
    cached = cache_root() / f"base-{key}"
    is_cached = cached.exists()
    if is_cached:
        progress.log(f"base policy: from the cache, {cached}")
    elif shared:
        work = output.with_name("recipe")
        _train_recipe(recipe, work, progress, room)
        with atomic_directory(cached) as copy:
            shutil.copytree(work, copy, dirs_exist_ok=True)
        shutil.rmtree(work)
    else:
        _train_recipe(recipe, cached, progress, room)
    shutil.copytree(cached / "model", output)
    return {**json.loads((cached / "facts.json").read_text()), "cached": is_cached, "key": key}


def _train_recipe(recipe: RecipeConfig, directory: Path, progress: Progress, room: TrainingRoom | None) -> None:
    """Train the recipe into the directory ``directory``. If another run has made it meanwhile, that one is kept."""
    # Heavy: torch's and transformers' models take seven seconds, which no command waits for that has a policy.
    from train.trainer.base_policy import build_tokenizer, write_initial_model

    with atomic_directory(directory) as work:
        solutions, step_format = worked_solutions(recipe), build_format(BUILT_IN_PROMPT, None)
        data = work / "worked.jsonl"
        data.write_text("".join(f"{serialization.dump(solution)}\n" for solution in solutions), encoding="utf-8")
        segments = [step_format.segments(State(solution.problem, solution.steps)) for solution in solutions]
        texts = [segment.text for segment in chain.from_iterable(segments)]
        tokenizer = build_tokenizer(texts, recipe.size.vocabulary, CODE_TAGS)
        write_initial_model(work / "init", recipe.size, tokenizer, recipe.seed)
        task = TrainTask(
            objective="sft",
            initial_model=work / "init",
            data=(data,),
            prompt=BUILT_IN_PROMPT,
            output=work / "model",
            work_directory=work / "train",
            seed=recipe.seed,
            name="base",
            room=room,
        )
        with training_task(progress, "base policy: training") as report:
            result = fit(recipe.train, task, report)
        facts = {"solutions": len(solutions), "loss": result.final_loss, "tokens_trained": result.tokens}
        (work / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
        for leftover in (work / "init", work / "train"):
            shutil.rmtree(leftover, ignore_errors=True)
