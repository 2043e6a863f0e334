"""Make a step print the number that it ends with: append lines that print the last assigned name.

A step of a worked solution names what it works out and prints nothing. A reward model cannot work out the value, but
can see from the output that nobody has 57.5 apples.
"""

from __future__ import annotations

import re
from functools import lru_cache
from keyword import iskeyword

CACHED_STEPS = 1 << 14
MAX_CHARACTERS = 4000  # of a step that is read
PRINT_NUMBER = """
try:
    print(f"{{{name}:g}}")
except:
    pass
"""

# What is read is never parsed by Python: its parser is not meant for hostile text, and the caller is not confined.
TOKEN = re.compile(
    r"(?P<string>\"\"\"(?:[^\\\"]|\\[\s\S]|\"(?!\"\"))*\"\"\"|'''(?:[^\\']|\\[\s\S]|'(?!''))*'''"
    r"|(?!\"\"\")\"(?:[^\\\"\n]|\\[\s\S])*\"|(?!''')'(?:[^\\'\n]|\\[\s\S])*')"
    r"|(?P<open>[(\[{])|(?P<close>[)\]}])|(?P<end>[\n;])|(?P<skipped>\#[^\n]*|\\\n)|(?P<bad>[\\\"'\0])"
    r"|(?P<text>[^()\[\]{}\n;#\\\"'\0]+)"
)
PLACEHOLDER = "()"  # for a string, or for brackets and all that is in them
CLOSING = {"(": ")", "[": "]", "{": "}"}
ASSIGNMENT = re.compile(r"([^\W\d]\w*)[ \t]*(//|\*\*|<<|>>|[-+*/%@&|^])?=(?!=)")
COMPARISON = re.compile(r"[=!<>]=")
COMPOUND = re.compile(r"(?:if|elif|else|for|while|try|except|finally|with|def|class|async|match|case|@)(?!\w)|@")


@lru_cache(CACHED_STEPS)
def add_autoprint(code: str) -> str:
    """Return the code, extended to print the name that its last statement assigns to, if the value is a number.

    ``"total = 300 / 4"`` prints 75. At most six digits are printed, and nothing for texts, lists and other objects.
    """
    name = last_assigned_name(code)
    return code if name is None else code.rstrip() + PRINT_NUMBER.format(name=name)


def last_assigned_name(code: str) -> str | None:
    """Return the one name that the last statement assigns to; None where it does anything else or cannot be read.

    Code that Python refuses may have a name: it is refused at the same place with the lines that are added.
    """
    if len(code) > MAX_CHARACTERS or code.rstrip().endswith("\\"):
        return None
    line = last_line(code.replace("\r\n", "\n").replace("\r", "\n"))
    if line is None or (len(line) > 1 and COMPOUND.match(line[0])):
        return None
    statement = line[-1].strip()
    head = ASSIGNMENT.match(statement)
    if head is None or iskeyword(head[1]) or line[0][:1].isspace():
        return None
    value = COMPARISON.sub("", statement[head.end() :])
    return head[1] if value.strip() and "=" not in value else None


def last_line(code: str) -> list[str] | None:
    """Return the statements of the last logical line that holds any, without what stands in strings and brackets.

    None where a bracket or a string is left open. The first statement keeps its indentation.
    """
    line: list[str] = []
    last: list[str] = []
    statement = ""
    brackets: list[str] = []
    for match in TOKEN.finditer(code + "\n"):
        kind, text = match.lastgroup, match[0]
        if kind == "open":
            brackets.append(CLOSING[text])
            if len(brackets) == 1:
                statement += PLACEHOLDER
        elif kind == "close":
            if not brackets or brackets.pop() != text:
                return None
        elif kind == "bad":
            return None
        elif kind == "end" and not brackets:
            if statement.strip():
                line.append(statement)
            statement = ""
            if text == "\n" and line:
                last, line = line, []
        elif not brackets and kind in ("text", "string"):
            statement += text if kind == "text" else PLACEHOLDER
    return None if brackets or not last else last
