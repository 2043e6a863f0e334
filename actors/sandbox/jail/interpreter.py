"""Run the codes of one step inside the forked interpreter and report how it ended.

The step's code can forge this report, so its readers do not trust it: nothing here is a security boundary.
"""

from __future__ import annotations

import builtins
import io
import linecache
import re
import sys
from types import ModuleType, TracebackType
from typing import NoReturn

from actors.sandbox import verdicts

MAX_TEXT = 500  # characters of an exception's text where no line is shown
MAX_TEXT_BEFORE_LINE = 110  # else: the whole must fit into the caller's 200
MAX_LINE = 50
LINE_BREAK = re.compile("\r\n?|\n")


class OutputLimit(BaseException):
    """Raised in a step that prints more than it may."""


class CappedBytes(io.RawIOBase):
    """The raw end of ``sys.stdout``: keeps up to ``limit`` bytes, then stops the step."""

    def __init__(self, limit: int) -> None:
        super().__init__()
        self.limit = limit
        self.kept = bytearray()
        self.is_full = False

    def writable(self) -> bool:
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]
        room = self.limit - len(self.kept)
        self.kept += bytes(data[:room]) if len(data) > room else data
        if len(data) > room:
            self.is_full = True
            raise OutputLimit
        return len(data)


class Interpreter:
    """The ``__main__`` of a program that arrives step by step."""

    def __init__(self, output_bytes: int) -> None:
        self.raw = CappedBytes(output_bytes)
        self.stdout = io.TextIOWrapper(
            io.BufferedWriter(self.raw, 1),  # type: ignore[type-var]
            encoding="utf-8",
            errors="replace",
            write_through=True,
        )
        self.main = ModuleType("__main__")
        self.main.__dict__["__builtins__"] = builtins
        self.sources: dict[str, list[str]] = {}  # the lines of each step by its file name

    def enter(self) -> None:
        """Put the program's ``__main__`` in place of the zygote's. Set what a program without a terminal needs."""
        sys.modules["__main__"] = self.main
        sys.set_int_max_str_digits(0)  # a step's processor time is bounded anyway
        # exit and quit of ``site`` would close the standard input
        vars(builtins).update(exit=exit_step, quit=exit_step, input=refuse_input)

    def run(self, code: str) -> tuple[bytes, bytes]:
        """Run one step's code. Return the verdict, and the printed output or the error line (UTF-8)."""
        self.raw.kept.clear()
        self.raw.is_full = False
        sys.stdout = self.stdout
        filename = f"<step {len(self.sources) + 1}>"
        self.sources[filename] = lines = LINE_BREAK.split(code)
        linecache.cache[filename] = (len(code), None, [line + "\n" for line in lines], filename)
        try:
            compiled = compile(code, filename, "exec", dont_inherit=True)
        except (MemoryError, RecursionError) as error:  # nested too deeply for the parser
            return verdicts.SYNTAX_ERROR, f"SyntaxError: too deeply nested ({type(error).__name__})".encode()
        except (SyntaxError, ValueError) as error:
            return verdicts.SYNTAX_ERROR, format_syntax_error(error, lines).encode("utf-8", "replace")
        verdict, line = self._execute(compiled)
        if self.raw.is_full:
            return verdicts.OUTPUT_TRUNCATED, b""
        return verdict, bytes(self.raw.kept) if verdict == verdicts.OK else line

    def _execute(self, compiled: object) -> tuple[bytes, bytes]:
        try:
            try:
                exec(compiled, self.main.__dict__)  # type: ignore[arg-type]
            except SystemExit as error:
                if not is_success(error):
                    raise
            self.stdout.flush()
        except MemoryError:
            return verdicts.OUT_OF_MEMORY, b""
        except OutputLimit:
            return verdicts.OUTPUT_TRUNCATED, b""
        except PermissionError as error:
            return verdicts.FORBIDDEN, self._format_error(error)
        except BaseException as error:  # noqa: BLE001 - whatever the program raised is its result, SystemExit included
            return verdicts.EXCEPTION, self._format_error(error)
        return verdicts.OK, b""

    def _format_error(self, error: BaseException) -> bytes:
        """Return the last line of a traceback and the line of the model's code that it leads to."""
        try:
            place = "" if isinstance(error, SystemExit) else self._find_place(error.__traceback__)
            return format_error(error, place)
        except BaseException:  # noqa: BLE001 - a class that lies about itself is the program's own
            return b"Exception"

    def _find_place(self, traceback: TracebackType | None) -> str:
        """Return `` (line 2: x = 1 / 0)`` for the innermost frame of the program, with the step if it is an earlier one."""
        place = ""
        while traceback is not None:
            filename, number = traceback.tb_frame.f_code.co_filename, traceback.tb_lineno
            if filename in self.sources:
                lines = self.sources[filename]
                step = "" if filename == f"<step {len(self.sources)}>" else "earlier step, "
                place = f" ({step}line {number}{format_line(lines, number)})"
            traceback = traceback.tb_next
        return place


def exit_step(code: object = None) -> NoReturn:
    """End the step, as ``sys.exit`` does."""
    raise SystemExit(code)


def refuse_input(prompt: object = "") -> NoReturn:
    """Raise EOFError: a step has nobody to ask."""
    print(prompt, end="")
    raise EOFError("there is no input")


def is_success(error: SystemExit) -> bool:
    """Return True if it ends an interpreter with status 0: no code, or 0."""
    code = error.code
    return code is None or (isinstance(code, int) and int(code) == 0)


def format_line(lines: list[str], number: int | None) -> str:
    """Return ``: x = 1 / 0``, the text of a line, shortened; nothing where there is none."""
    text = lines[number - 1].strip() if number is not None and 1 <= number <= len(lines) else ""
    return f": {shorten(text, MAX_LINE)}" if text else ""


def shorten(text: str, length: int) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"


def format_syntax_error(error: SyntaxError | ValueError, lines: list[str]) -> str:
    """Return ``SyntaxError: invalid syntax (line 3: x = = 3)``."""
    if isinstance(error, SyntaxError):
        place = f" (line {error.lineno}{format_line(lines, error.lineno)})" if error.lineno else ""
        return f"{type(error).__name__}: {shorten(str(error.msg), MAX_TEXT_BEFORE_LINE)}{place}"
    return f"SyntaxError: {error}"


def format_error(error: BaseException, place: str = "") -> bytes:
    """Return ``NameError: name 'x' is not defined`` and the place, as the last line of a traceback would read."""
    kind = type(error)
    module = str(getattr(kind, "__module__", ""))
    name = kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a hostile or broken __str__ is the program's own: left out
        text = ""
    line = f"{name}: {text}" if text else name
    return (shorten(line, MAX_TEXT_BEFORE_LINE if place else MAX_TEXT) + place).encode("utf-8", "replace")
