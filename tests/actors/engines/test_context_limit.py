"""The context of a model, as vLLM derives it from the files of its directory."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from actors.engines.context_limit import context_limit


@pytest.mark.parametrize(
    ("config", "tokenizer_config", "expected"),
    [
        ({"max_position_embeddings": 4096}, {}, 4096),
        ({"max_position_embeddings": 4096}, {"model_max_length": 2048}, 2048),
        ({"max_position_embeddings": 4096}, {"model_max_length": 1e30}, 4096),
        ({"n_positions": 1024}, {}, 1024),
        ({"max_position_embeddings": 4096, "max_seq_len": 512}, {}, 512),
        ({"model_type": "x", "text_config": {"max_position_embeddings": 8192}}, {}, 8192),
        ({"max_position_embeddings": 4096, "rope_scaling": {"type": "linear", "factor": 2.0}}, {}, 8192),
        ({"max_position_embeddings": 4096, "rope_scaling": {"rope_type": "llama3", "factor": 8.0}}, {}, 4096),
        ({"max_position_embeddings": 4096, "rope_parameters": {"rope_type": "dynamic", "factor": 4.0}}, {}, 16384),
        (
            {
                "model_type": "gemma3_text",
                "max_position_embeddings": 32768,
                "rope_parameters": {"full_attention": {"rope_type": "linear", "factor": 8.0}},
            },
            {},
            32768,
        ),
        ({"max_position_embeddings": 8192, "model_max_length": 131072}, {}, 131072),  # Command R
        ({"hidden_size": 8}, {}, None),
    ],
)
def test_context_is_the_smallest_length_that_the_files_state(
    tmp_path: Path, config: dict[str, Any], tokenizer_config: dict[str, Any], expected: int | None
) -> None:
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(tokenizer_config))
    assert context_limit(tmp_path) == expected
