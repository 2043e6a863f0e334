"""Grade with TRL's accuracy reward: the reference as the solution column, the answer boxed in a completion."""

from __future__ import annotations

import logging
from importlib.metadata import version

from line_protocol import serve
from trl.rewards import accuracy_reward


def grade(gold: str, answer: str) -> bool | None:
    """Return whether the reward is one; None where the reference could not be read and the row is skipped."""
    solution = gold if "$" in gold or "\\boxed" in gold else f"${gold}$"
    completion = answer if "\\boxed" in answer else f"The answer is \\boxed{{{answer}}}."
    reward = accuracy_reward([[{"role": "assistant", "content": completion}]], [solution])[0]
    return None if reward is None else reward == 1.0


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    serve(grade, f"trl {version('trl')}, math-verify {version('math-verify')}")
