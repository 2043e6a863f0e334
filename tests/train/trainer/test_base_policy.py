"""The base policy's directory: its tokenizer splits text the same way after it is loaded again."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from search.data import State
from search.formats.code_format import CODE_TAGS, END_OF_STEP, CodeFormat
from search.problems.curriculum import make_problems, worked_trajectory
from train.config import BasePolicySize
from train.trainer.base_policy import build_tokenizer, write_initial_model


def test_tokenizer_is_the_same_after_loading(tmp_path: Path) -> None:
    step_format = CodeFormat()
    states = [State(problem, worked_trajectory(problem).steps) for problem in make_problems("worked", 60, 0, (2, 4))]
    texts = [segment.text for state in states for segment in step_format.segments(state)]
    tokenizer = build_tokenizer(texts, 600, CODE_TAGS)
    write_initial_model(tmp_path, BasePolicySize(hidden_size=64, layers=1, heads=2, vocabulary=600), tokenizer, 0)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.pad_token_id == tokenizer.pad_token_id and loaded.eos_token_id == tokenizer.eos_token_id
    for text in texts:
        ids = tokenizer(text)["input_ids"]
        assert loaded(text)["input_ids"] == ids
        assert loaded.decode(ids) == text
    assert loaded.tokenize(f" 25{END_OF_STEP}") == [" 25", END_OF_STEP]
