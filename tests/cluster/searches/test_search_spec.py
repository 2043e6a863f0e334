"""What search workers get of a plan: each model of it in its own format."""

from __future__ import annotations

from pathlib import Path

from cluster.run.models import model_ref
from cluster.searches.runner import SearchPlan, search_spec
from search.data import State
from search.formats.code_format import CodeFormat
from search.formats.model_prompt import BUILT_IN_PROMPT, ModelPrompt, write_model_prompt
from search.reward_models.trained import TrainedClassifier
from search.strategies.registry import search_config
from tests.cluster.evolution.scripted_rounds import TRAIN, running
from tests.fakes.prompted_model import make_prompted_model
from tests.fakes.tiny_model import make_empty_model


def test_every_model_of_a_search_has_its_own_format(tmp_path: Path) -> None:
    base = make_prompted_model(tmp_path / "base")
    trained = make_prompted_model(tmp_path / "trained", prompt=BUILT_IN_PROMPT)
    ppm = make_empty_model(tmp_path / "ppm", labels=["reward"])
    write_model_prompt(ppm, ModelPrompt(format="plain", trained_on_format=True, reward_kind="ppm"))
    plan = SearchPlan(
        config=search_config(),
        policy=model_ref("policy", base, 0),
        further={"second_policy": model_ref("second_policy", trained, 1), "policy_2": model_ref("policy_2", base, 0)},
        reward_model=model_ref("reward_model", ppm, 1),
        problems=TRAIN,
        seed=("search",),
        label="search",
    )
    with running(tmp_path / "run", shots=("one",), policy={"format": "code"}) as context:
        spec = search_spec(context, plan, tmp_path)
    assert spec.format == CodeFormat(shots=("one",))
    assert spec.further_formats == {"second_policy": CodeFormat(), "policy_2": CodeFormat(shots=("one",))}
    assert spec.models == {
        "policy": "policy of round 0",
        "second_policy": "second_policy of round 1",
        "policy_2": "base",
        "reward_model": "reward_model of round 1",
    }
    assert isinstance(spec.reward_adapter, TrainedClassifier)
    piece = spec.reward_adapter.render(State(TRAIN[0])).pieces[0]
    assert piece[0].startswith("Question: ")


def test_models_that_a_search_has_not_have_no_format(tmp_path: Path) -> None:
    plan = SearchPlan(
        config=search_config(),
        policy=model_ref("policy", make_prompted_model(tmp_path / "base", template=True), 0),
        reward_model=None,
        problems=TRAIN,
        seed=("search",),
        label="search",
    )
    with running(tmp_path / "run") as context:
        spec = search_spec(context, plan, tmp_path)
    assert (spec.format.name, spec.further_formats, spec.reward_adapter) == ("chat", {}, None)
