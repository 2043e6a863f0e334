"""One-byte codes for how a step ended, as result frames carry them. Standard library only."""

from __future__ import annotations

OK = b"k"
OK_ALTERED = b"K"  # OK, but a fork of the process would not equal a replay
SYNTAX_ERROR, EXCEPTION, OUT_OF_MEMORY, OUTPUT_TRUNCATED = b"s", b"e", b"m", b"t"
FORBIDDEN = b"f"  # a refused system call, or a malformed frame, which a step writes only to forge a result
TIMEOUT, CRASHED = b"T", b"c"  # from the fork server, about a step that it killed or that died

SUCCESSFUL = (OK, OK_ALTERED)
