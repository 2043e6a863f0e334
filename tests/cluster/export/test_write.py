"""An exported directory: what is in it, that transformers uses it as it is, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
import yaml
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer, pipeline

from cluster.export.write import check_target, plan_export, write_export
from cluster.run.manifest import read_manifest
from search.data import Problem, State, Until
from search.errors import UserError
from search.formats.code_format import CODE_TAGS, CodeFormat
from search.formats.model_prompt import ModelPrompt, read_model_prompt, write_model_prompt
from search.tokens import TokenEncoder
from tests.cluster.made_up_run import make
from tests.fakes.tiny_model import make_policy, make_reward_model

QUESTION = "What is 3 + 4?"
PLAIN = ModelPrompt(format="plain", trained_on_format=True)


@pytest.fixture(scope="module")
def policy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A policy that writes in code, with what must not be exported beside it."""
    directory = make_policy(tmp_path_factory.mktemp("policy"), gain=10)
    write_model_prompt(directory, ModelPrompt(format="code", trained_on_format=True))
    (directory / "generation_config.json").write_text(json.dumps({"eos_token_id": 1, "repetition_penalty": 1.3}))
    (directory / "train.json").write_text(json.dumps({"samples": 12, "steps": 3, "tokens": 900}))
    (directory / "events.log").write_text("")
    return directory


@pytest.fixture(scope="module")
def exported(policy: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    target = tmp_path_factory.mktemp("out") / "model"
    write_export(plan_export(policy, "my-model", "mit"), target)
    return target


def test_export_holds_all_that_others_need(exported: Path, policy: Path) -> None:
    names = {file.name for file in exported.iterdir()}
    needed = {"README.md", "chat_template.jinja", "config.json", "generation_config.json", "raystar.json"}
    assert needed | {"model.safetensors", "tokenizer.json", "tokenizer_config.json"} <= names
    assert not names & {"train.json", "events.log"}
    assert (exported / "model.safetensors").read_bytes() == (policy / "model.safetensors").read_bytes()
    assert read_model_prompt(exported) == read_model_prompt(policy)
    vocabulary = AutoTokenizer.from_pretrained(exported).get_vocab()
    assert set(CODE_TAGS) <= set(vocabulary)
    stops = json.loads((exported / "generation_config.json").read_text())
    ends = ("<end_of_code>", "<end_of_answer>")
    assert set(stops["eos_token_id"]) == {1, vocabulary["<eos>"], *(vocabulary[end] for end in ends)}
    assert "repetition_penalty" not in stops


def test_pipeline_writes_the_step_that_a_search_would(exported: Path) -> None:
    step_format = CodeFormat()
    state = State(Problem(id="p", question=QUESTION, answer="7", source="made up"))
    tokenizer = AutoTokenizer.from_pretrained(exported)
    encoder = TokenEncoder.of(tokenizer)
    ids = encoder.ids([segment.piece for segment in step_format.segments(state)])
    model = AutoModelForCausalLM.from_pretrained(exported, dtype=torch.float32)
    stops = encoder.stop_ids(step_format.stops(state, Until.PAUSE))
    assert stops is not None
    drawn = list(ids)
    for _ in range(24):
        with torch.no_grad():
            drawn.append(int(model(input_ids=torch.tensor([drawn])).logits[0, -1].argmax()))
        if drawn[-1] in stops:
            break
    generate = pipeline("text-generation", str(exported), dtype=torch.float32)
    chat = [{"role": "user", "content": QUESTION}]
    answer = generate(chat, max_new_tokens=24, do_sample=False)[0]["generated_text"][-1]
    assert answer["role"] == "assistant"
    expected = tokenizer.decode(drawn[len(ids) :], skip_special_tokens=True)
    assert len(expected) > 8 and answer["content"] == expected


def test_chat_goes_on_where_a_step_ended(exported: Path) -> None:
    tokenizer = AutoTokenizer.from_pretrained(exported)
    steps = "# Step 1\nx = 3\n<end_of_step>\n"
    chat = [{"role": "user", "content": QUESTION}, {"role": "assistant", "content": steps}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, continue_final_message=True)
    assert text == f"<|user|>: {QUESTION}\n<|assistant|>: <code>\n{steps}"


def test_exported_reward_model_loads_with_transformers(tmp_path: Path) -> None:
    source = make_reward_model(tmp_path / "reward")
    config = json.loads((source / "config.json").read_text())
    (source / "config.json").write_text(json.dumps({**config, "id2label": {"0": "reward"}, "label2id": {"reward": 0}}))
    write_model_prompt(source, ModelPrompt(format="code", trained_on_format=True))
    export = plan_export(source, "my-reward", None)
    write_export(export, tmp_path / "out")
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        outputs = [
            AutoModelForSequenceClassification.from_pretrained(directory)(input_ids=ids).logits
            for directory in (source, tmp_path / "out")
        ]
    assert torch.equal(*outputs)
    prompt = read_model_prompt(tmp_path / "out")
    assert prompt is not None and prompt.reward_kind == "ppm"
    card = (tmp_path / "out" / "README.md").read_text()
    assert "kind ppm" in card and "in this order: reward." in card and "pipeline_tag: text-classification" in card


def test_reward_model_of_others_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="a reward model that RayStar did not train"):
        plan_export(make_reward_model(tmp_path), "model", None)


def test_card_without_a_run_says_what_is_not_known(exported: Path) -> None:
    card = (exported / "README.md").read_text()
    header = yaml.safe_load(card.split("---")[1])
    assert header["license"] == "mit" and header["library_name"] == "transformers"
    assert header["pipeline_tag"] == "text-generation"
    assert "No evaluation of this model is recorded." in card
    assert "12 samples, 3 optimizer steps, 900 tokens" in card
    assert f"<|user|>: {QUESTION}\n<|assistant|>: <code>" in card
    assert "Run the code in a sandbox" in card


def test_card_of_a_run_has_base_method_data_and_accuracy(tmp_path: Path) -> None:
    root = make(tmp_path / "demo")
    config = {
        "version": 1,
        "name": "demo",
        "seed": 7,
        "policy": {"path": "/cache/abc123"},
        "method": {"rule": "rstar_math"},
        "problems": {"train": {"name": "gsm8k"}},
    }
    (root / "config.yaml").write_text(yaml.safe_dump(config))
    resolved = {"reference": "Qwen/Qwen2.5-Coder-0.5B-Instruct", "directory": "/cache/abc123", "commit": "abc123"}
    manifest = read_manifest(root / "manifest.json").with_fields({"models": {"policy.path": resolved}})
    (root / "manifest.json").write_text(manifest.dump())
    directory = make_policy(root / "rounds/r2/train_policy/model", width=32, intermediate=64, heads=2)
    write_model_prompt(directory, PLAIN)
    export = plan_export(directory, "ada/demo", None)
    header = yaml.safe_load(export.card.split("---")[1])
    assert header["base_model"] == "Qwen/Qwen2.5-Coder-0.5B-Instruct"
    assert header["datasets"] == ["openai/gsm8k"]
    results = header["model-index"][0]["results"]
    assert {result["dataset"]["name"] for result in results} == {"heldout", "deeper"}
    assert "from `Qwen/Qwen2.5-Coder-0.5B-Instruct` at revision `abc123`" in export.card
    assert "harvest rule `rstar_math`, objective `sft`, round 2" in export.card
    assert "gsm8k (`openai/gsm8k`), licence MIT" in export.card
    assert "| heldout | greedy | 58.0 | 52.3 to 63.4 | 300 |" in export.card
    assert "Started from: `rounds/r0/base/model`." in export.card
    assert "promoted in round 2: no worse" in export.card
    assert f"RayStar commit `{export.origin.commit}`" in export.card


def test_model_that_was_not_promoted_has_no_accuracy(tmp_path: Path) -> None:
    root = make(tmp_path / "demo")
    directory = make_policy(root / "rounds/r3/train_policy/model", width=32, intermediate=64, heads=2)
    write_model_prompt(directory, PLAIN)
    export = plan_export(directory, "demo", None)
    assert export.origin.measured == () and "not promoted in round 3" in export.card


def test_export_is_refused_when_the_target_is_not_empty(exported: Path, policy: Path, tmp_path: Path) -> None:
    check_target(tmp_path)
    with pytest.raises(UserError, match="exists and is not an empty directory"):
        write_export(plan_export(policy, "model", None), exported)


def test_export_is_refused_below_a_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is no directory that can be written to"):
        check_target(tmp_path / "file" / "x" / "y")


def test_export_leaves_nothing_when_it_fails(policy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    export = plan_export(policy, "model", None)

    def fail(*arguments: object) -> None:
        raise OSError("no space left on device")

    monkeypatch.setattr("cluster.export.write.write_model_prompt", fail)
    with pytest.raises(OSError, match="no space left"):
        write_export(export, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []
