"""What a step comes to, said aloud: a program that ends by giving a name a number goes on to print it.

A step of a worked solution names what it works out and prints nothing. Whoever judges the step cannot work it out, but
can see that nobody has 57.5 apples.
"""

from __future__ import annotations

import ast
from functools import lru_cache

REMEMBERED = 1 << 14  # steps
MOST_CHARACTERS = 4000  # of a step that is looked at
NUMBER_ONLY = """
try:
    print(f"{{{name}:g}}")
except:
    pass
"""


@lru_cache(REMEMBERED)
def echoed(code: str) -> str:
    """The code, and where its last statement assigns to one name, what prints that name's value if it is a number.

    ``"total = 300 / 4"`` prints 75; six digits at most, and nothing for texts, lists and other objects.
    """
    name = last_assigned(code)
    return code if name is None else code.rstrip() + NUMBER_ONLY.format(name=name)


def last_assigned(code: str) -> str | None:
    """The name that the last statement assigns to; None where it does anything else, or the code is no Python."""
    if len(code) > MOST_CHARACTERS:
        return None
    try:
        body = ast.parse(code).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    match body[-1:]:
        case [ast.Assign(targets=[ast.Name(id=name)])] | [ast.AugAssign(target=ast.Name(id=name))]:
            return name
    return None
