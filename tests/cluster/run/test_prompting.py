"""How the models of a run are prompted: each in its own way, worked examples only where they are needed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.config.model_config import PolicyConfig
from cluster.config.run_config import RunConfig
from cluster.models.resolve import ResolvedModel
from cluster.run import prompting
from cluster.run.model_fields import RunModels
from cluster.run.prompting import Prompting
from search.data import State
from search.errors import UserError
from search.formats.code_format import CodeFormat
from search.formats.model_prompt import BUILT_IN_PROMPT, ModelPrompt, PromptSettings
from tests.fakes.prompted_model import make_prompted_model

SHOTS = ("<|user|>: 1 + 1?\n<|assistant|>: 2",)
STATE = State(prompting.SAMPLE_PROBLEM)
SETTINGS = PromptSettings(format="code", shots=SHOTS)


def run_config(**policy: object) -> RunConfig:
    return RunConfig.model_validate(
        {"name": "r", "problems": {"train": {"name": "curriculum", "count": 2}}, "policy": policy}
    )


def models(**directories: Path) -> RunModels:
    return RunModels(
        resolved={
            option.replace("__", "--").replace("_path", ".path"): ResolvedModel(reference=str(path), directory=path)
            for option, path in directories.items()
        }
    )


def test_shots_are_cut_at_lines_of_three_dashes(tmp_path: Path) -> None:
    (tmp_path / "shots.txt").write_text("one\ntwo\n---\nthree\n")
    assert prompting.load_shots(PolicyConfig(shots=str(tmp_path / "shots.txt"))) == ("one\ntwo", "three")
    assert prompting.load_shots(PolicyConfig()) == ()
    (tmp_path / "empty.txt").write_text("---\n")
    with pytest.raises(UserError, match="holds no worked example"):
        prompting.load_shots(PolicyConfig(shots=str(tmp_path / "empty.txt")))


def test_examples_are_for_the_base_and_not_for_the_trained_model(tmp_path: Path) -> None:
    base = make_prompted_model(tmp_path / "base")
    trained = make_prompted_model(tmp_path / "trained", prompt=BUILT_IN_PROMPT)
    formats = Prompting(SETTINGS)
    assert formats.policy_format(str(base)) == CodeFormat(shots=SHOTS)
    assert formats.policy_format(str(trained)) == CodeFormat()
    assert formats.bare_format(base) == CodeFormat()
    assert formats.training_prompt(base) == ModelPrompt(format="code")
    assert formats.policy_format(None) == CodeFormat()


def test_reward_model_reads_the_format_it_was_trained_on(tmp_path: Path) -> None:
    base = make_prompted_model(tmp_path / "base", template=True)
    prompt = ModelPrompt(format="chat", system="Be brief.", trained_on_format=True, reward_kind="ppm")
    own = make_prompted_model(tmp_path / "ppm", template=True, prompt=prompt)
    public = make_prompted_model(tmp_path / "prm")
    formats = Prompting(SETTINGS)
    assert "Be brief." in formats.reward_model_format(own, base).segments(STATE)[0].text
    assert formats.reward_model_format(public, base) == CodeFormat()  # the policy's, without its worked examples


@pytest.mark.parametrize(("template", "advice"), [(True, r"choose policy\.format chat .*, or give"), (False, ": give")])
def test_model_that_cannot_write_code_needs_examples(tmp_path: Path, template: bool, advice: str) -> None:
    directory = make_prompted_model(tmp_path / "m", template=template)
    with pytest.raises(UserError, match=rf"policy\.path: .* not trained on the step format 'code'.*{advice}"):
        prompting.check_prompt("policy.path", directory, PromptSettings(format="code"))
    prompting.check_prompt("policy.path", directory, SETTINGS)
    prompting.check_prompt("--init", directory, PromptSettings(format="code"), shows_examples=False)
    prompting.check_prompt(
        "policy.path", directory, PromptSettings()
    )  # plain or chat: nothing is refused that can work


def test_prompt_that_the_template_refuses_is_refused_early(tmp_path: Path) -> None:
    directory = make_prompted_model(tmp_path / "m", template=True)
    with pytest.raises(UserError, match=r"policy\.path: policy\.shots: a worked example of the format chat"):
        prompting.check_prompt("policy.path", directory, PromptSettings(shots=("1 + 1 = 2",)))
    (directory / "tokenizer_config.json").write_text('{"chat_template": "{{ raise_exception(\'never\') }}"}')
    with pytest.raises(UserError, match=r"policy\.path: the chat template cannot render this conversation: never"):
        prompting.check_prompt("policy.path", directory, PromptSettings())


def test_template_without_the_question_is_refused(tmp_path: Path) -> None:
    directory = make_prompted_model(tmp_path / "m")
    (directory / "chat_template.jinja").write_text("hello")
    with pytest.raises(UserError, match=r"^policy\.path: the chat template in .*m leaves the question out"):
        prompting.check_prompt("policy.path", directory, PromptSettings())


@pytest.mark.parametrize("name", ["LlamaForSequenceClassification", "Qwen2ForProcessRewardModel", "Qwen2ForPrmModel"])
def test_reward_model_is_refused_as_a_policy(tmp_path: Path, name: str) -> None:
    directory = make_prompted_model(tmp_path / "m", template=True)
    (directory / "config.json").write_text(f'{{"architectures": ["{name}"]}}')
    with pytest.raises(UserError, match=rf"^--policy: .*m is a {name}, which writes no text"):
        prompting.check_prompt("--policy", directory, PromptSettings())


def test_second_policy_of_another_format_is_refused(tmp_path: Path) -> None:
    chat = make_prompted_model(tmp_path / "chat", template=True)
    code = make_prompted_model(tmp_path / "code", prompt=BUILT_IN_PROMPT)
    other = make_prompted_model(tmp_path / "other", template=True)
    with pytest.raises(UserError, match=r"second_policy: .* writes steps of the format 'code', the policy of 'chat'"):
        prompting.check_further_policy("second_policy", code, chat, PromptSettings())
    prompting.check_further_policy("second_policy", other, chat, PromptSettings())
    prompting.check_further_policy("second_policy", code, chat, SETTINGS)


def test_run_says_how_its_models_are_prompted(tmp_path: Path) -> None:
    base = make_prompted_model(tmp_path / "base", template=True)
    prompt = ModelPrompt(format="code", trained_on_format=True, reward_kind="ppm")
    ppm = make_prompted_model(tmp_path / "ppm", template=True, prompt=prompt)
    named = models(policy_path=base, reward_model_path=ppm)
    config = run_config(path=str(base))
    first, warning = prompting.describe_prompts(config, PromptSettings(system="Be brief."), named)
    assert first == 'policy: its own chat template, system text "Be brief.", no worked examples'
    assert warning.startswith(
        "warning: reward_model.path was trained on steps of the format code, the policy writes chat"
    )
    assert list(prompting.describe_prompts(config, SETTINGS, named)) == ["policy: format code, 1 worked example"]
    assert list(prompting.describe_prompts(run_config(), PromptSettings(), RunModels())) == [
        "policy: format code, trained on it, no worked examples"
    ]


def test_what_is_not_at_hand_is_not_described() -> None:
    missing = RunModels(missing={"policy.path": "the Hub cannot be reached"})
    assert not list(prompting.describe_prompts(run_config(path="owner/name"), PromptSettings(), missing))
