"""Rows in PRM800K's schema, made up, as the two phases have them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

Json = dict[str, Any]


def candidate(text: str, rating: int | None) -> Json:
    return {"text": text, "rating": rating, "flagged": None if rating is None else False}


def step(*candidates: Json, chosen: int | None = 0, human: str | None = None) -> Json:
    written = None
    if human is not None:
        written = {"text": human, "rating": None, "source": "human", "flagged": False, "corrected_rating": 1}
    return {"completions": list(candidates), "human_completion": written, "chosen_completion": chosen}


def row(*steps: Json, finish: str | None = "solution", generated: list[str] | None = None, **fields: Any) -> Json:
    """Return a row of the first phase or, with the steps of a ``generated`` solution, of the second."""
    question: Json = {"problem": "How many?", "ground_truth_answer": "7"}
    if generated is not None:
        question |= {
            "ground_truth_solution": "It is \\boxed{7}.",
            "pre_generated_steps": generated,
            "pre_generated_answer": generated[-1].rpartition("\n")[2] if generated else None,
            "pre_generated_verifier_score": 0.25,
        }
    return {
        "labeler": "340d89bc",
        "timestamp": "2022-07-17T16:56:51.323252",
        "generation": None if generated is None else 9,
        "is_quality_control_question": False,
        "is_initial_screening_question": False,
        "question": question,
        "label": {"steps": list(steps), "total_time": 278270, "finish_reason": finish},
        **fields,
    }


# First phase: alternatives at every step; where all are incorrect, a person writes the step.
FIRST_PHASE = row(
    step(candidate("Three.", 1), candidate("Two.", -1), candidate("Hm.", 0), chosen=0),
    step(candidate("Times four.", -1), candidate("Minus four.", -1), chosen=None, human="Plus four."),
    step(candidate("So it is 7.\n\n# Answer\n\n7", 1), candidate("So it is 8.\n\n# Answer\n\n8", None), chosen=0),
)

# Second phase: the solution's own steps, and alternatives where it goes wrong.
SECOND_PHASE = row(
    step(candidate("Let us see.", 0)),
    step(candidate("Three.", 1)),
    step(candidate("Times four.", -1), candidate("Plus four.", 1), candidate("Minus four.", None), chosen=None),
    finish="found_error",
    generated=["Let us see.", "Three.", "Times four.", "So it is 12.\n\n# Answer\n\n12"],
)


def changed(original: Json, **fields: Any) -> Json:
    """A copy with other fields; ``label__finish_reason`` is that of the label."""
    copied = copy.deepcopy(original)
    for path, value in fields.items():
        *way, last = path.split("__")
        place: Any = copied
        for key in way:
            place = place[int(key) if key.isdigit() else key]
        place[last] = value
    return copied


def write(path: Path, *rows: Json | str) -> Path:
    path.write_text("".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in rows))
    return path
