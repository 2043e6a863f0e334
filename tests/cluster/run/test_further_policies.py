"""Policies beside the first: named, resolved, checked and given engines like it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cluster.config.run_config import RunConfig
from cluster.models.resolve import ResolvedModel
from cluster.models.size import ModelSize
from cluster.plan.parameters import ModelParameters, model_parameters
from cluster.plan.searches import search_cost
from cluster.plan.text import placement
from cluster.run import model_fields, preflight
from cluster.run.context_length import UNCHECKED_LENGTH
from cluster.run.models import Models, further_policies, model_ref, policy_engine
from cluster.searches.runner import describe_loads
from search.data import ModelRef
from search.errors import UserError
from search.formats.model_prompt import BUILT_IN_PROMPT
from search.problems.loading import ProblemSets
from search.strategies.registry import search_config
from tests.fakes.prompted_model import make_prompted_model
from tests.fakes.tiny_model import make_empty_model

SIZE = {"layers": 1, "hidden": 2, "intermediate": 3, "heads": 1, "kv_heads": 1, "vocabulary": 5}
BASE, TRAINED = ModelRef("policy", "/base"), ModelRef("policy", "/trained", 2, 2)
NO_PROBLEMS = ProblemSets(train=(), validation=(), evaluation={})  # so that no tokenizer is needed


def make_config(*policies: dict[str, Any], **fields: Any) -> RunConfig:
    named = {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "search": {"strategy": "ab_mcts"}}
    return RunConfig.model_validate({**named, "policies": policies, **fields})


def test_search_gets_the_policies_that_its_strategy_draws_by() -> None:
    config, models = make_config({"path": "/other"}, {"path": "base"}, second_policy="base"), Models(BASE, TRAINED)
    assert further_policies(models, config, config.search) == {
        "policy_2": model_ref("policy_2", "/other", 0),
        "policy_3": model_ref("policy_3", "/base", 0),
    }
    assert further_policies(models, config, search_config(strategy="rstar")) == {
        "second_policy": model_ref("second_policy", "/base", 0)
    }
    assert further_policies(models, config, search_config()) == {}
    assert further_policies(Models(BASE, BASE), config, config.search)["policy_3"] is BASE  # it shares the engines


def test_engines_of_a_policy_are_by_default_like_the_first_ones() -> None:
    config = make_config({"path": "/a"}, {"path": "/b", "engine": {"replicas": 3}}, policy={"engine": {"replicas": 2}})
    roles = ("policy", "second_policy", "policy_2", "policy_3")
    assert [policy_engine(config, role).replicas for role in roles] == [2, 2, 2, 3]
    loads = [TRAINED, model_ref("policy_2", "/a", 0), model_ref("policy_3", "/b", 0)]
    assert describe_loads(loads, config) == "policy trained, policy 2 a, policy 3 b on 2 + 2 + 3 engines"
    lines = [line for line in placement(config, None) if line.startswith("policy 3 engines: ")]
    assert lines and lines[0].startswith("policy 3 engines: 3 x (")


def test_policies_are_resolved_and_kept_in_the_lineage(tmp_path: Path) -> None:
    for name in ("a", "b"):
        make_empty_model(tmp_path / name, architecture="Qwen2ForCausalLM")
    config = make_config({"path": str(tmp_path / "a" / "..") + "/a"}, {"path": "base"}, {"path": str(tmp_path / "b")})
    models = model_fields.resolve_models(config, {}, {})
    assert list(models.resolved) == ["policies.0.path", "policies.2.path"]
    found = model_fields.with_directories(config, models)
    assert [policy.path for policy in found.policies] == [
        str(models.resolved["policies.0.path"].directory),
        "base",
        str(tmp_path / "b"),
    ]
    assert [(entry["role"], entry["round"]) for entry in models.lineage()] == [("policy_2", 0), ("policy_4", 0)]
    assert set(models.facts()) == {"policies.0.path", "policies.2.path"}
    recorded = {"policies.2.path": {"header_digest": "another", "directory": "/before"}}
    with pytest.raises(UserError, match=r"^policies\.2\.path: .* is another model than /before"):
        model_fields.resolve_models(config, {}, recorded)


def test_missing_policy_is_refused_by_its_field() -> None:
    with pytest.raises(UserError, match=r"^policies\.1\.path: no model directory /nowhere"):
        model_fields.resolve_models(make_config({"path": "base"}, {"path": "/nowhere"}), {}, {})


def test_engine_option_that_does_not_fit_is_refused_by_its_place() -> None:
    config = make_config({"path": "base"}, {"path": "/b", "engine": {"extra": {"no_such_argument": 1}}})
    with pytest.raises(UserError, match=r"^policies\.1\.engine\.extra"):
        model_fields.check_engines(config, model_fields.RunModels())


def fitted(first: Path, *policies: dict[str, Any]) -> RunConfig:
    config = make_config(*policies, policy={"path": str(first)})
    paths = {"policy.path": first} | {f"policies.{n}.path": Path(entry["path"]) for n, entry in enumerate(policies)}
    resolved = {option: ResolvedModel(reference=str(path), directory=path) for option, path in paths.items()}
    return preflight.fit_prompts(config, NO_PROBLEMS, (), model_fields.RunModels(resolved=resolved))


def test_every_policy_must_write_steps_of_the_same_format(tmp_path: Path) -> None:
    chat = make_prompted_model(tmp_path / "chat", template=True)
    other = make_prompted_model(tmp_path / "other", template=True)
    code = make_prompted_model(tmp_path / "code", prompt=BUILT_IN_PROMPT)
    assert fitted(chat, {"path": str(other)}).policy.engine.max_model_len == UNCHECKED_LENGTH
    with pytest.raises(UserError, match=r"^policies\.1\.path: .*code writes steps of the format 'code', the policy of"):
        fitted(chat, {"path": str(other)}, {"path": str(code)})


def test_engines_of_a_further_policy_have_a_context_of_their_own(tmp_path: Path) -> None:
    first = make_prompted_model(tmp_path / "first", template=True)
    small = make_prompted_model(tmp_path / "small", template=True)
    (small / "config.json").write_text('{"max_position_embeddings": 512}')
    apart = fitted(first, {"path": str(small), "engine": {}})
    assert apart.policies[0].engine is not None
    assert (apart.policy.engine.max_model_len, apart.policies[0].engine.max_model_len) == (UNCHECKED_LENGTH, 512)
    assert fitted(first, {"path": str(small)}).policy.engine.max_model_len == 512  # which both allow
    with pytest.raises(UserError, match=r"^policies\.0\.engine\.max_model_len: 600 is more than the 512 tokens"):
        fitted(first, {"path": str(small), "engine": {"max_model_len": 600}})


def test_plan_counts_with_the_largest_policy_that_draws() -> None:
    big = {**SIZE, "vocabulary": 9}
    config = make_config({"path": "me/big", "size": big}, {"path": "base"}, policy={"path": "me/p", "size": SIZE})
    missing = model_fields.RunModels(missing={"policy.path": "", "policies.0.path": ""})
    parameters = model_parameters(config, missing)
    sizes = [ModelSize.model_validate(size).parameters() for size in (SIZE, big)]
    assert (parameters.policy, parameters.further) == (sizes[0], (sizes[1], sizes[0]))
    search = search_config(strategy="ab_mcts", rollouts=2, candidates=1, max_depth=3, max_step_tokens=5)
    assert search_cost(search, 1, parameters, scored=False).flops == 2 * sizes[1] * 30
    assert search_cost(search_config(rollouts=1), 1, parameters, scored=False).flops == search_cost(
        search_config(rollouts=1), 1, ModelParameters(policy=sizes[0]), scored=False
    ).flops  # fmt: skip
    assert ModelParameters(policy=1, further=(None,)).largest_policy() is None
