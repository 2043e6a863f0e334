"""Checks of model directories, worked examples and stored trees before a run starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.config.model_config import PolicyConfig
from cluster.config.run_config import RunConfig
from cluster.run import preflight
from cluster.run.model_fields import RunModels
from search.data import Problem
from search.errors import UserError
from search.formats.code_format import CODE_TAGS
from search.formats.model_prompt import PromptSettings
from search.problems.loading import ProblemSets
from search.storage import tree_store
from search.tree import Tree
from tests.fakes.tiny_model import make_empty_model


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A directory with the files of a model, empty where their content does not matter here."""
    return make_empty_model(tmp_path / "model", architecture="Qwen2ForCausalLM")


def test_model_that_cannot_write_its_format_is_refused(model: Path) -> None:
    code = PromptSettings(format="code")
    with pytest.raises(
        UserError, match=r"policy\.path: .* not trained on the step format 'code': give worked examples"
    ):
        preflight.check_policy(PolicyConfig(path=str(model)), code)
    make_empty_model(model, architecture="Qwen2ForCausalLM", tags=CODE_TAGS)
    preflight.check_policy(PolicyConfig(path=str(model)), code)  # raises no more
    with pytest.raises(UserError, match=r"policy\.path: format chat: the built-in base policy has no chat template"):
        preflight.check_policy(PolicyConfig(), PromptSettings(format="chat"))


@pytest.mark.parametrize(("stored", "named", "age"), [(None, 1, "older"), (1, 1, "older"), (4, 4, "newer")])
def test_model_of_another_schema_version_is_refused(model: Path, stored: int | None, named: int, age: str) -> None:
    facts = {"fingerprint": "f", "steps": 3}
    (model / "train.json").write_text(json.dumps(facts if stored is None else {"schema": stored, **facts}))
    message = (
        rf"--init: .*model has schema version {named}, this RayStar reads and writes version 3: "
        rf"train the model again, or use the {age} RayStar that wrote it"
    )
    with pytest.raises(UserError, match=message):
        preflight.check_model("--init", model)
    for text in ('{"schema": 3, "fingerprint": "f"}', '{"of": "another project"}'):
        (model / "train.json").write_text(text)
        preflight.check_model("--init", model)


def test_stored_trees_are_checked(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"--trees: no trees in .*nowhere"):
        preflight.check_trees("--trees", tmp_path / "nowhere", independent=False)
    file = tree_store.worker_file(tmp_path, 0)
    for tree, message in (
        (Tree(Problem(id="p", question="?", answer="", source="t"), strategy="sampling"), "have no reference answers"),
        (
            Tree(Problem(id="p", question="?", answer="1", source="t"), strategy="mcts"),
            "grown by 'mcts': their solutions are no independent samples",
        ),
    ):
        file.unlink(missing_ok=True)
        with tree_store.TreeWriter(file) as writer:
            writer.append(tree)
        with pytest.raises(UserError, match=message):
            preflight.check_trees("--trees", tmp_path, independent=True)
    preflight.check_trees("--trees", tmp_path, independent=False)
    file.write_text("{}\n")
    with pytest.raises(UserError, match=r"trees-0\.jsonl:1: not a tree"):
        preflight.check_trees("--trees", tmp_path, independent=False)


def test_strategy_that_cannot_work_in_the_format_is_refused() -> None:
    """The built-in base policy writes code, in which no model thinks."""
    problems = {"train": {"name": "curriculum", "count": 2}}
    config = RunConfig.model_validate({"name": "r", "problems": problems, "search": {"strategy": "budget_forcing"}})
    with pytest.raises(UserError, match="'budget_forcing' needs a model that thinks before it answers"):
        preflight.fit_prompts(config, ProblemSets(train=(), validation=(), evaluation={}), (), RunModels())
