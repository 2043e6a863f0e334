"""Grade with rStar-Math's released code: math_equiv of the reference and of the answer as its agents extract it."""

from __future__ import annotations

import logging
import sys
import types
from importlib.util import find_spec

from line_protocol import serve

# The package's own __init__ files import vLLM; an empty package of the same folder does without.
for name in ("rstar_deepthink", "rstar_deepthink.agents"):
    spec = find_spec(name) if "." not in name else None
    package = types.ModuleType(name)
    parent = sys.modules.get(name.rpartition(".")[0])
    folders = spec.submodule_search_locations if spec else [f"{parent.__path__[0]}/agents"] if parent else []
    package.__path__ = list(folders or [])
    sys.modules[name] = package

from rstar_deepthink.agents.utils import extract_math_answer, math_equiv  # noqa: E402


def grade(gold: str, answer: str) -> bool:
    return bool(math_equiv(gold, extract_math_answer(answer)))


if __name__ == "__main__":
    logging.disable(logging.ERROR)
    serve(grade, "rStar-Math released code with MARIO_EVAL")
