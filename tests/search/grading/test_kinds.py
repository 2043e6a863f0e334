"""Each kind of answer: pairs that mean the same, and pairs that do not."""

from __future__ import annotations

import pytest

from search.grading import equivalent, explain

EQUAL = {
    "precision": [
        ("2/3", "0.6666667"), ("\\frac{2}{3}", "0.66666666666666663"), ("\\sqrt{3}", "1.7320508075688772"),
        ("e^2", "7.38905609893065"),
        ("\\pi", "3.14159"), ("7", "7.000000000000001"), ("\\frac{\\pi}{6}", "0.523598775598299"),
    ],
    "lists": [
        ("4, 9", "9 and 4"), ("4, 9", "$9$; $4$"), ("1, 5, and 7", "7, 1 \\text{ and } 5"),
        ("\\{3, 1/2\\}", "{0.5, 3}"),
        ("\\{3, \\frac{1}{2\\sqrt{7}}\\}", "$\\boxed{\\{3, \\frac{1}{2\\sqrt{7}}\\}}$"), ("4, 9", "[4, 9]"),
        ("x=4 \\text{ or } x=9", "9, 4"), ("x=4, y=9", "y=9, x=4"), ("(4, 9)", "x=4, y=9"),
        ("n = 4, 9", "n=9 or n=4"),
        ("\\{(1,2), (3,4)\\}", "\\{(3,4),(1,2)\\}"), ("6 cats and 2 dogs", "2 dogs and 6 cats"),
    ],
    "plus-minus": [
        ("\\pm 4", "4, -4"), ("x = \\pm\\sqrt{6}", "x=\\sqrt6 or x=-\\sqrt6"),
        ("1 ± 2√3", "1-2\\sqrt{3}, 1+2\\sqrt{3}"),
    ],
    "ratios and times": [
        ("2:5", "4 : 10"), ("2:5", "2∶5"), ("7:05", "7:05 AM"), ("19:45", "7:45 p.m."), ("2:3:4", "4:6:8"),
    ],
    "equations": [
        ("3x - y = 6", "y = 3x - 6"), ("x^2 + y^2 = 9", "x^2+y^2-9=0"),
        ("\\sqrt{2}x + 2y = 0", "x + \\sqrt{2} y = 0"), ("t = 5", "5 = t"),
        ("BC = 12", "12"), ("12", "P(A) = 12"), ("f(x) = 3x + 1", "1+3x"), ("y = \\sin^2 x", "y = 1 - \\cos^2 x"),
    ],
    "inequalities and intervals": [
        ("k < 5/2", "2.5 > k"), ("k < 5", "(-\\infty, 5)"), ("-1 \\le t < 4", "[-1, 4)"), ("2x > 6", "x > 3"),
        ("]0, 2]", "(0, 2]"),
        ("x < 1 \\text{ or } x \\ge 2", "[2,\\infty) \\cup (-\\infty,1)"),
        ("x \\neq 3", "(-\\infty,3)\\cup(3,\\infty)"), ("\\mathbb{R}", "(-∞, ∞)"),
        ("\\{x \\mid x \\ge 1\\}", "x ≥ 1"), ("\\mathbb{R} \\setminus \\{0\\}", "x ≠ 0"),
        ("(1, 3) \\cup (2, 5)", "(1, 5)"), ("\\{3\\} \\cup [5, \\infty)", "x = 3 \\text{ or } x \\ge 5"),
        ("x < 3", "x < 1 \\text{ or } x = 1 \\text{ or } 1 < x < 3"),
    ],
    "printed by Python": [
        ("\\frac{3}{2}", "Fraction(3, 2)"), ("12", "np.int64(12)"), ("2-5i", "(2-5j)"), ("2-5i", "2 - 5*I"),
        ("e^2", "exp(2)"), ("e", "E"),
        ("\\begin{bmatrix}1&2\\\\3&4\\end{bmatrix}", "Matrix([[1, 2], [3, 4]])"), ("(1,3]", "Interval.Lopen(1, 3)"),
        ("[2,\\infty)", "Interval(2, oo)"),
        ("\\{1,3\\}", "FiniteSet(3, 1)"), ("\\emptyset", "EmptySet"), ("\\emptyset", "set()"), ("-\\infty", "-inf"),
        ("\\sqrt[3]{7}", "7**(1/3)"),
        ("\\ln 5", "log(5)"), ("x = 2", "Eq(x, 2)"), ("x=1, y=2", "{x: 1, y: 2}"), ("1, 2", "array([1, 2])"),
        ("9", "tensor(9.)"),
    ],
    "matrices": [
        ("\\begin{pmatrix} 5 \\\\ 6 \\end{pmatrix}", "\\begin{bmatrix}5\\\\6\\end{bmatrix}"),
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "[[1, 2], [3, 4]]"),
        ("\\begin{pmatrix}1/2&x+1\\end{pmatrix}", "\\left(\\begin{array}{cc}\\frac12 & 1+x\\end{array}\\right)"),
        ("(5, 6)", "\\begin{pmatrix}5\\\\6\\end{pmatrix}"),
        ("\\begin{pmatrix}1\\\\\\frac{1}{2}\\end{pmatrix}", "\\begin{pmatrix}2/2\\\\0.5\\end{pmatrix}"),
        ("\\begin{pmatrix}2\\\\4\\end{pmatrix}", "2\\begin{pmatrix}1\\\\2\\end{pmatrix}"),
        ("\\begin{cases}x=1\\\\y=5\\end{cases}", "x=1, y=5"), ("[1 2 3]", "[1, 2, 3]"),
    ],
    "LaTeX": [
        ("\\frac{7}{3}", "2\\tfrac13"), ("\\\\frac{7}{3}", "\\dfrac{7}{3}"), ("\\binom{6}{2}", "15"),
        ("15", "{6 \\choose 2}"), ("\\sqrt 7", "\\sqrt{7}"),
        ("\\log_2 32", "5"), ("\\tan 45^\\circ", "1"), ("\\sin 30°", "0.5"), ("|{-3}|", "3"),
        ("9", "\\boxed{\\boxed{9}}"), ("9", "\\fbox{9}"),
        ("9", "\\textcolor{blue}{9}"), ("9", "{\\bf 9}"), ("1{,}200", "1\\,200"), ("\\varphi", "\\phi"),
        ("2^{n+1}", "2 \\cdot 2^n"), ("\\lfloor 7/2 \\rfloor", "3"),
    ],
    "repeating": [
        ("\\frac{5}{6}", "0.8\\overline{3}"), ("5/11", "0.(45)"), ("1/3", "0.333..."),
        ("1/7", "0.\\dot{1}4285\\dot{7}"),
    ],
    "bases": [("101_2", "101_{2}"), ("101_2", "5"), ("1F_{16}", "31"), ("77_8", "(77)_8"), ("77_8", "77 base 8")],
    "per cent": [
        ("35%", "35 percent"), ("35\\%", "35％"), ("35%", "7/20"), ("0.35", "35 per cent"), ("12.5%", "\\frac{1}{8}"),
    ],
    "money": [
        ("7.5", "$7.50"), ("7.5", "7.50 €"), ("$7.50", "750 cents"), ("7.5", "\\$7.5."), ("20", "Rs. 20"),
        ("7 dollars and 50 cents", "7.5"), ("15", "$15 per hour"),
    ],
    "units": [
        ("90 min", "1.5 h"), ("2 km", "2000 \\text{ m}"), ("3.5 \\mathrm{~kg}", "3500 g"),
        ("20 \\text{ cm}^2", "20 square centimeters"), ("20", "20\\text{ ft}^3"),
        ("4\\,\\mathrm{m}\\,\\mathrm{s}^{-1}", "4 m/s"), ("36 km/h", "10 m/s"), ("60", "60^{\\circ}"),
        ("60^\\circ", "60 degrees"), ("\\frac{\\pi}{3}", "60°"),
        ("11", "11 (pencils)"), ("11", "11 years old"), ("11", "11厘米"), ("11", "11 Stunden"),
        ("2 h 30 min", "150 minutes"), ("5 yd", "15 feet"),
    ],
    "words that scale": [
        ("24", "2 dozen"), ("3/2", "3 halves"), ("2500000", "2.5 million"), ("10", "5 choose 2"),
        ("-6", "negative 6"),
    ],
    "choices": [("C", "(C)"), ("(C)", "\\textbf{C}"), ("C", "C. 12"), ("C", "Option C"), ("C", "$\\mathrm{(C)}$")],
    "words": [
        ("Tuesday", "\\text{tuesday}"), ("no solution", "No Solution."), ("True", "true"), ("PM", "pm"),
        ("even", "\\textit{even}"), ("the circle", "circle"),
    ],
    "scientific": [
        ("2.5 \\times 10^6", "2500000"), ("3e-7", "3 \\cdot 10^{-7}"), ("3×10⁻⁷", "0.0000003"), ("2 x 10^3", "2,000"),
    ],
    "Unicode": [
        ("-8", "－８"), ("3/4", "¾"), ("7/2", "3½"), ("y^3", "y³"), ("2\\sqrt{3}", "2√3"), ("\\alpha", "α"),
        ("x \\neq 0", "x ≠ 0"), ("x_1", "x₁"),
        ("[0,1]\\cup[2,∞)", "[0, 1] ∪ [2, +∞)"), ("5000", "5\u00a0000"), ("2", "2\u200b"),
    ],
    "wrapping": [
        ("8", "**8**"), ("8", "`8`"), ("8", "= 8"), ("8", "\\[8\\]"), ("8", "The answer is 8."), ("8", "008"),
        ("8", "#### 8"), ("x+2", "$x+2$,"),
    ],
    "chains": [
        ("3/4", "\\frac{6}{8} = 0.75"), ("5", "x = 2 + 3 = 5"), ("\\sqrt{2}", "\\sqrt{2} \\approx 1.41"),
        ("9/4", "2 and 1/4"), ("(3,4)", "(x, y) = (3, 4)"),
    ],
    "expressions": [
        ("(a+b)^2", "a^2+2ab+b^2"), ("\\frac{1}{1+\\sqrt2}", "\\sqrt{2}-1"), ("\\cos 2x", "1-2\\sin^2 x"),
        ("\\sqrt{3+2\\sqrt{2}}", "1+\\sqrt{2}"), ("yx", "xy"),
    ],
}  # fmt: skip
DIFFERENT = {
    "precision": [
        ("\\frac{1}{50!}", "\\frac{1}{51!}"), ("3^{-70}", "3^{-71}"), ("2.5e-9", "2e-9"), ("0.00012", "0.0001"),
        ("30000000000000002", "30000000000000000"),
        ("2.72", "e"), ("2/3", "0.667"), ("\\sqrt{3}", "1.73"), ("7", "7.000001"), ("0", "1e-30"),
        ("\\sqrt{2}", "1.414213561"),
    ],
    "lists": [
        ("4, 9", "49"), ("4, 9", "4"), ("4, 9", "4, 9, 16"), ("(4, 9)", "(9, 4)"), ("x=4, y=9", "x=9, y=4"),
        ("6 cats and 2 dogs", "2 cats and 6 dogs"),
        ("4", "4 or 9"), ("\\{1,2\\}", "\\{1,3\\}"), ("n = 4, 9", "m = 4, 9"), ("4, 4", "4"),
    ],
    "plus-minus": [("\\pm 4", "4"), ("2 \\pm 3", "2+3"), ("\\pm 4", "\\pm 5")],
    "ratios and times": [("2:5", "5:2"), ("7:05", "7:50"), ("7:05 AM", "7:05 PM"), ("2:3:4", "2:3:5")],
    "equations": [
        ("3x - y = 6", "3x + y = 6"), ("x^2 - 5x + 6 = 0", "x^2 - 6x + 6 = 0"), ("5", "|x| = 5"), ("x = 4", "z = 4"),
        ("y = 3x", "x = 3x"), ("x^2+1", "x^2+1=0"),
    ],
    "inequalities and intervals": [
        ("k < 5", "k > 5"), ("k < 5", "k \\le 5"), ("k < 5", "j < 5"), ("[-1, 4)", "(-1, 4)"), ("[-1, 4]", "[-1, 5]"),
        ("(0,1)", "[0,1]"), ("x \\neq \\pm 2", "x \\neq \\pm 3"),
        ("\\{t \\mid 0 < t < 1\\}", "\\{t \\mid 0 < t < 2\\}"), ("(0,1)\\cup(2,3)", "(0,1)\\cup(2,4)"),
    ],
    "printed by Python": [
        ("4", "None"), ("4", "nan"), ("0", "[]"), ("2-5i", "(2+5j)"), ("(1,3]", "Interval(1, 3)"),
        ("6", "6\\sqrt(3)"),
    ],
    "matrices": [
        ("\\begin{pmatrix}1&2\\\\3&4\\end{pmatrix}", "\\begin{pmatrix}1&3\\\\2&4\\end{pmatrix}"),
        ("\\begin{pmatrix}5\\\\6\\end{pmatrix}", "\\begin{pmatrix}5&6\\end{pmatrix}"),
        ("\\begin{pmatrix}5\\\\6\\end{pmatrix}", "\\begin{pmatrix}6\\\\5\\end{pmatrix}"), ("(2,345)", "2345"),
        ("[3 4]", "[34]"), ("\\begin{pmatrix}1&2\\end{pmatrix}", "\\begin{vmatrix}1&2\\end{vmatrix}"),
    ],
    "LaTeX": [
        ("\\sqrt[3]{5}", "\\sqrt{5}"), ("4\\frac{1}{3}", "\\frac{4}{3}"), ("x \\to y", "x \\leftarrow y"),
        ("\\alpha", "\\beta"), ("\\Delta", "\\delta"),
    ],
    "bases": [("101_2", "101_3"), ("101_2", "101"), ("8", "9_8")],
    "per cent": [("35%", "3.5%"), ("35%", "350%")],
    "money": [("$8", "8 euros"), ("$8", "8 cents"), ("£8", "€8")],
    "units": [
        ("8 m", "8 cm"), ("45 minutes", "45 seconds"), ("8 \\text{ cm}", "8 \\text{ cm}^2"),
        ("8 apples", "8 oranges"), ("8", "8 or more"), ("60^\\circ", "60 radians"),
    ],
    "letters after a number": [("15", "15ab"), ("15ab", "15"), ("3xy", "3xz"), ("5x^2y", "5xy^2"), ("15", "15 x")],
    "words that scale": [
        ("6", "6 squared"), ("5", "5 halves"), ("3", "3 dozen"), ("9", "9 root 2"), ("8", "8 choose 3"),
        ("4", "4 million"),
    ],
    "choices": [("C", "D"), ("(C)", "(B)"), ("C", "CD"), ("C", "C and D")],
    "words": [("on", "no"), ("Ed", "De"), ("listen", "silent"), ("True", "False"), ("Yes", "No")],
    "scientific": [("2.5e10", "2.5 \\times 10^{11}"), ("2.5e10", "-2.5e10")],
    "white space": [("21", "2 1"), ("2 13", "21 3"), ("1 2 3", "123")],
    "empty": [("4", ""), ("4", "\\boxed{}"), ("4", "x"), ("4", "?"), ("4", "[]")],
    "expressions": [
        ("(a+b)^2", "a^2+b^2"), ("x", "|x|"), ("\\frac{x}{y}", "\\frac{y}{x}"), ("\\ln 3", "\\log 3"), ("a", "b"),
        ("2^{80}+1", "2^{80}"),
    ],
}  # fmt: skip


def _pairs(table: dict[str, list[tuple[str, str]]]) -> list[tuple[str, str, str]]:
    return [(name, gold, answer) for name, pairs in table.items() for gold, answer in pairs]


@pytest.mark.parametrize(("name", "gold", "answer"), _pairs(EQUAL))
def test_answer_of_a_kind_is_equal(name: str, gold: str, answer: str) -> None:
    assert equivalent(gold, answer), explain(gold, answer)


@pytest.mark.parametrize(("name", "gold", "answer"), _pairs(DIFFERENT))
def test_answer_of_a_kind_is_different(name: str, gold: str, answer: str) -> None:
    assert not equivalent(gold, answer), explain(gold, answer)


@pytest.mark.parametrize(
    ("answer", "kind", "value"),
    [
        ("\\frac{6}{8}", "number", "3/4"), ("2\\sqrt{12}", "expression", "4*3^(1/2)"), ("5 kg", "quantity", "5 kg"),
        ("y=2x", "assignment", "y=2*x"),
        ("x+y=2", "relation", "x+y-2=0"), ("x>2", "real set", "x in (2,infinity)"), ("(1,2)", "tuple", "(1,2)"),
        ("\\{1\\}", "set", "{1}"), ("1;2", "list", "1,2"),
        ("[[1,2]]", "matrix", "[[1,2]]"), ("(B)", "choice", "B"), ("2:3", "ratio", "2:3"),
        ("true", "boolean", "true"), ("Blue", "words", "blue"), ("?!", "text", "?!"),
    ],
)  # fmt: skip
def test_explanation_names_kind_and_value(answer: str, kind: str, value: str) -> None:
    explanation = explain("0", answer)
    assert (explanation.answer_kind, explanation.answer_value) == (kind, value)
