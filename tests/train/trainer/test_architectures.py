"""Every architecture: its own logits in the loss, a reward head that learns, and a directory that loads again."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor, distributed
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from search.formats.model_prompt import ModelPrompt
from tests.fakes.tiny_architectures import OPTIONS, make_architecture
from train.config import TrainConfig
from train.data.model_tokenizer import load_tokenizer
from train.trainer import checkpoint
from train.trainer.models import load_model

CONFIG = TrainConfig(precision="fp32", zero_stage=0)
PAD = 1
PROMPT = ModelPrompt(format="code", trained_on_format=True)
FAST = ("llama", "qwen2", "qwen3", "gemma2", "gemma3_text", "phi3", "granite", "cohere")
WITHOUT_CLASSIFIER = ("granite", "cohere")
OTHERS = sorted({*OPTIONS, "gemma3"} - {*FAST})
ARCHITECTURES = [*FAST, *(pytest.param(name, marks=[pytest.mark.slow, pytest.mark.thorough]) for name in OTHERS)]
CLASSIFIED = [name for name in ARCHITECTURES if name not in WITHOUT_CLASSIFIER]
LENGTHS = (24, 40)  # beyond the sliding window of the Gemmas


@pytest.fixture(scope="module")
def process_group() -> Iterator[None]:
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


def texts() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randint(2, 250, (length,), generator=generator) for length in LENGTHS]


def padded_batch() -> tuple[Tensor, Tensor, Tensor]:
    """Return input ids [2, L], every position but the last of each text, and the tokens that follow them."""
    ids = torch.nn.utils.rnn.pad_sequence(texts(), batch_first=True, padding_value=PAD)
    positions = torch.cat([torch.arange(length - 1) + row * ids.shape[1] for row, length in enumerate(LENGTHS)])
    return ids, positions, torch.cat([text[1:] for text in texts()])


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_loss_equals_that_of_transformers(architecture: str, tmp_path: Path) -> None:
    make_architecture(tmp_path, architecture)
    ids, positions, labels = padded_batch()
    own = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager").eval()
    with torch.no_grad():
        expected = torch.cat([own(input_ids=text[None]).logits[0, :-1] for text in texts()])
        logits = load_model(tmp_path, (), CONFIG, PAD).eval()(ids, positions)
    assert logits.shape == expected.shape
    assert cross_entropy(logits, labels).item() == pytest.approx(cross_entropy(expected, labels).item(), abs=1e-5)
    assert torch.allclose(logits, expected, atol=1e-4)


@pytest.mark.parametrize("architecture", ["gemma2", "granite", "cohere"])
def test_bare_head_would_give_another_loss(architecture: str, tmp_path: Path) -> None:
    own = AutoModelForCausalLM.from_pretrained(make_architecture(tmp_path, architecture)).eval()
    text = texts()[0]
    with torch.no_grad():
        bare = own.get_output_embeddings()(own.base_model(input_ids=text[None]).last_hidden_state)[0, :-1]
        logits = own(input_ids=text[None]).logits[0, :-1]
    assert abs(cross_entropy(bare, text[1:]).item() - cross_entropy(logits, text[1:]).item()) > 0.05


def test_attention_cap_of_gemma_2_is_not_left_out(tmp_path: Path) -> None:
    make_architecture(tmp_path, "gemma2")
    ids, positions, _ = padded_batch()
    with torch.no_grad():
        logits = load_model(tmp_path, (), CONFIG, PAD).eval()(ids, positions)
        fused = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="sdpa").eval()
        without_cap = fused(input_ids=texts()[0][None]).logits[0, :-1]
    assert (logits[: LENGTHS[0] - 1] - without_cap).abs().max() > 0.01


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("architecture", CLASSIFIED)
def test_reward_head_learns_and_loads_again(architecture: str, tmp_path: Path) -> None:
    source = make_architecture(tmp_path / "base", architecture)
    model = load_model(source, ("correct", "neutral", "incorrect"), CONFIG, PAD)
    ids, positions, _ = padded_batch()
    outputs = model(ids, positions)
    assert outputs.shape == (len(positions), 3) and 0.1 < outputs.square().mean().sqrt() < 10
    outputs.square().mean().backward()
    body = set(model.model.base_model.parameters())
    head = [parameter for parameter in model.model.parameters() if parameter not in body]
    assert head and all(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in head)
    assert any(parameter.grad is not None and parameter.grad.abs().max() > 0 for parameter in body)
    checkpoint.export(model, source, tmp_path / "out", 0, {}, PROMPT)
    loaded = AutoModelForSequenceClassification.from_pretrained(tmp_path / "out", attn_implementation="eager").eval()
    AutoTokenizer.from_pretrained(tmp_path / "out")
    with torch.no_grad():
        at_ends = model.eval()(ids, torch.tensor([LENGTHS[0] - 1, ids.shape[1] + LENGTHS[1] - 1]))
        expected = torch.cat([loaded(input_ids=text[None]).logits for text in texts()])
    assert loaded.config.id2label == {0: "correct", 1: "neutral", 2: "incorrect"}
    assert torch.allclose(at_ends, expected, atol=1e-5)


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_exported_policy_gives_equal_logits(architecture: str, tmp_path: Path) -> None:
    source = make_architecture(tmp_path / "base", architecture)
    model = load_model(source, (), CONFIG, PAD)
    ids, positions, labels = padded_batch()
    cross_entropy(model(ids, positions), labels).backward()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.grad is not None:
                parameter.add_(parameter.grad, alpha=-0.1)
        trained = model.eval()(ids, positions)
    checkpoint.export(model, source, tmp_path / "out", 0, {}, PROMPT)
    with torch.no_grad():
        again = load_model(tmp_path / "out", (), CONFIG, PAD).eval()(ids, positions)
        before = load_model(source, (), CONFIG, PAD).eval()(ids, positions)
    assert torch.allclose(again, trained, atol=1e-5)
    assert (before - trained).abs().max() > 1e-3


def test_tower_of_a_multimodal_model_is_frozen(tmp_path: Path) -> None:
    model = load_model(make_architecture(tmp_path, "gemma3"), ("reward",), CONFIG, PAD).model
    frozen = {name.split(".")[1] for name, parameter in model.named_parameters() if not parameter.requires_grad}
    assert frozen == {"vision_tower", "multi_modal_projector"}


@pytest.mark.usefixtures("process_group")
@pytest.mark.parametrize("architecture", ["llama", "qwen2"])
@pytest.mark.parametrize("head", [(), ("reward",)])
def test_new_tokens_begin_as_the_mean_and_are_saved(architecture: str, head: tuple[str, ...], tmp_path: Path) -> None:
    source = make_architecture(tmp_path / "base", architecture)
    tags = ("<step>", "<box>")
    tokenizer = load_tokenizer(source, tags=tags)
    (first, pieces), _ = tokenizer.new_tokens.items()
    model = load_model(source, head, CONFIG, PAD, tokenizer.new_tokens)
    tables = [model.model.get_input_embeddings().weight]
    if not head:
        tables.append(model.model.get_output_embeddings().weight)
    for table in tables:
        assert table.shape[0] == len(tokenizer.tokenizer)
        assert torch.allclose(table[first], table[list(pieces)].mean(0), atol=1e-6)
    ids = torch.tensor([[first, 5, first, 7]])
    outputs = model(ids, torch.tensor([0, 1, 2]))
    (outputs.square().mean() if head else cross_entropy(outputs, ids[0, 1:])).backward()
    assert tables[0].grad is not None and tables[0].grad[first].abs().max() > 0
    checkpoint.export(model, source, tmp_path / "out", 0, {}, PROMPT, tokenizer)
    again = load_tokenizer(tmp_path / "out", tags=tags)
    assert again.new_tokens == {} and again.tokenizer.convert_tokens_to_ids(list(tags)) == list(tokenizer.new_tokens)
    with torch.no_grad():
        loaded = load_model(tmp_path / "out", head, CONFIG, PAD).eval()(ids, torch.tensor([0, 1, 2]))
        assert torch.allclose(loaded, model.eval()(ids, torch.tensor([0, 1, 2])), atol=1e-6)
