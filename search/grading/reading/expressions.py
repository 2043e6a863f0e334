r"""Read a mathematical expression, in LaTeX, Python or plain notation, into an exact value.

sum      := ["+" | "-"] product (("+" | "-") product)*
product  := factor ((("*" | "/") signed factor) | implicit factor)*
factor   := primary postfix* ("^" exponent)?
"""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction

from search.grading.reading.literals import NumberParser
from search.grading.reading.numerals import number_value
from search.grading.reading.tokens import FUNCTIONS, LETTER, NAME, NUMBER, SIGN, WORD, Token, change_of_depth, split
from search.grading.values.forms import (
    ONE,
    PI,
    E,
    I,
    Value,
    add,
    atom_value,
    divide,
    function,
    multiply,
    negate,
    symbol,
)
from search.grading.values.functions import apply, logarithm
from search.grading.values.powers import power

PLAIN_LOG = "plain_log"  # log written without a backslash: natural in Python
MANY_ARGUMENTS = frozenset(
    {"gcd", "lcm", "max", "min", "root", "binomial", "comb", "Rational", "Fraction", "Pow", "log", PLAIN_LOG, "mod"}
)
ACCENTS = frozenset(
    [
        "overline",
        "bar",
        "vec",
        "hat",
        "tilde",
        "widehat",
        "overrightarrow",
        "dot",
        "ddot",
        "overleftrightarrow",
        "widetilde",
    ]
)
CALLED = FUNCTIONS | frozenset({PLAIN_LOG, "Abs", "Rational", "Fraction", "Integer", "Float", "Pow"})
CALLED_LETTERS = frozenset("fg")
GROUPS = frozenset({"(", "[", "{"})
INFIX = frozenset({"choose", "over"})
INFINITE = frozenset({"oo", "inf", "infty", "infinity"})
RADIAN = divide(atom_value(PI), Fraction(180))


def read_expression(tokens: Sequence[Token], depth: int = 0) -> Value:
    """Return the value of an expression. Raises Unreadable, and ArithmeticError or ValueError for one without a value."""
    for index, token in enumerate(tokens):
        if token.text in INFIX and token.kind in (NAME, WORD) and _depth(tokens[:index]) == 0:
            above, below = (read_expression(part, depth + 1) for part in (tokens[:index], tokens[index + 1 :]))
            return divide(above, below) if token.text == "over" else apply("binomial", [above, below])
    parser = _Parser(tokens, depth)
    value = parser.sum()
    if parser.index < len(parser.tokens):
        parser.fail()
    return value


def _depth(tokens: Sequence[Token]) -> int:
    return sum(map(change_of_depth, tokens))


class _Parser(NumberParser):
    def sum(self) -> Value:
        value = self.signed(self.product)
        while self.peek() in ("+", "-"):
            minus = self.peek() == "-"
            self.index += 1
            term = self.signed(self.product)
            value = add(value, negate(term) if minus else term)
        return value

    def signed(self, read: object) -> Value:
        minus = False
        while self.peek() in ("+", "-"):
            minus ^= self.peek() == "-"
            self.index += 1
        value: Value = read()  # type: ignore[operator]
        return negate(value) if minus else value

    def product(self) -> Value:
        value = self.factor()
        while True:
            if self.peek() in ("*", "/"):
                is_division = self.peek() == "/"
                self.index += 1
                other = self.signed(self.factor)
                value = divide(value, other) if is_division else multiply(value, other)
            elif self.starts_factor():
                value = multiply(value, self.factor())
            else:
                return value

    def starts_factor(self) -> bool:
        """Return whether a factor without a sign of multiplication follows."""
        token = self.front()
        if token is None:
            return False
        if token.kind == NUMBER:
            return self.tokens[self.index - 1].text in (")", "}")
        if token.kind == SIGN:
            return token.text in GROUPS or (token.text == "|" and not self.bars)
        return token.kind in (LETTER, NAME, WORD) and token.text not in ("rfloor", "rceil")

    def factor(self) -> Value:
        value = self.primary()
        while self.peek() in ("!", "°", "%"):
            sign = self.peek()
            self.index += 1
            value = (
                apply("factorial", [value])
                if sign == "!"
                else multiply(value, RADIAN if sign == "°" else Fraction(1, 100))
            )
        if self.take("^"):
            return power(value, self.exponent())
        return value

    def exponent(self) -> Value:
        minus = False
        while self.peek() in ("+", "-"):
            minus ^= self.peek() == "-"
            self.index += 1
        token = self.front()
        if token is not None and token.kind == NUMBER:  # alone: x^3\frac{1}{2} has no mixed number
            self.index += 1
            value: Value = number_value(token.text)
        else:
            value = self.primary()
        if self.take("^"):
            value = power(value, self.exponent())
        return negate(value) if minus else value

    def primary(self) -> Value:
        token = self.front()
        if token is None:
            self.fail()
        match token.kind:
            case "number":
                return self.number()
            case "letter":
                return self.letter()
            case "name":
                return self.name()
            case "word" if not token.roman and len(token.text) <= 3 and token.text.isascii():
                return self.short_word()
            case "sign" if token.text in GROUPS:
                return self.group()
            case "sign" if token.text == "|":
                return self.absolute()
        self.fail()

    def group(self) -> Value:
        return self.inner(self.group_tokens())

    def inner(self, tokens: Sequence[Token]) -> Value:
        return read_expression(tokens, self.depth + 1)

    def absolute(self) -> Value:
        self.index += 1
        self.bars += 1
        value = self.sum()
        if not self.take("|"):
            self.fail()
        self.bars -= 1
        return apply("abs", [value])

    def letter(self) -> Value:
        letter = self.tokens[self.index].text
        self.index += 1
        name = letter
        while self.peek() == "'":
            self.index += 1
            name += "'"
        if self.take("_"):
            name += "_" + self.subscript()
        if name == letter:
            if letter == "e":
                return atom_value(E)
            if letter == "i":
                return atom_value(I)
        front = self.front()
        if letter in CALLED_LETTERS and front is not None and front.text == "(" and not front.space:
            return function(name, *self.arguments())
        return symbol(name)

    def short_word(self) -> Value:
        """Take a segment such as ``AB``, or the first factor of a product such as ``ma``."""
        word = self.tokens[self.index].text
        if word.isupper():
            self.index += 1
            return symbol(word)
        self.tokens[self.index : self.index + 1] = [Token(LETTER, letter) for letter in word]
        return self.letter()

    def arguments(self) -> list[Value]:
        return [self.inner(part) for part in split(self.group_tokens(), frozenset({",", ";"}))]

    def name(self) -> Value:
        name = self.tokens[self.index].text
        self.index += 1
        match name:
            case "frac":
                above, below = self.argument(), self.argument()
                return divide(above, below)
            case "binom":
                return apply("binomial", [self.argument(), self.argument()])
            case "sqrt":
                return self.root()
            case "pi":
                return atom_value(PI)
            case "lfloor" | "lceil":
                return self.rounding(name)
        if name in INFINITE:
            self.fail()
        if name in ACCENTS:
            return symbol(f"{name}({self.subscript()})")
        if name in CALLED:
            return self.call(name)
        if self.take("_"):
            name += "_" + self.subscript()
        if self.peek() in ("{", "["):
            self.fail()
        return symbol(f"\\{name}")

    def argument(self) -> Value:
        """Take a group or a single sign, as LaTeX commands do: ``\\frac12`` is 1/2."""
        token = self.front()
        if token is None:
            self.fail()
        if token.kind == NUMBER:
            rest = token.text[1:]
            if rest:
                self.tokens[self.index] = Token(NUMBER, rest)
            else:
                self.index += 1
            return number_value(token.text[0])
        return self.primary()

    def root(self) -> Value:
        degree: Value = Fraction(2)
        if self.peek() == "[":
            degree = self.group()
        return power(self.primary(), divide(ONE, degree))

    def rounding(self, name: str) -> Value:
        closing = "r" + name[1:]
        for end in range(self.index, len(self.tokens)):
            if self.tokens[end].text == closing:
                value = self.inner(self.tokens[self.index : end])
                self.index = end + 1
                return apply(name[1:], [value])
        self.fail()

    def call(self, name: str) -> Value:
        """Take a function's base, exponent and arguments."""
        base = None
        if self.peek() == "_":
            self.index += 1
            base = self.group() if self.peek() == "{" else self.argument()
        exponent = self.exponent() if self.take("^") else None
        if exponent == -1 and name in ("sin", "cos", "tan"):
            name, exponent = "arc" + name, None
        args = self.arguments() if self.peek() in ("(", "{", "[") else [self.bare_argument()]
        if len(args) > 1 and name not in MANY_ARGUMENTS:
            self.fail()
        if base is not None:
            value = logarithm(base, args[0]) if name in ("log", PLAIN_LOG) else self.fail()
        elif name in ("log", PLAIN_LOG) and len(args) == 1:
            value = function(name, args[0])
        else:
            value = apply(name, args)
        return value if exponent is None else power(value, exponent)

    def bare_argument(self) -> Value:
        """Take the product that follows a function without brackets: ``\\sin 2x``, ``\\cos 60°``."""
        value = self.factor()
        while self.starts_factor():
            token = self.front()
            if token is None or token.kind == SIGN or token.text in CALLED:
                break
            value = multiply(value, self.factor())
        return value
