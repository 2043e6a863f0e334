"""``raystar models``: say what models are, and how RayStar prompts them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from textwrap import wrap

from cluster.models.resolve import resolve

HELP = "say what models are, by Hub name or directory, and how RayStar prompts them"
WIDTH = 80
LABEL_WIDTH = 15


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="Hugging Face name (OWNER/NAME or OWNER/NAME@REVISION), model directory or stage of a run",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object a line")


def run(args: argparse.Namespace) -> int:
    from cluster.models.description import ModelDescription, describe_model  # heavy: tokenizers and templates

    def table(model: ModelDescription) -> Iterator[str]:
        """Yield the lines of a model's table, which fits WIDTH columns."""
        yield model.reference
        rows = {
            "directory": model.directory,
            "commit": model.commit,
            "architecture": model.architecture + (" (code of its own)" if model.needs_remote_code else ""),
            "parameters": f"{model.parameters:,}" if model.parameters else "not known",
            "dtype": model.dtype + (f", quantized by {model.quantization}" if model.quantization else ""),
            "context": f"{model.context:,} tokens" if model.context else "not known",
            "tokenizer": model.tokenizer,
            "BOS": model.bos or "none",
            "end of turn": " ".join(model.end_of_turn) or "none",
            "chat template": "yes" if model.has_chat_template else "no",
            "kind": model.kind or "not clear: give reward_model.kind",
            "format": model.format,
        }
        for label, value in rows.items():
            if value is not None:
                yield from _row(label, value)
        if model.prompt is not None:
            yield "  a prompt:"
            for line in model.prompt.splitlines() or [""]:
                yield from (f"    | {part}" for part in wrap(line, WIDTH - 6, drop_whitespace=False) or [""])

    for number, reference in enumerate(args.models):
        description = describe_model(resolve(reference, reference, weights=False))
        if args.json:
            print(json.dumps(description.facts(), ensure_ascii=False))
        else:
            print(*([""] if number else []), *table(description), sep="\n")
    return 0


def _row(label: str, value: str) -> list[str]:
    """Return a label and its value, broken to WIDTH columns; a path without spaces is broken anywhere."""
    indent = " " * (LABEL_WIDTH + 2)
    return wrap(f"  {label:<{LABEL_WIDTH}}{value}", WIDTH, subsequent_indent=indent, break_on_hyphens=False)
