"""What a run trains is checked against the models that it begins with, before it starts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cluster.config.run_config import RoundConfig, RunConfig
from cluster.run.checks.training_check import check_rounds_train, check_training
from search.errors import UserError
from tests.fakes.tiny_model import make_empty_model


def make_config(path: Path | None, **settings: object) -> RunConfig:
    return RunConfig.model_validate({"name": "n", "problems": {}, "policy": {"path": path and str(path)}, **settings})


def make_model(directory: Path, architecture: str, **settings: object) -> Path:
    model = make_empty_model(directory, architecture=f"{architecture.title()}ForCausalLM")
    config = {"model_type": architecture, "architectures": [f"{architecture.title()}ForCausalLM"], **settings}
    (model / "config.json").write_text(json.dumps(config))
    return model


def test_rounds_are_refused_when_a_reward_head_has_no_class(tmp_path: Path) -> None:
    model = make_model(tmp_path, "granite")
    config = make_config(model).model_copy(update={"rounds": (RoundConfig(),)})
    with pytest.raises(UserError, match=r"policy\.path: .*'granite' has no sequence classifier"):
        check_rounds_train(config)
    method = config.method.model_copy(update={"reward_model": None})
    check_rounds_train(config.model_copy(update={"method": method}))  # raises no more


def test_rounds_are_accepted_when_both_models_can_be_trained(tmp_path: Path) -> None:
    for model in (make_model(tmp_path / "model", "llama"), tmp_path / "not_here", None):
        check_rounds_train(make_config(model).model_copy(update={"rounds": (RoundConfig(),)}))


def test_training_is_refused_when_weights_are_quantized(tmp_path: Path) -> None:
    model = make_model(tmp_path, "llama", quantization_config={"quant_method": "gptq"})
    with pytest.raises(UserError, match=r"--init: .*quantized \(gptq\)"):
        check_training(make_config(None), "policy", "sft", model)


def test_training_trusts_code_when_its_own_section_says_so(tmp_path: Path) -> None:
    code = {"AutoModelForCausalLM": "modeling.Model", "AutoModelForSequenceClassification": "modeling.Classifier"}
    model = make_model(tmp_path, "novel", auto_map=code)
    config = make_config(model, train={"policy": {"trust_remote_code": True}})
    check_training(config, "policy", "sft", None)
    with pytest.raises(UserError, match="set trust_remote_code"):
        check_training(config, "reward_model", "ppm", None)
