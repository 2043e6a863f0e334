"""Made-up rows in the schema of each named data set, as its card on the Hub publishes it, and the problems in them.

The cards were read, the data sets never downloaded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """``source``: where the schema is published. ``problems``: question and answer of each usable row."""

    source: str
    rows: tuple[dict[str, Any], ...]
    problems: tuple[tuple[str, str], ...]
    without_reference: int = 0
    repeated: int = 0


CARD = "https://huggingface.co/datasets/"
DAPO_PROMPT = (
    "Solve the following math problem step by step. The last line of your response should be of the form Answer: $Answer "
    "(without quotes) where $Answer is the answer to the problem.\n\n{}\n\n"
    'Remember to put your answer on its own line after "Answer:".'
)


def _numina(problem: str, solution: str, answer: str | None) -> dict[str, Any]:
    return {
        "problem": problem,
        "solution": solution,
        "answer": answer,
        "problem_type": "Algebra",
        "question_type": "math-word-problem",
        "problem_is_valid": "Yes",
        "solution_is_valid": "Yes",
        "source": "olympiads",
        "synthetic": False,
    }


def _olympiad(number: int, question: str, answers: list[str]) -> dict[str, Any]:
    images = {f"image_{index}": None for index in range(1, 6)}
    return {
        "id": number,
        "question": question,
        "solution": ["It is clear."],
        "final_answer": answers,
        "context": None,
        **images,
        "modality": "Text-only",
        "difficulty": "Competition",
        "is_multiple_answer": len(answers) > 1,
        "unit": None,
        "answer_type": "Numerical",
        "error": None,
        "question_type": "Open-ended",
        "subfield": "Algebra",
        "subject": "Math",
        "language": "English",
    }


def _chat(question: str, solution: str) -> list[dict[str, str]]:
    return [{"content": question, "role": "user"}, {"content": solution, "role": "assistant"}]


def _dapo(index: str, question: str, answer: str) -> dict[str, Any]:
    return {
        "data_source": "math_dapo",
        "prompt": [{"content": DAPO_PROMPT.format(question), "role": "user"}],
        "ability": "MATH",
        "reward_model": {"ground_truth": answer, "style": "rule-lighteval/MATH_v2"},
        "extra_info": {"index": index},
    }


SCHEMAS: dict[str, Schema] = {
    "gsm8k": Schema(
        source=f"{CARD}openai/gsm8k",
        rows=(
            {"question": "Ada has 3 pens and buys 4. How many?", "answer": "3 + 4 = <<3+4=7>>7 pens.\n#### 7"},
            {"question": "A hall has 20 rows of 60. How many seats?", "answer": "20 * 60 = <<20*60=1200>>1200\n#### 1,200"},
        ),
        problems=(
            ("Ada has 3 pens and buys 4. How many?", "7"),
            ("A hall has 20 rows of 60. How many seats?", "1,200"),
        ),
    ),
    "math": Schema(
        source=f"{CARD}DigitalLearningGmbH/MATH-lighteval",
        rows=(
            {"problem": "What is $1+\\frac12$?", "level": "Level 1", "type": "Algebra",
             "solution": "We add: $\\boxed{\\frac{3}{2}}$."},
            {"problem": "Show it.", "level": "Level ?", "type": "Geometry", "solution": "This is clear from the drawing."},
        ),
        problems=(("What is $1+\\frac12$?", "\\frac{3}{2}"),),
        without_reference=1,
    ),
    "math-500": Schema(
        source=f"{CARD}HuggingFaceH4/MATH-500",
        rows=(
            {"problem": "Polar form\nof $(0,3)$?", "solution": "So \\boxed{\\left(3, \\frac{\\pi}{2}\\right)}.",
             "answer": "\\left(3, \\frac{\\pi}{2}\\right)", "subject": "Precalculus", "level": 2,
             "unique_id": "test/precalculus/1.json"},
        ),
        problems=(("Polar form\nof $(0,3)$?", "\\left(3, \\frac{\\pi}{2}\\right)"),),
    ),
    "aime": Schema(
        source=f"{CARD}AI-MO/aimo-validation-aime",
        rows=(
            {"id": 0, "problem": "Find $x$.", "solution": "It is $\\boxed{033}$.", "answer": "033",
             "url": "https://example.org/1"},
        ),
        problems=(("Find $x$.", "033"),),
    ),
    "aime-1983-2024": Schema(
        source=f"{CARD}di-zhang-fdu/AIME_1983_2024",
        rows=({"ID": "1983-1", "Year": 1983, "Problem Number": 1, "Question": "Find $w$.", "Answer": "60", "Part": None},),
        problems=(("Find $w$.", "60"),),
    ),
    "aime-2024": Schema(
        source=f"{CARD}HuggingFaceH4/aime_2024",
        rows=(
            {"id": 60, "problem": "How long?", "solution": "So \\boxed{204}.", "answer": "204",
             "url": "https://example.org/2", "year": "2024"},
        ),
        problems=(("How long?", "204"),),
    ),
    "aime-2025": Schema(
        source=f"{CARD}math-ai/aime25",
        rows=({"problem": "Find the sum of all bases.", "answer": "70", "id": "0"},),
        problems=(("Find the sum of all bases.", "70"),),
    ),
    "amc": Schema(
        source=f"{CARD}AI-MO/aimo-validation-amc",
        rows=(
            {"id": 0, "problem": "What is $m+n$?", "answer": 142.0, "url": "https://example.org/3"},
            {"id": 1, "problem": "What is $x$?", "answer": -0.5, "url": "https://example.org/4"},
        ),
        problems=(("What is $m+n$?", "142"), ("What is $x$?", "-0.5")),
    ),
    "olympiadbench": Schema(
        source=f"{CARD}Hothan/OlympiadBench",
        rows=(
            _olympiad(1606, "Find $T$.", ["$8$"]),
            _olympiad(1607, "Find all pairs.", ["$(1,2)$", "$(3,4)$"]),
            _olympiad(1608, "Prove it.", []),
        ),
        problems=(("Find $T$.", "$8$"), ("Find all pairs.", "$(1,2)$, $(3,4)$")),
        without_reference=1,
    ),
    "numinamath": Schema(
        source=f"{CARD}AI-MO/NuminaMath-1.5",
        rows=(
            _numina("Solve $2x=4$.", "Halve it: $\\boxed{2}$.", "2"),
            _numina("Prove that $1=1$.", "It is.", "proof"),
            _numina("What is left?", "By counting, $\\boxed{5}$.", None),
            _numina("And then?", "Nobody knows.", "notfound"),
        ),
        problems=(("Solve $2x=4$.", "2"), ("What is left?", "5")),
        without_reference=2,
    ),
    "numinamath-cot": Schema(
        source=f"{CARD}AI-MO/NuminaMath-CoT",
        rows=(
            {"source": "cn_k12", "problem": "What is $2^3$?", "solution": "It is $\\boxed{8}$.",
             "messages": _chat("What is $2^3$?", "It is $\\boxed{8}$.")},
            {"source": "olympiads", "problem": "Prove it.", "solution": "Clear.", "messages": _chat("Prove it.", "Clear.")},
        ),
        problems=(("What is $2^3$?", "8"),),
        without_reference=1,
    ),
    "deepmath": Schema(
        source=f"{CARD}zwhe99/DeepMath-103K",
        rows=(
            {"question": "Is it compact?", "final_answer": "Yes", "difficulty": 5.5, "topic": "Mathematics -> Topology",
             "r1_solution_1": "So \\boxed{Yes}", "r1_solution_2": "\\boxed{Yes}", "r1_solution_3": "\\boxed{No}"},
        ),
        problems=(("Is it compact?", "Yes"),),
    ),
    "omni-math": Schema(
        source=f"{CARD}KbsdJames/Omni-MATH",
        rows=(
            {"domain": ["Mathematics -> Algebra"], "difficulty": 8.0, "problem": "Find $n$.",
             "solution": "Then $n=\\boxed{2^{1009}}$.", "answer": "2^{1009}", "source": "usamo"},
            {"domain": ["Mathematics -> Algebra"], "difficulty": 4.0, "problem": "Find $m$.",
             "solution": "Then $m=\\boxed{3}$.", "answer": "", "source": "hmmt"},
        ),
        problems=(("Find $n$.", "2^{1009}"), ("Find $m$.", "3")),
    ),
    "big-math": Schema(
        source=f"{CARD}SynthLabsAI/Big-Math-RL-Verified",
        rows=(
            {"problem": "Expand $(a+b)^2$.", "answer": "a^2+2ab+b^2", "source": "orca_math",
             "domain": ["Mathematics -> Algebra"], "llama8b_solve_rate": 0.4},
        ),
        problems=(("Expand $(a+b)^2$.", "a^2+2ab+b^2"),),
    ),
    "dapo": Schema(
        source=f"{CARD}BytedTsinghua-SIA/DAPO-Math-17k",
        rows=(
            _dapo("9a9b6eb4", "Find $a + b$.\n\nHere $a=30$.", "34"),
            _dapo("9a9b6eb4", "Find $a + b$.\n\nHere $a=30$.", "34"),
            _dapo("b426d104", "Find $c$.", "-1"),
        ),
        problems=(("Find $a + b$.\n\nHere $a=30$.", "34"), ("Find $c$.", "-1")),
        repeated=1,
    ),
}  # fmt: skip
