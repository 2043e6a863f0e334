r"""Find the answer that a solution states: in a box, after ``####`` or after "the answer is". Thinking is left out."""

from __future__ import annotations

import re

BOX_COMMAND = re.compile(r"\\(?:boxed|fbox|framebox)\s*(?:\[[^\]]*\]\s*)?\{")
THINKING = re.compile(r"<(think|thinking|thought|reasoning)>.*?</\1>", re.DOTALL | re.IGNORECASE)
THINKING_END = re.compile(r"^.*</(?:think|thinking|thought|reasoning)>", re.DOTALL | re.IGNORECASE)
THINKING_START = re.compile(r"<(?:think|thinking|thought|reasoning)>.*$", re.DOTALL | re.IGNORECASE)
GSM8K_MARK = re.compile(r"####[ \t]*([^\n]*)")
STATED = re.compile(
    r"(?:final\s+answer|correct\s+answer|answer)\s*(?:\*\*)?\s*(?:(?:is|are|=)(?:\s*:)?|:)\s*(?:\*\*)?\s*(?P<answer>[^\n]+)",
    re.IGNORECASE,
)
SENTENCE_END = re.compile(r"(?<=[^\d\s.])\.(?:\s|$)|(?<=\d)\.(?=\s|$)|[!?](?=\s+[A-Z]|$)|\s+(?:because|since|as|so)\s")


def extract_answer(text: str) -> str | None:
    r"""Return the final answer that a text states; None without one.

    The last box with content wins, its braces balanced; several boxes of one formula are a list. Else what follows the last
    ``####``, else what follows the last "the answer is", up to the end of the sentence. ``<think>`` blocks are left out,
    an unclosed one with all that follows.
    """
    text = without_thinking(text)
    return boxed_answer(text) or _marked(text) or _stated(text)


def without_thinking(text: str) -> str:
    """Return a text without its thinking blocks."""
    if "<" not in text:
        return text
    text = THINKING.sub("", text)
    text = THINKING_END.sub("", text)
    return THINKING_START.sub("", text)


def boxed_answer(text: str) -> str | None:
    r"""Return the content of the last ``\boxed{…}`` with balanced braces; None without one.

    ``r'\boxed{\frac{1}{2}}'`` → ``\frac{1}{2}``. Boxes side by side, separated by a comma or "and", are one answer:
    ``\boxed{1}, \boxed{2}`` → ``1, 2``. A last box that is empty or never closed gives None.
    Boxes in thinking blocks do not count.
    """
    text = without_thinking(text)
    boxes = _outer_boxes(text)
    if not boxes or boxes[-1] is None:
        return None
    begin, _, answer = boxes[-1]
    answers = [answer]
    for box in reversed(boxes[:-1]):
        if box is None or not re.fullmatch(
            r"[\s$]*(?:,|;|\\text\{\s*(?:and|or)\s*\}|and|or|,\s*and|\\quad|\\qquad)[\s$]*", text[box[1] : begin]
        ):
            break
        answers.insert(0, box[2])
        begin = box[0]
    joined = ", ".join(answers).strip()
    return unboxed(joined) or None


def text_after_box(text: str) -> str | None:
    """Return what follows the last box of a text, None without a closed one. Boxes in thinking blocks do not count."""
    text = without_thinking(text)
    boxes = _outer_boxes(text)
    return None if not boxes or boxes[-1] is None else text[boxes[-1][1] :]


def unboxed(answer: str) -> str:
    """Return what stands in boxes around the whole answer."""
    result = BOX_COMMAND.match(answer)
    while result is not None and _closing(answer, result.end()) == len(answer) - 1:
        answer = answer[result.end() : -1].strip()
        result = BOX_COMMAND.match(answer)
    return answer


def _outer_boxes(text: str) -> list[tuple[int, int, str] | None]:
    """Return begin, end and content of the boxes that stand in no other; None for one that is never closed."""
    boxes: list[tuple[int, int, str] | None] = []
    position = 0
    while (result := BOX_COMMAND.search(text, position)) is not None:
        end = _closing(text, result.end())
        boxes.append(None if end < 0 else (result.start(), end + 1, text[result.end() : end].strip()))
        position = result.end() if end < 0 else end + 1
    return boxes


def _closing(text: str, begin: int) -> int:
    """Return the place of the brace that closes the one before ``begin``; -1 if none does. Escaped braces count for nothing."""
    depth, position = 1, begin
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        depth += {"{": 1, "}": -1}.get(text[position], 0)
        if depth == 0:
            return position
        position += 1
    return -1


def _marked(text: str) -> str | None:
    marks = GSM8K_MARK.findall(text)
    return (marks[-1].strip() or None) if marks else None


def _stated(text: str) -> str | None:
    statements = list(STATED.finditer(text))
    if not statements:
        return None
    answer = statements[-1]["answer"].strip().strip("*").strip()
    end = SENTENCE_END.search(answer)
    if end is not None:
        answer = answer[: end.start()]
    return answer.strip().rstrip(".,;*").strip() or None
