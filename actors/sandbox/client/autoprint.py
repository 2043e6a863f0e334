"""Make a step print the number that it ends with: append lines that print the last assigned name.

A step of a worked solution names what it works out and prints nothing. A reward model cannot work out the value, but
can see from the output that nobody has 57.5 apples.
"""

from __future__ import annotations

import ast
from functools import lru_cache

CACHED_STEPS = 1 << 14
MAX_CHARACTERS = 4000  # of a step that is parsed
PRINT_NUMBER = """
try:
    print(f"{{{name}:g}}")
except:
    pass
"""


@lru_cache(CACHED_STEPS)
def add_autoprint(code: str) -> str:
    """Return the code, extended to print the name that its last statement assigns to, if the value is a number.

    ``"total = 300 / 4"`` prints 75. At most six digits are printed, and nothing for texts, lists and other objects.
    """
    name = last_assigned_name(code)
    return code if name is None else code.rstrip() + PRINT_NUMBER.format(name=name)


def last_assigned_name(code: str) -> str | None:
    """Return the one name that the last statement assigns to; None where it does anything else or nothing parses."""
    if len(code) > MAX_CHARACTERS:
        return None
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match body[-1:]:
        case [ast.Assign(targets=[ast.Name(id=name)])] | [ast.AugAssign(target=ast.Name(id=name))]:
            return name
    return None
