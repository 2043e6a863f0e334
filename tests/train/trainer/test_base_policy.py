"""The base policy's directory: its tokenizer must be the same one when it is loaded again."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoTokenizer

from search.data import State
from search.formats.registry import CODE_TAGS, END_OF_STEP, CodeFormat
from search.problems.curriculum import problems, worked
from train.config import BaseSize
from train.trainer.base_policy import build_tokenizer, initialise


def test_the_tokenizer_cuts_text_the_same_way_when_it_is_loaded_again(tmp_path: Path) -> None:
    step_format = CodeFormat()
    states = [State(problem, worked(problem).steps) for problem in problems("worked", 60, 0, (2, 4))]
    texts = [segment.text for state in states for segment in step_format.segments(state)]
    made = build_tokenizer(texts, 600, CODE_TAGS)
    initialise(tmp_path, BaseSize(hidden_size=64, layers=1, heads=2, vocabulary=600), made, 0)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert loaded.pad_token_id == made.pad_token_id and loaded.eos_token_id == made.eos_token_id
    for text in texts:
        ids = made(text)["input_ids"]
        assert loaded(text)["input_ids"] == ids
        assert loaded.decode(ids) == text
    assert loaded.tokenize(f" 25{END_OF_STEP}") == [" 25", END_OF_STEP]
