"""Run the codes of one step inside the forked interpreter and report how it ended.

The report is the step's own word and is treated as such: nothing here is a security boundary.
"""

from __future__ import annotations

import builtins
import io
import sys
from types import ModuleType

from actors.sandbox import verdicts

FILENAME = "<step>"
MAX_CHARACTERS = 500  # of an exception's text


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

    def enter(self) -> None:
        """Put the program's ``__main__`` in place of the zygote's."""
        sys.modules["__main__"] = self.main

    def run(self, code: str) -> tuple[bytes, bytes]:
        """Run one step's code. Return the verdict, and the printed output or the error line (UTF-8)."""
        self.raw.kept.clear()
        self.raw.is_full = False
        sys.stdout = self.stdout
        try:
            compiled = compile(code, FILENAME, "exec", dont_inherit=True)
        except (MemoryError, RecursionError) as error:  # nested too deeply for the parser
            return verdicts.SYNTAX_ERROR, f"SyntaxError: too deeply nested ({type(error).__name__})".encode()
        except (SyntaxError, ValueError) as error:
            return verdicts.SYNTAX_ERROR, format_syntax_error(error).encode("utf-8", "replace")
        verdict, line = self._execute(compiled)
        if self.raw.is_full:
            return verdicts.OUTPUT_TRUNCATED, b""
        return verdict, bytes(self.raw.kept) if verdict == verdicts.OK else line

    def _execute(self, compiled: object) -> tuple[bytes, bytes]:
        try:
            exec(compiled, self.main.__dict__)  # type: ignore[arg-type]
            self.stdout.flush()
        except MemoryError:
            return verdicts.OUT_OF_MEMORY, b""
        except OutputLimit:
            return verdicts.OUTPUT_TRUNCATED, b""
        except PermissionError as error:
            return verdicts.FORBIDDEN, format_error(error)
        except BaseException as error:  # noqa: BLE001 - whatever the program raised is its result, SystemExit included
            return verdicts.EXCEPTION, format_error(error)
        return verdicts.OK, b""


def format_syntax_error(error: SyntaxError | ValueError) -> str:
    """Return ``SyntaxError: invalid syntax (line 3)``."""
    if isinstance(error, SyntaxError):
        place = f" (line {error.lineno})" if error.lineno else ""
        return f"{type(error).__name__}: {error.msg}{place}"
    return f"SyntaxError: {error}"


def format_error(error: BaseException) -> bytes:
    """Return ``NameError: name 'x' is not defined``, as the last line of a traceback would read."""
    kind = type(error)
    module = str(getattr(kind, "__module__", ""))
    name = kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__qualname__}"
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - a hostile or broken __str__ is the program's own: left out
        text = ""
    return (f"{name}: {text[:MAX_CHARACTERS]}" if text else name).encode("utf-8", "replace")
