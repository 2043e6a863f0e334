"""Which kind a reward model is: recognised where there is one way to read it, refused where there is doubt."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from search.data import ModelRef
from search.errors import UserError
from search.formats.plain_format import PlainFormat
from search.reward_models import RewardModelKind, recognise, resolve_kind, reward_adapter
from tests.fakes.public_models import LLAMA_TEMPLATE, write_files

CAUSAL, SEQUENCE = "LlamaForCausalLM", "LlamaForSequenceClassification"


@pytest.mark.parametrize(
    ("architecture", "labels", "name", "kind"),
    [
        ("Qwen2ForProcessRewardModel", (), "any", "qwen_prm"),
        ("Qwen2ForPrmModel", (), "any", "skywork"),
        ("Qwen2ForRewardModel", (), "Qwen/Qwen2.5-Math-RM-72B", "outcome"),
        ("MistralForCausalLM", (), "peiyi9979/math-shepherd-mistral-7b-prm", "math_shepherd"),
        (CAUSAL, (), "RLHFlow/Llama3.1-8B-PRM-Deepseek-Data", "rlhflow"),
        (CAUSAL, (), "RLHFlow/Llama3.1-8B-PRM-Mistral-Data", "rlhflow"),
        ("Qwen2ForCausalLM", (), "PRIME-RL/EurusPRM-Stage2", "implicit"),
        (SEQUENCE, ("LABEL_0",), "Skywork/Skywork-Reward-Llama-3.1-8B", "outcome"),
        (SEQUENCE, ("Incorrect", "Correct"), "any", "classifier"),
        (SEQUENCE, ("reward",), "any", "ppm"),
        (SEQUENCE, ("value",), "any", "q_regression"),
        (SEQUENCE, ("correct",), "any", "orm"),
        (SEQUENCE, ("correct", "neutral", "incorrect"), "any", "prm"),
        (CAUSAL, ("likelihood",), "any", "dpo"),
    ],
)
def test_model_is_recognised_by_architecture_labels_or_name(
    architecture: str, labels: tuple[str, ...], name: str, kind: str
) -> None:
    config = {"architectures": [architecture], "id2label": {str(i): label for i, label in enumerate(labels)}}
    assert recognise(config, name) == kind


@pytest.mark.parametrize(
    ("architecture", "labels", "name", "choices"),
    [
        (SEQUENCE, ("LABEL_0",), "some/reward-model", "ppm, q_regression, orm, classifier, outcome"),
        (SEQUENCE, ("LABEL_0", "LABEL_1"), "some/reward-model", "classifier"),
        (SEQUENCE, ("negative", "positive"), "some/sentiment", "classifier"),
        (CAUSAL, (), "meta-llama/Llama-3.1-8B-Instruct", "dpo, math_shepherd, rlhflow, implicit, judge"),
        (CAUSAL, (), "RLHFlow/Llama3.1-8B-ORM-Deepseek-Data", "dpo, math_shepherd, rlhflow, implicit, judge"),
        (SEQUENCE, tuple("abcd"), "any", "none of the kinds ppm, q_regression"),
        ("BertModel", (), "any", "none of the kinds ppm, q_regression"),
    ],
)
def test_unclear_model_is_refused_with_the_kinds_it_can_be(
    tmp_path: Path, architecture: str, labels: tuple[str, ...], name: str, choices: str
) -> None:
    directory = write_files(tmp_path / "model", architecture, labels=labels)
    with pytest.raises(
        UserError, match=rf"^--model: .* is a {architecture}.*: what it is for is unclear; .*: {choices}"
    ):
        resolve_kind("--model", directory, "auto", name)


def test_name_is_read_from_a_path_of_the_hub_cache(tmp_path: Path) -> None:
    snapshot = tmp_path / "models--PRIME-RL--EurusPRM-Stage2" / "snapshots" / "0123abc"
    assert resolve_kind("--model", write_files(snapshot, "Qwen2ForCausalLM"), None) is RewardModelKind.IMPLICIT
    elsewhere = write_files(tmp_path / "EurusPRM-Stage1" / "model", "Qwen2ForCausalLM")  # no model is called so
    with pytest.raises(UserError, match="unclear"):
        resolve_kind("--model", elsewhere, None)


def test_chosen_kind_must_fit_the_model(tmp_path: Path) -> None:
    causal = write_files(tmp_path / "causal", CAUSAL, LLAMA_TEMPLATE)
    assert resolve_kind("--model", causal, "judge") is RewardModelKind.JUDGE
    with pytest.raises(
        UserError, match="the kind qwen_prm is a Qwen2ForProcessRewardModel; it can be dpo, math_shepherd"
    ):
        resolve_kind("--model", causal, "qwen_prm")
    trained = write_files(tmp_path / "trained", SEQUENCE, labels=("value",))
    with pytest.raises(
        UserError, match=r"kind ppm: the labels of .*trained \(value\) are those of the kind q_regression"
    ):
        resolve_kind("--model", trained, "ppm")
    assert resolve_kind("--model", trained, "outcome") is RewardModelKind.OUTCOME  # another project may use the word


def test_raystar_json_says_the_kind_of_a_trained_model(tmp_path: Path) -> None:
    directory = write_files(tmp_path / "model", SEQUENCE, labels=("LABEL_0",))
    prompt = {"schema_version": 3, "format": "plain", "trained_on_format": True, "reward_kind": "ppm"}
    (directory / "raystar.json").write_text(json.dumps(prompt))
    assert resolve_kind("--model", directory, None) is RewardModelKind.PPM


def test_adapter_follows_the_kind_of_the_reference(tmp_path: Path) -> None:
    directory = write_files(tmp_path / "model", SEQUENCE, LLAMA_TEMPLATE, labels=("LABEL_0",))
    model = ModelRef("reward_model", str(directory), kind="outcome")
    assert reward_adapter(model, PlainFormat()).kind is RewardModelKind.OUTCOME
    with pytest.raises(UserError, match="unclear"):
        reward_adapter(ModelRef("reward_model", str(directory)), PlainFormat())
