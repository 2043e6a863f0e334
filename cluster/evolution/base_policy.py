"""The base policy of a run: a model directory from the config, or the built-in recipe trained once and kept in a cache.

Knows the recipe's hash and where the cache lies. What the model is made of is train/trainer/base_policy.py's business.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from tempfile import mkdtemp

from cluster.config.run_config import RecipeConfig, RunConfig
from cluster.run.progress import Progress, shown
from search import serialization
from search.data import State, Trajectory
from search.formats.registry import CODE_TAGS, CodeFormat
from search.problems import curriculum
from train.trainer.base_policy import build_tokenizer, initialise
from train.trainer.launch import TrainTask, fit

CACHE_VARIABLE = "RAYSTAR_CACHE"
PROBE = 20  # worked solutions of each depth that tell one curriculum from another; to make all takes half a minute
LAYOUT = 6  # raise it when the curriculum or the recipe's meaning changes: old caches are then left alone


def cache_root() -> Path:
    """``RAYSTAR_CACHE``, else ``raystar`` in the user's cache directory."""
    if os.environ.get(CACHE_VARIABLE):
        return Path(os.environ[CACHE_VARIABLE]).expanduser()
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "raystar"


def recipe_key(recipe: RecipeConfig) -> str:
    """A hash of what decides what the base policy becomes: settings, its seed, and the first worked solutions."""
    digest = hashlib.blake2b(digest_size=10)
    digest.update(json.dumps([LAYOUT, recipe.model_dump(mode="json")], sort_keys=True).encode())
    for solution in worked_solutions(recipe, PROBE):
        digest.update(serialization.dump(solution).encode())
    return digest.hexdigest()


def worked_solutions(recipe: RecipeConfig, most: int | None = None) -> list[Trajectory]:
    """The shallow worked solutions that the base policy is shown; of each depth the first ``most``, if that is less."""
    return [
        curriculum.worked(problem)
        for depth, count in enumerate(recipe.solutions, 1)
        for problem in curriculum.problems("worked", min(count, most or count), recipe.seed, (depth, depth))
    ]


def base_policy(config: RunConfig, output: Path, progress: Progress) -> dict[str, object]:
    """Put the built-in base policy into ``output`` (a model directory); returns what is known of how it was made."""
    recipe = config.policy.recipe
    key = recipe_key(recipe)
    made = cache_root() / f"base-{key}"
    known = made.exists()
    if not known:
        _make(recipe, made, progress)
    else:
        progress.say(f"base policy: taken from the cache, {made}")
    shutil.copytree(made / "model", output)
    return {**json.loads((made / "facts.json").read_text()), "cached": known, "key": key}


def _make(recipe: RecipeConfig, made: Path, progress: Progress) -> None:
    """Train the recipe beside its place in the cache and move it there when it is complete."""
    made.parent.mkdir(parents=True, exist_ok=True)
    work = Path(mkdtemp(prefix="base-", dir=made.parent))
    solutions, step_format = worked_solutions(recipe), CodeFormat()
    data = work / "worked.jsonl"
    data.write_text("".join(f"{serialization.dump(solution)}\n" for solution in solutions), encoding="utf-8")
    states = [step_format.segments(State(s.problem, s.steps)) for s in solutions]
    texts = [segment.text for segments in states for segment in segments]
    tokenizer = build_tokenizer(texts, recipe.size.vocabulary, CODE_TAGS)
    initialise(work / "init", recipe.size, tokenizer, recipe.seed)
    task = TrainTask("sft", work / "init", (data,), step_format, work / "model", work / "train", recipe.seed, "base")
    with shown(progress, "base policy: training") as report:
        result = fit(recipe.train, task, report)
    facts = {"solutions": len(solutions), "loss": result.final_loss, "tokens_trained": result.tokens}
    (work / "facts.json").write_text(json.dumps(facts), encoding="utf-8")
    for leftover in (work / "init", work / "train"):
        shutil.rmtree(leftover, ignore_errors=True)
    try:
        os.replace(work, made)
    except OSError:  # another run made the same recipe meanwhile: its result is as good
        shutil.rmtree(work)
