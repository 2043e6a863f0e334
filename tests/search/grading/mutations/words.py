"""Write choice letters, ratios, times of day, words and phrases, True and False."""

from __future__ import annotations

from random import Random

CHOICES = "ABCDEFGH"
WORDS = [
    "Monday", "Tuesday", "Friday", "January", "August", "Evelyn", "Alice", "Robert", "Quito", "Vienna", "red", "green",
    "violet", "north", "southeast", "even", "odd", "prime", "composite", "parabola", "ellipse", "hyperbola", "circle",
    "rhombus", "trapezoid", "isosceles", "scalene", "acute", "obtuse", "convergent", "divergent", "increasing",
    "decreasing", "continuous", "rational", "irrational", "linear", "quadratic", "oxygen", "copper", "triangle",
    "hexagon", "heptagon", "never", "always",
]  # fmt: skip
PHRASES = [
    "not enough information", "does not exist", "no solution", "infinitely many solutions", "the second train",
    "Alice and Robert", "two parallel lines", "right triangle", "a double root", "on the circle", "above the line",
    "impossible to decide", "Green wins", "Max and Minnie", "standard deviation", "first quadrant",
]  # fmt: skip
ODD_PAIRS = [
    ("no", "on"), ("was", "saw"), ("top", "pot"), ("left", "felt"), ("Al", "La"), ("Amy", "May"), ("odd", "add"),
    ("even", "never"), ("north", "south"), ("increasing", "decreasing"), ("rational", "irrational"), ("east", "seat"),
    ("no solution", "one solution"), ("always", "never"), ("the second train", "the first train"), ("triangle", "triangles 2"),
    ("convergent", "not convergent"), ("Monday", "Monday and Tuesday"), ("prime", "not prime"), ("circle", "a circle and a line"),
]  # fmt: skip


def draw_choice(rng: Random) -> tuple[str, ...]:
    """Return one letter, or seldom two or three in order."""
    count = rng.choice([1, 1, 1, 1, 1, 2, 3])
    return tuple(sorted(rng.sample(CHOICES[:5] if count == 1 else CHOICES, count)))


def write_choice(rng: Random, value: tuple[str, ...], is_gold: bool) -> str:
    if len(value) > 1:
        letters = [*value]
        if not is_gold:
            rng.shuffle(letters)
        head = ", ".join(letters[:-1])
        ways = [", ".join(letters), ",".join(letters), f"\\text{{{', '.join(letters)}}}"]
        if not is_gold:
            ways += [
                f"{head} and {letters[-1]}",
                ", ".join(f"({letter})" for letter in letters),
                f"\\text{{{head} and {letters[-1]}}}",
            ]
        return rng.choice(ways)
    letter = value[0]
    ways = [letter] * 3 + [
        f"({letter})",
        f"\\text{{{letter}}}",
        f"\\text{{({letter})}}",
        f"\\textbf{{({letter})}}",
        f"\\mathrm{{{letter}}}",
    ]
    ways += [f"\\mathbf{{{letter}}}", f"\\text{{ {letter} }}", f"\\left({letter}\\right)"]
    if not is_gold:
        ways += [
            f"{letter}.",
            f"{letter})",
            f"**{letter}**",
            f"**({letter})**",
            f"Option {letter}",
            f"option ({letter})",
            f"\\text{{Option }}{letter}",
        ]
        ways += [f"Choice {letter}", f"`{letter}`", f"（{letter}）", f"\\textbf{{{letter}}}", f"({letter})."]
    return rng.choice(ways)


def change_choice(rng: Random, value: tuple[str, ...]) -> tuple[str, ...]:
    """Return other letters: one changed, dropped or added."""
    rest = [letter for letter in CHOICES if letter not in value]
    letters = [*value]
    shape = rng.random()
    if shape < 0.15 and len(letters) > 1:
        letters.pop(rng.randrange(len(letters)))
    elif shape < 0.3:
        letters.append(rng.choice(rest))
    else:
        letters[rng.randrange(len(letters))] = rng.choice(rest)
    return tuple(sorted(letters))


def draw_ratio(rng: Random) -> tuple[int, ...]:
    return tuple(rng.randint(1, rng.choice([9, 50, 120])) for _ in range(rng.choice([2, 2, 2, 3])))


def write_ratio(rng: Random, value: tuple[int, ...], is_gold: bool) -> str:
    texts = [str(part) for part in value]
    ways = [mark.join(texts) for mark in (":", ":", ":", " : ", "∶", " \\colon ", "\\colon ", " ∶ ")] + [
        f"\\text{{{':'.join(texts)}}}"
    ]
    if not is_gold:
        ways += [":".join(f"{{{text}}}" for text in texts)]
        if len(texts) == 2:
            ways += [" to ".join(texts), "\\text{ to }".join(texts)]
    return rng.choice(ways)


def change_ratio(rng: Random, value: tuple[int, ...]) -> tuple[int, ...]:
    """Return a ratio that is no multiple of ``value``."""
    while True:
        changed = [*value]
        if rng.random() < 0.4:
            rng.shuffle(changed)
        else:
            changed[rng.randrange(len(changed))] += rng.choice([1, 2, -1, 10])
        if min(changed) > 0 and any(
            first * value[0] != second * changed[0] for first, second in zip(changed, value, strict=True)
        ):
            return tuple(changed)


def draw_time(rng: Random) -> int:
    """Return minutes since midnight."""
    return rng.choice([rng.randrange(24 * 60), rng.randrange(24 * 12) * 5])


def write_time(rng: Random, value: int, is_gold: bool) -> str:
    hour, minute = divmod(value, 60)
    half = "AM" if hour < 12 else "PM"
    clock = f"{hour % 12 or 12}:{minute:02d}"
    dotted = f"{half[0].lower()}.{half[1].lower()}."
    ways = [f"{clock} {half}"] * 2 + [
        f"{clock} {half.lower()}",
        f"{clock}{half}",
        f"{clock} {dotted}",
        f"{clock} \\text{{ {half.lower()}}}",
    ]
    ways += [
        f"{clock}\\text{{ {dotted}}}",
        f"{clock}\\text{{ {half}}}",
        f"\\text{{{clock} {half}}}",
        f"{clock}~\\text{{{half}}}",
        f"{clock} {dotted.upper()}",
    ]
    if not is_gold:
        if minute == 0:
            ways += [f"{hour % 12 or 12} {half}", f"{hour % 12 or 12}{half.lower()}"]
        if hour >= 13:
            ways.append(f"{hour}:{minute:02d}")
    return rng.choice(ways)


def change_time(rng: Random, value: int) -> int:
    return (value + rng.choice([12 * 60, 12 * 60, 1, 10, 60, 30, -60])) % (24 * 60)


def draw_words(rng: Random) -> str:
    return rng.choice(WORDS) if rng.random() < 0.6 else rng.choice(PHRASES)


def write_words(rng: Random, value: str, is_gold: bool) -> str:
    ways = [value] * 3 + [
        f"\\text{{{value}}}",
        f"\\text{{{value}}}",
        f"\\textbf{{{value}}}",
        f"\\mbox{{{value}}}",
        f"\\text{{ {value} }}",
    ]
    if " " not in value:
        ways += [f"\\mathrm{{{value}}}", f"\\textit{{{value}}}"]
    else:
        ways += [
            value.replace(" ", "  "),
            "\\text{" + value.replace(" ", "\\ ") + "}",
            f"\\mathrm{{{value.replace(' ', '~')}}}",
        ]
    if not is_gold:
        ways += [
            value.lower(),
            value.upper(),
            value.capitalize(),
            f"{value}.",
            f"**{value}**",
            f"*{value}*",
            f"\\text{{{value.lower()}}}",
        ]
        ways += [f"`{value}`", f"\\text{{{value}.}}", f"'{value}'", f'"{value}"', f"\\emph{{{value}}}"]
    return rng.choice(ways)


def change_words(rng: Random, value: str) -> str:
    """Return another word: two letters swapped, one changed or dropped, a word of the list, a word dropped."""
    while True:
        place = rng.randrange(2 if value.startswith("a ") else 0, len(value) - 1)
        changes = [
            value[:place] + value[place + 1] + value[place] + value[place + 2 :],
            value[:place] + rng.choice("aeioubcdlmnrst") + value[place + 1 :],
            value[:place] + value[place + 1 :],
            rng.choice(WORDS),
            rng.choice(PHRASES),
            f"not {value}",
            value[::-1],
        ]
        if " " in value:
            words = value.split()
            changes += [" ".join(words[1:] if words[0] not in ("a", "the") else words[2:]), " ".join(words[:-1])]
            changes += [" ".join(reversed(words))] if "and" not in words else []
        changed = rng.choice(changes)
        if "".join(changed.lower().split()) != "".join(value.lower().split()):
            return changed


def odd_words(rng: Random) -> tuple[str, str]:
    pair = rng.choice(ODD_PAIRS)
    return pair if rng.random() < 0.5 else (pair[1], pair[0])


def draw_truth(rng: Random) -> tuple[str, bool]:
    """Return a pair of opposite words and which of them holds."""
    return rng.choice(["True/False", "True/False", "Yes/No"]), rng.random() < 0.5


def write_truth(rng: Random, value: tuple[str, bool], is_gold: bool) -> str:
    words, holds = value
    word = words.split("/")[0 if holds else 1]
    ways = [word, word.lower(), word.upper(), f"\\text{{{word}}}", f"\\text{{{word.lower()}}}", f"\\mathrm{{{word}}}"]
    if not is_gold:
        ways += [
            f"**{word}**",
            f"{word}.",
            f"\\textbf{{{word}}}",
            f"`{word}`",
            f"\\textit{{{word.lower()}}}",
            f"\\text{{ {word} }}",
        ]
        if words == "True/False":
            ways.append(f"np.{word}_")
    return rng.choice(ways)


def change_truth(rng: Random, value: tuple[str, bool]) -> tuple[str, bool]:
    return value[0], not value[1]


def near_truth(rng: Random) -> tuple[str, str]:
    return rng.choice(
        [
            ("True", "not True"),
            ("False", "not False"),
            ("Yes", "Yes and no"),
            ("No", "On"),
            ("True", "True or False"),
            ("No", "North"),
            ("Yes", "Yesterday"),
            ("True", "untrue"),
            ("False", "None"),
            ("No", "Not enough information"),
        ]
    )
