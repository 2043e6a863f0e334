"""Grade with Qwen2.5-Math's evaluation: strip_string of the reference, extract_answer of a boxed answer, math_equal."""

from __future__ import annotations

import logging
import sys
import types

from line_protocol import serve

# utils.py wants the few-shot examples and a data set library; the grader uses neither.
sys.modules["examples"] = types.ModuleType("examples")
sys.modules["examples"].get_examples = dict  # type: ignore[attr-defined]

from grader import math_equal  # noqa: E402
from parser import extract_answer, strip_string  # noqa: E402


def grade(gold: str, answer: str) -> bool:
    completion = answer if "boxed" in answer else f"\\boxed{{{answer}}}"
    return bool(math_equal(strip_string(extract_answer(completion, "math")), strip_string(gold)))


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    serve(grade, "Qwen2.5-Math evaluation")
