r"""Rewrite the many spellings of one sign to one: Unicode forms, LaTeX commands, wrappers and markdown.

Relations, set operations and the like become single Unicode characters; upright text is put between ROMAN and MATH marks.
"""

from __future__ import annotations

import re
import unicodedata

from search.grading.extract import unboxed

ROMAN, MATH = "\x02", "\x03"  # begin and end of upright text
OPEN_SET, CLOSE_SET = "⦃", "⦄"
ROW_BREAK = "⏎"

SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣ", "0123456789+-=()nix")
SUBSCRIPTS = str.maketrans("₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓᵢₐₑ", "0123456789+-()nxiae")
SUPERSCRIPT_RUN = re.compile("[⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱˣ]+")
SUBSCRIPT_RUN = re.compile("[₀₁₂₃₄₅₆₇₈₉₊₋₍₎ₙₓᵢₐₑ]+")
RAISED_FRACTION = re.compile("([⁰¹²³⁴⁵⁶⁷⁸⁹]+)[⁄/]([₀₁₂₃₄₅₆₇₈₉]+)")
MICRO = re.compile(r"[µμ](?=(?:m|g|L|l|s|A|V|W)\b)")
VULGAR = re.compile("[¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞]")
INVISIBLE = re.compile("[\u200b-\u200f\u2060-\u2064\ufeff\u00ad\u202a-\u202e\x00-\x08\x0e-\x1f]")
REPEATED_DIGITS = re.compile("(?:\\d[\u0305\u0307])+")

GREEK = [
    "alpha",
    "beta",
    "gamma",
    "delta",
    "epsilon",
    "zeta",
    "eta",
    "theta",
    "iota",
    "kappa",
    "lambda",
    "mu",
    "nu",
    "xi",
    "omicron",
    "pi",
    "rho",
    "sigma",
    "tau",
    "upsilon",
    "phi",
    "chi",
    "psi",
    "omega",
]
GREEK_LETTERS = dict(zip("αβγδεζηθικλμνξοπρστυφχψω", GREEK, strict=True)) | {
    "ϕ": "phi", "φ": "phi", "ϵ": "epsilon", "ε": "epsilon", "ϑ": "theta", "ς": "sigma",
    "Γ": "Gamma", "Δ": "Delta", "Θ": "Theta", "Λ": "Lambda", "Ξ": "Xi", "Π": "Pi", "Σ": "Sigma", "Φ": "Phi",
    "Ψ": "Psi", "Ω": "Omega",
}  # fmt: skip
UNICODE_SIGNS = str.maketrans(
    {
        **dict.fromkeys("−–—‐‑‒―﹣－", "-"), **dict.fromkeys("×✕✖⋅·∙•∗＊⨯", "*"), "÷": "/", "⁄": "/", "∕": "/",
        "∶": ":", "：": ":", "，": ",", "、": ",", "；": ";", "。": ".", "（": "(", "）": ")", "［": "[", "］": "]", "｛": "{",
        "｝": "}",
        "⩽": "≤", "⩾": "≥", "≦": "≤", "≧": "≥", "≅": "≈", "≃": "≈", "∼": "~", "⟨": "(", "⟩": ")", "〈": "(", "〉": ")",
        "∣": "|", "｜": "|", "‖": "|", "′": "'", "’": "'", "‘": "'", "“": '"', "”": '"', "″": '"', "º": "°", "˚": "°",
        "√": r"\sqrt ", "∛": r"\sqrt[3]", "∜": r"\sqrt[4]", "∞": "∞", "∅": "∅", "⌀": "∅", "⟶": "→", "⇒": "→",
        "⟵": "←", "␣": " ",
        "…": " … ", "⋯": " … ", "ℝ": r"\R", "ℤ": r"\Z", "ℕ": r"\N", "ℚ": r"\Q", "∖": "∖", "⟹": "→", "\u2009": " ",
        "％": "%", "﹪": "%",
        **{letter: f"\\{name} " for letter, name in GREEK_LETTERS.items()},
    }
)  # fmt: skip

SIGNS = {
    "dfrac": r"\frac", "tfrac": r"\frac", "cfrac": r"\frac", "dbinom": r"\binom", "tbinom": r"\binom", "left.": "",
    "right.": "",
    "le": "≤", "leq": "≤", "leqslant": "≤", "leqq": "≤", "ge": "≥", "geq": "≥", "geqslant": "≥", "geqq": "≥",
    "lt": "<", "gt": ">",
    "ne": "≠", "neq": "≠", "approx": "≈", "simeq": "≈", "cong": "≅", "doteq": "≈", "equiv": "≡", "in": "∈",
    "notin": "∉",
    "cup": "∪", "bigcup": "∪", "cap": "∩", "setminus": "∖", "backslash": "∖", "smallsetminus": "∖", "subset": "⊂",
    "subseteq": "⊆", "to": "→", "rightarrow": "→", "longrightarrow": "→", "implies": "⇒", "Rightarrow": "⇒",
    "leftarrow": "←", "gets": "←", "iff": "⇔", "Leftrightarrow": "⇔", "leftrightarrow": "↔", "mapsto": "↦",
    "parallel": "∥",
    "perp": "⊥", "sim": "∼", "pm": "±", "mp": "∓", "infty": "∞", "circ": "∘", "degree": "°", "emptyset": "∅",
    "varnothing": "∅",
    "cdot": "*", "times": "*", "ast": "*", "div": "/", "cdots": " … ", "ldots": " … ", "dots": " … ", "dotsc": " … ",
    "dotsb": " … ",
    "lvert": "|", "rvert": "|", "vert": "|", "mid": "|", "lVert": "‖", "rVert": "‖", "Vert": "‖", "langle": "(",
    "rangle": ")",
    "lbrace": OPEN_SET, "rbrace": CLOSE_SET, "lbrack": "[", "rbrack": "]", "lparen": "(", "rparen": ")", "colon": ":",
    "prime": "'", "quad": " ", "qquad": " ", "enspace": " ", "thinspace": " ", "nobreakspace": " ", "space": " ",
    "left": "", "right": "", "middle": "",
    "big": "", "Big": "", "bigg": "", "Bigg": "", "bigl": "", "bigr": "", "Bigl": "", "Bigr": "", "biggl": "",
    "biggr": "",
    "displaystyle": "", "textstyle": "", "scriptstyle": "", "limits": "", "nolimits": "", "rm": "", "bf": "",
    "it": "", "dollar": "$",
    "varphi": r"\phi", "varepsilon": r"\epsilon", "vartheta": r"\theta", "land": r" \x02and\x03 ", "wedge": "∧",
    "lor": "∨", "vee": "∨",
    "percent": "%", "euro": "€", "pounds": "£", "yen": "¥", "cent": "¢", "textdollar": "$", "textdegree": "°",
    "R": r"\R", "newline": ROW_BREAK, "cr": ROW_BREAK,
}  # fmt: skip
SYMBOLS = {
    r"\{": OPEN_SET, r"\}": CLOSE_SET, r"\!": "", r"\,": " ", r"\;": " ", r"\:": " ", r"\>": " ", r"\ ": " ", r"\%": "%", r"\$": "$",
    r"\&": " and ", r"\#": "#", r"\_": "_", r"\|": "‖", r"\/": "", r"\-": "", "{,}": ",", "~": " ", "**": "^", "==": "=",
    "<=": "≤", ">=": "≥",
    "!=": "≠", "≅": "≅", "->": "→", "=>": "⇒", "\t": " ", "\n": " ", "\r": " ", "...": " … ", "''": '"', "\xa0": " ",
}  # fmt: skip
COMMAND_OR_SYMBOL = re.compile(
    r"\\\\|\\(?:(?:left|right)\s*\.|(?P<name>[A-Za-z]+))|"
    + "|".join(map(re.escape, sorted(SYMBOLS, key=len, reverse=True)))
)
DOUBLE_ESCAPE = re.compile(
    r"(?<!\\)\\\\(?=(?:d|t|c)?frac|sqrt|pi\b|text|left|right|times|cdot|infty|pm\b|math|begin|end\b|end\{|boxed|le\b|leq|ge\b|geq"
    r"|cup|theta|alpha|beta|log|ln\b|sin|cos|tan|circ|%|\$|\{|\}|\(|\))"
)
UPRIGHT = re.compile(
    r"\\(?:text\w*|mathrm|mbox|hbox|operatorname\*?|emph|unit|mathsf|mathtt|textnormal)\s*\{((?:[^{}]|\{[^{}]*\})*)\}"
)
STYLED = re.compile(
    r"\\(?:mathbf|boldsymbol|mathit|bm|mathcal|mathscr|mathfrak|boxed|fbox|framebox|underline|displaystyle|phantom|ensuremath"
    r"|vphantom|mathop|mathstrut|pmb|hphantom)\s*\{((?:[^{}]|\{(?:[^{}]|\{[^{}]*\})*\})*)\}"
)
UNIT_FRACTION = re.compile(
    r"\\[dtc]?frac\s*\{\s*(\x02[^{}]*?\x03(?:\^\{?\d\}?)?)\s*\}\s*\{\s*(\x02[^{}]*?\x03(?:\^\{?\d\}?)?)\s*\}"
)
DOUBLE_ESCAPED_NAME = re.compile(DOUBLE_ESCAPE.pattern.replace(r"|%|\$|\{|\}|\(|\)", ""))
BLACKBOARD = re.compile(r"\\mathbb\s*\{?\s*([A-Z])\s*\}?")
DEGREE = re.compile(r"\^\s*(?:\{\s*(?:∘|\\circ)\s*\}|(?:∘|\\circ))|∘")
REPEATING = re.compile(r"(\d*\.\d*)\s*\\(?:overline|bar|dot)\s*\{?(\d+)\}?(?:(\d*)\\dot\s*\{?(\d)\}?)?")
ELLIPSIS_DECIMAL = re.compile(r"(?<![\d.])(\d*\.\d*?)(?:(\d)\2{2,}|(\d{2,6}?)\3+) *…")
MODULES = re.compile(r"\b(?:np|numpy|torch|jnp|sp|sympy|math|cmath|mpmath|fractions|decimal|S)\.(?=[A-Za-z])")
SIZED = re.compile(r"\b(float|int|uint|complex)(?:8|16|32|64|128)(?=\()")
MARKDOWN = re.compile(r"^(\*{1,3}|`{1,3}|_{2})(?P<inside>[^*`]+)\1$", re.DOTALL)
DELIMITERS = (re.compile(r"^\\\((.*)\\\)$", re.DOTALL), re.compile(r"^\\\[(.*)\\\]$", re.DOTALL))
LEAD = re.compile(
    r"^(?:(?:so|thus|hence|therefore),?\s+)?(?:the\s+)?(?:(?:final|correct)\s+)?(?:answer|result|solution)s?(?:\s+(?:is|are|=)|\s*:)\s*:?\s*",
    re.IGNORECASE,
)
RESPELLED = re.compile(
    r"[#<]|frac|color|space|tag|label|\\(?:rm|bf|it|tt|sf)\b|per\s|Rs|D\.?N|^\s*(?:neg|min)", re.IGNORECASE
)
SPELLINGS = (
    (re.compile(r"^\s*#{1,6}\s+|</?answer>", re.IGNORECASE), ""),
    (re.compile(r"^\s*(?:negative|minus)\s+(?=\d)", re.IGNORECASE), "-"),
    (re.compile(r"(?<![\\A-Za-z])[dt]?frac\s*(?=\{)"), r"\\frac"),
    (re.compile(r"\\(?:text)?color\s*\{[^{}]*\}|\\(?:[hv]space|tag|label)\*?\s*\{[^{}]*\}"), " "),
    (re.compile(r"\{\s*\\(?:rm|bf|it|tt|sf)\b\s*([^{}]*)\}"), r"\\text{\1}"),
    (re.compile(r"\bD\.?N\.?E\.?(?=$|\W)"), "does not exist"),
    (re.compile(r"\bper\s+cent\b", re.IGNORECASE), "percent"),
    (re.compile(r"\bRs\b\.?\s*(?=\d)"), "₹"),
)


def clean(text: str) -> str:
    r"""Return an answer without wrapping, in one spelling: ``r'\(x \le \dfrac{1}{2}\).'`` → ``x ≤ \frac{1}{2}``."""
    text = text.strip()
    if text[:1] in ("*", "`", "_"):
        text = unwrapped(text)
    if not text.isascii():
        text = plain_unicode(text)
    text = unwrapped(LEAD.sub("", text))
    if RESPELLED.search(text) is not None:
        for pattern, spelling in SPELLINGS:
            text = pattern.sub(spelling, text)
    if "\\" in text or "*" in text or "." in text or not text.isalnum():
        text = plain_latex(text)
    return tidy(text)


def plain_unicode(text: str) -> str:
    """Return text with compatibility forms, superscripts, fractions and signs in one spelling."""
    text = INVISIBLE.sub("", text)
    text = MICRO.sub("u", text)
    text = REPEATED_DIGITS.sub(lambda run: f"\\overline{{{run.group()[::2]}}}", text)
    text = text.translate({0x2460 + i: f"({i + 1})" for i in range(20)}) if max(text) >= "①" else text
    text = RAISED_FRACTION.sub(
        lambda run: f"\\frac{{{run[1].translate(SUPERSCRIPTS)}}}{{{run[2].translate(SUBSCRIPTS)}}}", text
    )
    text = SUPERSCRIPT_RUN.sub(lambda run: f"^{{{run.group().translate(SUPERSCRIPTS)}}}", text)
    text = SUBSCRIPT_RUN.sub(lambda run: f"_{{{run.group().translate(SUBSCRIPTS)}}}", text)
    text = VULGAR.sub(_vulgar, text)
    return unicodedata.normalize("NFKC", text.translate(UNICODE_SIGNS)).translate(UNICODE_SIGNS)


def _vulgar(sign: re.Match[str]) -> str:
    above, below = unicodedata.normalize("NFKC", sign.group()).split("⁄")
    return f"\\frac{{{above}}}{{{below}}}"


def unwrapped(text: str) -> str:
    """Remove markdown and delimiters of mathematics around the whole text, and pairs of dollars within it."""
    before = None
    while text != before:
        before = text
        text = unboxed(text.strip())
        if text and text[0] in "*`_":
            text = MARKDOWN.sub(r"\g<inside>", text.rstrip(".,!;"))
            text = MARKDOWN.sub(r"\g<inside>", text)
        for pattern in DELIMITERS if text.startswith("\\") else ():
            result = pattern.match(text)
            if result is not None and not re.search(r"\\[()\[\]]", result[1].replace("\\\\", "")):
                text = result[1]
    text = re.sub(r"\\([()])", "", text) if "\\(" in text and "\\)" in text else text
    return unboxed(_without_dollars(text).strip()) if "$" in text else text


def _without_dollars(text: str) -> str:
    r"""Remove dollars that delimit mathematics; write those that stand for money as ``\$``."""
    text = text.replace("$$", "$")
    places = [i for i, sign in enumerate(text) if sign == "$" and (i == 0 or text[i - 1] != "\\")]
    pairs = list(zip(places[::2], places[1::2], strict=False))
    is_whole = len(places) == 2 and places[0] == 0 and places[1] == len(text) - 1
    is_math = is_whole or (
        len(places) % 2 == 0
        and all(text[a + 1 : b].strip() and not text[a + 1 : b].endswith((" ", ",")) for a, b in pairs)
    )
    if is_math:
        return "".join(sign for i, sign in enumerate(text) if i not in places)
    return text


def plain_latex(text: str) -> str:
    """Return text with commands and operators in one spelling, upright text between marks."""
    if "\\\\" in text:
        if "\\\\begin" in text:
            text = text.replace("\\\\", "\\")
        else:
            text = (DOUBLE_ESCAPED_NAME if "\\begin" in text else DOUBLE_ESCAPE).sub(r"\\", text)
    if "\\" in text:
        text = _without_styles(text)
    text = COMMAND_OR_SYMBOL.sub(_sign, text)
    if "∘" in text or "\\circ" in text:
        text = DEGREE.sub("°", text)
    if "." in text or "…" in text:
        text = REPEATING.sub(lambda run: f"{run[1]}({run[2]}{run[3] or ''}{run[4] or ''})", text)
        text = ELLIPSIS_DECIMAL.sub(lambda run: f"{run[1]}({run[2] or run[3]})", text)
        text = SIZED.sub(r"\1", MODULES.sub("", text)).replace("True_", "True").replace("False_", "False")
    return text


def _without_styles(text: str) -> str:
    text = BLACKBOARD.sub(r"\\\1 ", text)
    before = None
    while text != before:
        before = text
        text = UPRIGHT.sub(lambda run: f"{ROMAN}{run[1]}{MATH}", text)
        text = STYLED.sub(_styled, text)
    return UNIT_FRACTION.sub(r" \1/\2", text)


def _styled(run: re.Match[str]) -> str:
    inside = run[1].strip()
    if run.group().startswith(("\\boxed", "\\fbox", "\\framebox")):
        return f" {inside} "
    return (
        f" {inside}"
        if re.fullmatch(r"\w|\d+|[A-Za-z]+", inside)
        else f"{{{inside}}}"
        if inside.count("{")
        else f" {inside} "
    )


def _sign(result: re.Match[str]) -> str:
    name = result["name"]
    if name is not None:
        return SIGNS.get(name, f"\\{name} ")
    sign = result.group()
    if sign == "\\\\":
        return ROW_BREAK
    return SYMBOLS.get(sign, "")


def tidy(text: str) -> str:
    """Remove punctuation after the answer and an equals sign before it; join runs of spaces."""
    before = None
    while text != before:
        before = text
        text = text.strip().removeprefix("=").removeprefix("≈").lstrip()
        if text.endswith((",", ";", ":", ROW_BREAK, "\\")) or (text.endswith(".") and not text.endswith("..")):
            text = text[:-1]
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1]
    return " ".join(text.split())
