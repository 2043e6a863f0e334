"""The size of a model that only a config describes."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from cluster.models.size import ModelSize


def test_parameters_are_those_of_the_published_model() -> None:
    """Qwen2.5-0.5B has 494,032,768 weights; its biases of q, k and v (24 x 1152) are not counted."""
    size = ModelSize(layers=24, hidden=896, intermediate=4864, heads=14, kv_heads=2, vocabulary=151936)
    assert size.parameters() == 494_032_768 - 24 * (896 + 128 + 128)
    untied = size.model_copy(update={"tied_embeddings": False})
    assert untied.parameters() - size.parameters() == 151936 * 896


def test_heads_that_do_not_divide_the_width_are_refused() -> None:
    with pytest.raises(ValidationError, match="hidden 100 must be a multiple of heads 3"):
        ModelSize(layers=1, hidden=100, intermediate=10, heads=3, kv_heads=1, vocabulary=10)
