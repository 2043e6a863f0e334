"""Write matrices and vectors in LaTeX's environments and as Python prints them."""

from __future__ import annotations

from fractions import Fraction
from random import Random

from tests.search.grading.mutations.collections_of_answers import (
    Element,
    change_element,
    change_sequence,
    draw_element,
    write_element,
)

Rows = tuple[tuple[Element, ...], ...]


def draw_matrix(rng: Random) -> Rows:
    height, width = rng.choice([(2, 2), (2, 2), (2, 3), (3, 2), (3, 3)])
    return tuple(tuple(draw_element(rng, has_expressions=True) for _ in range(width)) for _ in range(height))


def write_environment(rng: Random, rows: Rows) -> str:
    """Write rows in one of LaTeX's matrix environments."""
    between = rng.choice([" & ", "&", " & "])
    lines = [between.join(write_element(rng, element, is_latex=True) for element in row) for row in rows]
    body = rng.choice([" \\\\ ", "\\\\", " \\\\ ", " \\\\\n"]).join(lines)
    name = rng.choice(["pmatrix", "pmatrix", "bmatrix"])
    columns = "c" * len(rows[0])
    ways = [f"\\begin{{{name}}} {body} \\end{{{name}}}", f"\\begin{{{name}}}{body}\\end{{{name}}}"] * 2
    ways += [
        f"\\left[\\begin{{array}}{{{columns}}}{body}\\end{{array}}\\right]",
        f"\\left(\\begin{{array}}{{{columns}}} {body} \\end{{array}}\\right)",
    ]
    ways += [
        f"\\left(\\begin{{matrix}} {body} \\end{{matrix}}\\right)",
        f"\\begin{{{name}}} {body} \\\\ \\end{{{name}}}",
    ]
    ways.append(f"\\left[\\begin{{smallmatrix}}{body}\\end{{smallmatrix}}\\right]")
    return rng.choice(ways)


def write_rows(rng: Random, rows: Rows) -> str:
    """Write rows as Python, sympy or numpy print them."""
    texts = [[write_element(rng, element, is_latex=False) for element in row] for row in rows]
    nested = ", ".join(f"[{', '.join(row)}]" for row in texts)
    ways = [f"Matrix([{nested}])", f"[{nested}]", f"Matrix([{nested}])", f"[{nested.replace(', ', ',')}]"]
    if all(isinstance(element, Fraction) and element.denominator == 1 for row in rows for element in row):
        lines = nested.replace("], [", "],\n       [")
        ways.append(f"array([{lines}])")
        ways.append("[" + "\n ".join(f"[{' '.join(row)}]" for row in texts) + "]")
    return rng.choice(ways)


def write_matrix(rng: Random, value: Rows, is_gold: bool) -> str:
    return write_environment(rng, value) if is_gold or rng.random() < 0.65 else write_rows(rng, value)


def change_matrix(rng: Random, value: Rows) -> Rows:
    """Return another matrix: transposed, rows or columns swapped, an entry changed, moved or dropped."""
    rows = [list(row) for row in value]
    shape = rng.random()
    if shape < 0.2:
        changed = tuple(zip(*value, strict=True))
    elif shape < 0.35:
        changed = tuple(reversed(value))
    elif shape < 0.45:
        changed = tuple(tuple(reversed(row)) for row in value)
    elif shape < 0.55 and len(value) > 2:
        changed = value[:-1]
    else:
        changed = value
    if changed == value:
        row, column = rng.randrange(len(rows)), rng.randrange(len(rows[0]))
        rows[row][column] = change_element(rng, rows[row][column])
        changed = tuple(tuple(row) for row in rows)
    return changed


def draw_vector(rng: Random) -> tuple[Element, ...]:
    return tuple(draw_element(rng, has_expressions=True) for _ in range(rng.choice([2, 3, 3, 4])))


def write_vector(rng: Random, value: tuple[Element, ...], is_gold: bool) -> str:
    """Write a column."""
    column = tuple((element,) for element in value)
    if is_gold or rng.random() < 0.6:
        return write_environment(rng, column)
    return f"Matrix([{', '.join(f'[{write_element(rng, element, is_latex=False)}]' for element in value)}])"


def change_vector(rng: Random, value: tuple[Element, ...]) -> tuple[Element, ...]:
    return change_sequence(rng, value)
