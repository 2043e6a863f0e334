"""Reward models are checked before anything starts: kind, template, tags, reference."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config.model_config import RewardModelConfig
from cluster.run.reward_models import check_reward_model, first_reward_model
from search.errors import UserError
from search.reward_models import RewardModelKind
from tests.fakes.public_models import QWEN_TEMPLATE, chat_tokenizer, qwen_tokenizer, write_files
from tests.fakes.tiny_model import make_empty_model

CONFIG = RewardModelConfig()


def with_tokenizer(directory: Path, architecture: str, tokenizer: object) -> Path:
    write_files(directory, architecture)
    tokenizer.save_pretrained(directory)  # type: ignore[attr-defined]
    return directory


@pytest.mark.parametrize(
    ("labels", "option", "kind"),
    [
        (["reward"], None, RewardModelKind.PPM),
        (["value"], "q_regression", RewardModelKind.Q_REGRESSION),
        (["correct"], "auto", RewardModelKind.ORM),
        (["correct", "neutral", "incorrect"], None, RewardModelKind.PRM),
        (["LABEL_0"], "orm", RewardModelKind.ORM),
    ],
)
def test_trained_kind_is_that_of_labels_or_option(
    tmp_path: Path, labels: list[str], option: str | None, kind: RewardModelKind
) -> None:
    model = make_empty_model(tmp_path / "model", labels)
    assert check_reward_model("--model", model, option, CONFIG) is kind


@pytest.mark.parametrize(
    ("labels", "option", "message"),
    [
        (["reward"], "orm", r"--model: kind orm: the labels of .* \(reward\) are those of the kind ppm"),
        (["LABEL_0"], None, "what it is for is unclear; .*: ppm, q_regression, orm, classifier, outcome"),
        (["incorrect", "correct"], "prm", "the kind prm is a ...ForSequenceClassification model with 3 outputs"),
        (["a", "b"], "classifier", "unclear which of its labels"),
    ],
)
def test_reward_model_of_unclear_kind_is_refused(
    tmp_path: Path, labels: list[str], option: str | None, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        check_reward_model("--model", make_empty_model(tmp_path / "model", labels), option, CONFIG)


def test_tag_that_is_not_one_token_is_refused(tmp_path: Path) -> None:
    architecture = "Qwen2ForProcessRewardModel"
    good = with_tokenizer(tmp_path / "good", architecture, qwen_tokenizer())
    assert check_reward_model("--model", good, None, CONFIG) is RewardModelKind.QWEN_PRM
    bad = with_tokenizer(tmp_path / "bad", architecture, chat_tokenizer(QWEN_TEMPLATE, ("<|im_start|>", "<|im_end|>")))
    with pytest.raises(UserError, match=r"--model: the tag '<extra_0>' is 9 tokens .* must be one"):
        check_reward_model("--model", bad, None, CONFIG)


def test_reference_must_share_the_vocabulary(tmp_path: Path) -> None:
    model = with_tokenizer(tmp_path / "EurusPRM", "Qwen2ForCausalLM", qwen_tokenizer())
    same = with_tokenizer(tmp_path / "same", "Qwen2ForCausalLM", qwen_tokenizer())
    other = with_tokenizer(tmp_path / "other", "Qwen2ForCausalLM", chat_tokenizer(QWEN_TEMPLATE, ("<other>",)))
    with pytest.raises(UserError, match=r"name it in reward_model\.reference"):
        check_reward_model("--model", model, None, CONFIG)
    fitting = RewardModelConfig(reference=str(same))
    assert check_reward_model("--model", model, None, fitting) is RewardModelKind.IMPLICIT
    with pytest.raises(UserError, match=r"reward_model\.reference: the vocabulary of .*other is not that of --model"):
        check_reward_model("--model", model, None, RewardModelConfig(reference=str(other)))


def test_configured_kind_stays_with_the_model() -> None:
    assert first_reward_model(CONFIG, "/model").kind == ""
    assert first_reward_model(RewardModelConfig(kind=RewardModelKind.JUDGE), "/model").kind == "judge"
