"""A tiny Qwen2 with random weights, a small BPE tokenizer, and records to train it on. Downloads nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast, Qwen2Config, Qwen2ForCausalLM

from search import records
from search.formats import CODE_TAGS
from search.types import Outcome, PreferencePair, Problem, Step, StepStatus, Trajectory


def _trajectory(number: int) -> Trajectory:
    terms = [number % 7 + 2, number % 5 + 1, number % 3 + 4][: 2 + number % 2]
    problem = Problem(f"p{number}", f"What is {' + '.join(map(str, terms))}?", str(sum(terms)), "made up")
    steps = [
        Step(f"\n# Step {i}: take {term}\nx{i} = {term}\n<end_of_step>", f"x{i} = {term}", outcome=Outcome.OK)
        for i, term in enumerate(terms)
    ]
    total = " + ".join(f"x{i}" for i in range(len(terms)))
    last = Step(f"\n# Now print\nprint({total})\n<end_of_code>", f"print({total})", str(sum(terms)), outcome=Outcome.OK)
    text = f"\n<answer>It is \\boxed{{{sum(terms)}}}<end_of_answer>"
    answer = Step(text, status=StepStatus.FINAL, answer=str(sum(terms)))
    return Trajectory(problem, (*steps, last, answer), True, 1.0)


def _pair(trajectory: Trajectory) -> PreferencePair:
    good = trajectory.steps[1]
    bad = Step(good.text.replace("=", "= 1 +"), outcome=Outcome.OK)
    return PreferencePair(trajectory.problem, trajectory.steps[:1], (good,), (bad,), 0.5, -0.5)


@pytest.fixture(scope="session")
def sft_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "trajectories.jsonl"
    path.write_text("".join(records.dump(_trajectory(i)) + "\n" for i in range(22)))
    return path


@pytest.fixture(scope="session")
def ppm_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    path.write_text("".join(records.dump(_pair(_trajectory(i))) + "\n" for i in range(22)))
    return path


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("tiny")
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<end>", "<pad>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(["# Step 1: take 3\nx1 = 3\nWhat is 3 + 4?\nprint(x0 + x1)"] * 3, trainer)
    tokenizer.add_tokens(list(CODE_TAGS))
    fast = PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<end>", pad_token="<pad>")
    torch.manual_seed(0)
    config = Qwen2Config(
        vocab_size=len(fast),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        max_position_embeddings=256,
        tie_word_embeddings=True,
        bos_token_id=None,
        eos_token_id=fast.eos_token_id,
        pad_token_id=fast.pad_token_id,
    )
    Qwen2ForCausalLM(config).save_pretrained(directory)
    fast.save_pretrained(directory)
    return directory
