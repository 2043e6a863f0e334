"""Model directories with the files that say how a model is prompted, and nothing else."""

from __future__ import annotations

import json
from pathlib import Path

from search.formats.model_prompt import ModelPrompt, write_model_prompt

TEMPLATE = (
    "{% for message in messages %}<{{ message.role }}>{{ message.content }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<assistant>{% endif %}"
)


def make_prompted_model(
    path: Path, *, template: bool = False, tags: tuple[str, ...] = (), prompt: ModelPrompt | None = None
) -> Path:
    """Write a tokenizer with ``tags`` as added tokens, a chat template and a raystar.json, as wanted; return the directory."""
    path.mkdir(parents=True)
    (path / "tokenizer.json").write_text(json.dumps({"added_tokens": [{"content": tag} for tag in tags]}))
    (path / "tokenizer_config.json").write_text(json.dumps({"chat_template": TEMPLATE} if template else {}))
    if prompt is not None:
        write_model_prompt(path, prompt)
    return path
